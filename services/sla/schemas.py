"""The city's files as they are written, and the values that the sla service hands out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.core.clock import EARLIEST, LATEST
from services.core.wire import Day, whole
from services.sla.calendar import MINUTES_OF_DAY, WorkingCalendar
from services.sla.policies import SEVERAL_DEPARTMENTS, UNASSIGNED, Kind, Limit, Priority, Target, Unit

Name = Annotated[str, Field(min_length=1, max_length=64)]


class Written(BaseModel):
    """A part of a city file: an unknown field is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PolicyIn(Written):
    target: Target
    limit: int = Field(ge=1, le=60 * 24 * 366)
    unit: Unit
    kind: Kind | None = None
    department: Name | None = None
    priority: Priority | None = None
    channel: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    warning_share: float = Field(0.8, gt=0, le=1)
    calendar: Name | None = None
    source: str = Field(min_length=2)

    @model_validator(mode="after")
    def _within_reach(self) -> "PolicyIn":
        if self.unit == "working_days" and self.limit > 366:
            raise ValueError("a limit of more than 366 working days")
        return self

    def condition(self) -> tuple[str | None, ...]:
        return (self.target, self.kind, self.department, self.priority, self.channel)


class PolicySetIn(Written):
    name: Name
    default: bool = False
    rows: list[PolicyIn] = Field(min_length=1)

    @model_validator(mode="after")
    def _unambiguous(self) -> "PolicySetIn":
        conditions = [row.condition() for row in self.rows]
        for index, condition in enumerate(conditions):
            if condition in conditions[:index]:
                raise ValueError(f"row {index} repeats the conditions of row {conditions.index(condition)}")
        return self


class PoliciesFile(Written):
    policies: list[PolicySetIn] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_default(self) -> "PoliciesFile":
        names = [policy.name for policy in self.policies]
        if len(set(names)) != len(names):
            raise ValueError("two policies have the same name")
        if sum(policy.default for policy in self.policies) != 1:
            raise ValueError("exactly one policy must have default: true")
        return self


def _minute_of_day(value: object) -> object:
    if isinstance(value, int):
        # YAML 1.1 reads an unquoted 9:00 as the number 540, which would hide a mistake such as 9:75.
        raise ValueError('write the time of day in quotes, as "09:00"')
    if not isinstance(value, str):
        raise ValueError('expected a time of day as "09:00"')
    hour, minute = (whole(part) for part in (*value.split(":", 1), "")[:2])
    if hour is None or minute is None or len(value.partition(":")[2]) != 2 or minute >= 60:
        raise ValueError('expected a time of day as "09:00"')
    minutes = hour * 60 + minute
    if minutes > MINUTES_OF_DAY:
        raise ValueError("a day ends at 24:00")
    return minutes


class SpanIn(Written):
    start: Annotated[int, BeforeValidator(_minute_of_day)]
    end: Annotated[int, BeforeValidator(_minute_of_day)]

    @model_validator(mode="after")
    def _forward(self) -> "SpanIn":
        if self.start >= self.end:
            raise ValueError("working time must start before it ends")
        return self


class CalendarDayIn(Written):
    day: Day
    working: bool
    hours: list[SpanIn] | None = Field(None, min_length=1)
    source: str = Field(min_length=2)


class ShiftIn(Written):
    """Hours of duty that are the same on every day of the year, such as 7x24 or 8-24."""

    name: Name
    hours: list[SpanIn] = Field(min_length=1)


class CalendarFile(Written):
    source: str = Field(min_length=2)
    hours: list[SpanIn] = Field(min_length=1)
    announced_years: list[Annotated[int, Field(ge=EARLIEST.year, le=LATEST.year)]] = []
    days: list[CalendarDayIn] = []
    shifts: list[ShiftIn] = []

    @model_validator(mode="after")
    def _each_shift_once(self) -> "CalendarFile":
        names = [shift.name for shift in self.shifts]
        if len(set(names)) != len(names):
            raise ValueError("two shifts have the same name")
        return self

    @model_validator(mode="after")
    def _each_day_once(self) -> "CalendarFile":
        days = [entry.day for entry in self.days]
        for index, day in enumerate(days):
            if day in days[:index]:
                raise ValueError(f"{day} is listed twice")
        return self


class DepartmentIn(Written):
    name: Name
    short_name: Annotated[str, Field(min_length=1, max_length=32)]
    aliases: list[Name] = []
    duty: bool = False


