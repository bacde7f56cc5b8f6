"""An appointment desk over each database, with the demo city applied and a clock that stands still."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services
from services.accounts.schemas import StaffUser
from services.appointments import service as appointments
from services.appointments.events import AppointmentNews
from services.appointments.models import Appointment, Slot, WaitingEntry
from services.appointments.schemas import AppointmentOut, Person, WaitingOut
from services.appointments.tasks import Swept, sweep
from services.citizens import service as citizens
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.notifications.models import StaffNotice
from services.sla import service as sla

DEMO_CITY = Path(services.__file__).parent / "demo_city"
# A Friday, one hour after opening.
FRIDAY = parse_moment("2026-11-20T10:00")
CLERK = StaffUser("li", "clerk", None)


def phone(number: int) -> Person:
    return Person("phone", f"138{number:08d}")


class Desk:
    """Each call is one committed transaction at the clock's time; `news` is what citizens were told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock(FRIDAY)
        self.secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
        self.news: list[AppointmentNews] = []
        self.keys = 0
        database.bus.on(AppointmentNews, lambda uow, event: self.news.append(event))

    def at(self, text: str) -> "Desk":
        self.clock.set(parse_moment(text))
        return self

    def apply(self, directory: Path = DEMO_CITY) -> list[Any]:
        def step(uow: Any) -> list[Any]:
            sla.apply_city(uow, directory, self.clock.now())
            return appointments.apply_city(uow, directory, self.clock.now())

        return self.database.write(step)

    def run(self, action: Callable[..., Any], **arguments: Any) -> Any:
        self.keys += 1
        given = {"key": f"test-{self.keys}", **arguments}
        return self.database.write(lambda uow: action(uow, self.secrets, now=self.clock.now(), **given))

    def book(self, who: int, start: str, **changes: Any) -> AppointmentOut:
        given = {"person": phone(who), "service": "marriage", "hall": "civil", "start_at": parse_moment(start)}
        return self.run(appointments.book, **{**given, "conversation_id": f"c{who}", **changes})

    def cancel(self, no: str, **changes: Any) -> AppointmentOut:
        return self.run(appointments.cancel, no=no, **changes)

    def move(self, no: str, start: str, **changes: Any) -> AppointmentOut:
        return self.run(appointments.reschedule, no=no, start_at=parse_moment(start), **changes)

    def wait(self, who: int, first: str, last: str, **changes: Any) -> WaitingOut:
        span = {"from_at": parse_moment(first), "until_at": parse_moment(last)}
        given = {"person": phone(who), "service": "marriage", "hall": "civil", "conversation_id": f"c{who}"}
        return self.run(appointments.join_waiting, **{**given, **span, **changes})

    def staff(self, action: Callable[..., Any], **arguments: Any) -> AppointmentOut:
        given = {"user": CLERK, "now": self.clock.now(), **arguments}
        return self.database.write(lambda uow: action(uow, self.secrets, **given))

    def want_reminders(self, *who: int) -> None:
        """These citizens asked to be reminded of appointments."""
        for number in who:
            self.database.write(
                lambda uow, citizen=f"c{number}": citizens.choose(
                    uow, citizen, ["appointment"], wanted=True, now=self.clock.now()
                )
            )

    def fill_up(self, start: str, hall: str = "civil", first: int = 1000) -> list[AppointmentOut]:
        """Book every place of an hour."""
        places = self.free(start, hall)
        return [self.book(first + number, start, hall=hall) for number in range(places)]

    def free(self, start: str, hall: str = "civil", service: str = "marriage") -> int:
        with self.database.unit_of_work(read_only=True) as uow:
            found = appointments.openings(uow, service=service, hall=hall, now=self.clock.now())
        return next(one.free for one in found if one.start_at == parse_moment(start))

    def sweep(self) -> Swept:
        return sweep(self.database, self.clock.now())

    def rows(self, model: Any, *conditions: Any) -> list[Any]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(model).where(*conditions).order_by(model.id)).all())

    def live(self, start: datetime | None = None) -> int:
        conditions = [Appointment.status == "booked"] + ([Appointment.start_at == start] if start else [])
        return len(self.rows(Appointment, *conditions))

    def notices(self) -> list[Any]:
        """What staff were told."""
        return self.rows(StaffNotice)

    def counted(self) -> bool:
        """Whether every slot's counter says exactly how many appointments it has."""
        held: dict[int, int] = {}
        for row in self.rows(Appointment, Appointment.status != "cancelled"):
            held[row.slot_id] = held.get(row.slot_id, 0) + 1
        return all(slot.booked == held.get(slot.id, 0) for slot in self.rows(Slot))

    def waiting(self) -> list[Any]:
        return self.rows(WaitingEntry, WaitingEntry.status == "waiting")


@pytest.fixture
def desk(database: Database) -> Desk:
    made = Desk(database)
    made.apply()
    return made
