"""appointments.yaml as it is written, and appointments on the wire."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.core.wire import Day, Moment
from services.sla.schemas import SpanIn

Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Status = Literal["booked", "checked_in", "served", "cancelled", "no_show"]
RequestId = Annotated[str, Field(min_length=8, max_length=64)]
Days = Literal["working_days", "every_day"]
HalfDays = Literal["city", "own"]

DAY_MINUTES = 24 * 60


def _time_of_day(value: object) -> object:
    """Minutes since midnight of "10:00"."""
    try:
        return SpanIn.model_validate({"start": value, "end": "24:00"}).start
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


class _Written(BaseModel):
    """A part of the file: an unknown field is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class NoShowRule(_Written):
    """`count` missed appointments within `within_days` end booking for `block_days`, counted from the last one.

    Who has not been checked in `after_minutes` after the end of the hour has missed it.
    """

    count: int = Field(3, ge=1, le=20)
    within_days: int = Field(90, ge=1, le=730)
    block_days: int = Field(30, ge=1, le=365)
    after_minutes: int = Field(60, ge=0, le=DAY_MINUTES)


class Rules(_Written):
    """What counts for every service that says nothing else. `remind_at` is a time of day, on the day before;
    `verify_phone` asks for a one-time code before a citizen books in the chat."""

    earliest_days: int = Field(14, ge=0, le=90)
    latest_minutes: int = Field(60, ge=0, le=30 * DAY_MINUTES)
    cancel_minutes: int = Field(0, ge=0, le=7 * DAY_MINUTES)
    remind_at: Annotated[int, BeforeValidator(_time_of_day)] = 10 * 60
    waiting_notice_minutes: int = Field(180, ge=0, le=7 * DAY_MINUTES)
    per_conversation: int = Field(5, ge=1, le=50)
    verify_phone: bool = False
    no_show: NoShowRule = Field(default_factory=NoShowRule)


class Service(_Written):
    """Something that is booked; `bring` is told with the confirmation."""

    code: Code
    name: Name
    aliases: tuple[Name, ...] = ()
    department: Name | None = None
    bring: str = ""
    earliest_days: int | None = Field(None, ge=0, le=90)
    latest_minutes: int | None = Field(None, ge=0, le=30 * DAY_MINUTES)
    cancel_minutes: int | None = Field(None, ge=0, le=7 * DAY_MINUTES)
    verify_phone: bool | None = None


class Windows(_Written):
    """`count` windows that take `per_hour` people each, for any of `services`: their places are counted together.

    On a day for which the city's calendar has hours of its own, windows with `hours` are open in what both say, unless
    `half_days` is `own`.
    """

    code: Code
    name: Name
    count: int = Field(1, ge=1, le=200)
    per_hour: int = Field(ge=1, le=200)
    services: tuple[Code, ...] = Field(min_length=1)
    days: Days = "working_days"
    hours: tuple[SpanIn, ...] | None = Field(None, min_length=1)
    half_days: HalfDays = "city"


class Hall(_Written):
    """A place with windows. `closed_days` wins over everything, `extra_days` over the calendar."""

    code: Code
    name: Name
    aliases: tuple[Name, ...] = ()
    address: str = ""
    phone: str = ""
    windows: tuple[Windows, ...] = Field(min_length=1)
    closed_days: frozenset[Day] = frozenset()
    extra_days: frozenset[Day] = frozenset()

    def windows_for(self, service: str) -> Windows | None:
        return next((windows for windows in self.windows if service in windows.services), None)


class AppointmentsFile(_Written):
    rules: Rules = Field(default_factory=Rules)
    services: tuple[Service, ...] = ()
    halls: tuple[Hall, ...] = ()

    def service(self, code: str) -> Service | None:
        return next((one for one in self.services if one.code == code), None)

    def hall(self, code: str) -> Hall | None:
        return next((one for one in self.halls if one.code == code), None)

    def halls_for(self, service: str) -> tuple[Hall, ...]:
        return tuple(hall for hall in self.halls if hall.windows_for(service) is not None)


@dataclass(frozen=True)
class Person:
    """Who comes: a phone or identity card number in canonical form, and a name where one was given."""

    kind: Literal["phone", "id_card"]
    number: str
    name: str | None = None


class Opening(BaseModel):
    """One hour of a hall's windows for a service; moments in UTC."""

    hall: str
    hall_name: str
    windows: str
    start_at: datetime
    end_at: datetime
    capacity: int
    free: int


class AppointmentOut(BaseModel):
    """An appointment as a person reads it. `code` is for the citizen whose it is, None for everybody else; `displaced`
    means that the hall is closed at its time now, so that it has to be moved."""

    no: str
    status: Status
    service: str
    service_name: str
    hall: str
    hall_name: str
    address: str
    windows: str
    start_at: datetime
    end_at: datetime
    person: str
    name: str | None = None
    origin: str
    booked_at: datetime
    bring: str = ""
    code: str | None = None
    displaced: bool = False


class WaitingOut(BaseModel):
    """A place in the waiting list; `ahead` people stand before it. `appointment` is set when it was filled at once."""

    service: str
    service_name: str
    hall: str
    hall_name: str
    from_at: datetime
    until_at: datetime
    status: Literal["waiting", "filled", "cancelled", "expired"]
    ahead: int
    appointment: AppointmentOut | None = None


class HallOut(BaseModel):
    code: str
    name: str
    address: str
    services: list[str]


class ServiceOut(BaseModel):
    code: str
    name: str
    department: str | None
    bring: str
    halls: list[str]


class Offer(BaseModel):
    """What can be booked in this city."""

    services: list[ServiceOut]
    halls: list[HallOut]


class DayList(BaseModel):
    hall: str
    hall_name: str
    day: date
    booked: int
    checked_in: int
    served: int
    no_show: int
    waiting: int
    appointments: list[AppointmentOut]


class WaitingPerson(BaseModel):
    """Somebody in the waiting list of a hall, as its clerks see them; the first is the next."""

    service_name: str
    person: str
    name: str | None = None
    from_at: datetime
    until_at: datetime
    since: datetime


class BookIn(BaseModel):
    """A booking by staff on a citizen's behalf. `request_id` makes a repeated request the first one."""

    service: str = Field(max_length=64)
    hall: str = Field(max_length=64)
    start_at: Moment
    phone: str = Field(pattern=r"^1[3-9]\d{9}$")
    name: str | None = Field(None, min_length=1, max_length=40)
    request_id: RequestId


class MoveIn(BaseModel):
    start_at: Moment
    hall: str | None = Field(None, max_length=64)
    request_id: RequestId


class CancelIn(BaseModel):
    request_id: RequestId


class CodeIn(BaseModel):
    code: str = Field(min_length=1, max_length=40)