class DepartmentsFile(Written):
    departments: list[DepartmentIn] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_name_once(self) -> "DepartmentsFile":
        names = [department.name for department in self.departments]
        for index, name in enumerate(names):
            if name in (UNASSIGNED, SEVERAL_DEPARTMENTS):
                raise ValueError(f"{name} is no department")
            if name in names[:index]:
                raise ValueError(f"{name} is listed twice")
        if not any(department.duty for department in self.departments):
            raise ValueError("at least one department must have duty: true, it hears of urgent cases")
        return self


class MemberIn(Written):
    """A clerk of a queue: `skills` are kinds (none: all), `weekdays` 1 to 7 (none: every day of the shift)."""

    name: Name
    skills: list[Kind] = []
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = []
    capacity: int = Field(50, ge=1, le=10_000)


class QueueIn(Written):
    """Who serves a department's queue, in which hours, and whether cases are dealt out or taken."""

    department: Name
    shift: Name | None = None
    assign: Literal["claim", "round_robin"] = "claim"
    members: list[MemberIn] = Field(min_length=1)


class AlarmIn(Written):
    """Danger to life: within how many minutes (by the wall clock) somebody says 已收到, and how often the next on duty
    and the supervisors are called when nobody does."""

    acknowledge_within: int = Field(3, ge=1, le=60)
    steps: int = Field(3, ge=1, le=10)
    source: str = Field("系统默认规则", min_length=2)


class RosterFile(Written):
    queues: list[QueueIn] = []
    alarm: AlarmIn = Field(default_factory=AlarmIn)

    @model_validator(mode="after")
    def _each_queue_once(self) -> "RosterFile":
        names = [queue.department for queue in self.queues]
        if len(set(names)) != len(names):
            raise ValueError("two queues are of the same department")
        return self


class LimitIn(Written):
    limit: int = Field(ge=1, le=60 * 24 * 366)
    unit: Unit


def _days(limit: int) -> LimitIn:
    return LimitIn(limit=limit, unit="working_days")


class DeskFile(Written):
    """Rules of the case desk: how long a transfer may be returned, a citizen is waited for, a settled case reopened."""

    return_within: LimitIn = Field(default_factory=lambda: _days(1))
    hold_within: LimitIn = Field(default_factory=lambda: _days(10))
    reopen_within: LimitIn = Field(default_factory=lambda: _days(15))
    press_every: LimitIn = Field(default_factory=lambda: LimitIn(limit=60, unit="working_minutes"))
    extensions: int = Field(1, ge=0, le=10)
    extension_days: int = Field(15, ge=1, le=366)
    confidential_readers: list[Name] = []
    confidential_supervisors: list[Name] = []
    reveals_per_hour: int = Field(20, ge=0, le=1000)
    report_times: list[Annotated[int, BeforeValidator(_minute_of_day)]] = Field([9 * 60, 17 * 60], min_length=2)
    source: str = "系统默认规则"


@dataclass(frozen=True)
class Department:
    """A department; `duty` marks one that hears of urgent and unassigned cases."""

    name: str
    short_name: str
    aliases: tuple[str, ...]
    duty: bool


@dataclass(frozen=True)
class AppliedDocument:
    """What `apply_city` did with one document; `changed` is False when the same content was there already."""

    document: str
    name: str
    version: int
    changed: bool


@dataclass(frozen=True)
class DueTimes:
    """The moments of one target, in UTC, with the policy (name and version) and the source of its limit."""

    due_at: datetime
    warning_at: datetime
    provisional: bool
    policy: str
    source: str


@dataclass(frozen=True)
class Calendars:
    """The office hours and the duty shifts by name, with the id of the version that they come from."""

    version_id: int
    office: WorkingCalendar
    shifts: Mapping[str, WorkingCalendar]

    def of(self, name: str | None) -> WorkingCalendar:
        """The shift of that name; the office hours for None, and for a shift that the city has taken away."""
        return self.shifts.get(name, self.office) if name is not None else self.office


@dataclass(frozen=True)
class DeskRules:
    """The city's rules of the case desk; `report_minutes` are minutes of the day in Asia/Shanghai, in order."""

    return_within: Limit
    hold_within: Limit
    reopen_within: Limit
    press_every: Limit
    extensions: int
    extension_days: int
    confidential_readers: tuple[str, ...]
    confidential_supervisors: tuple[str, ...]
    reveals_per_hour: int
    report_minutes: tuple[int, ...]

    @property
    def named_for_tip_offs(self) -> frozenset[str]:
        """The accounts that may know of every confidential case: those who work on them, and who sees that they do."""
        return frozenset([*self.confidential_readers, *self.confidential_supervisors])
