"""A case desk over each database, with the demo city applied and a clock that stands still."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases.events import CaseNews
from services.cases.schemas import CaseOut
from services.cases.tasks import Swept, sweep
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.events import Event
from services.notifications.models import StaffNotice
from services.sla import service as sla

DEMO_CITY = Path(services.__file__).parent / "demo_city"
# A Friday, one hour after opening.
FRIDAY = parse_moment("2026-11-20T10:00")
POLICE, CIVIL = "市公安局交通警察支队", "市民政局"


class Recorder:
    """Hears every event that the case desk tells."""

    def __init__(self, database: Database) -> None:
        self.heard: list[Event] = []
        for kind in CaseNews.__subclasses__():
            database.bus.on(kind, self._hear)

    def _hear(self, uow: UnitOfWork, event: Event) -> None:
        self.heard.append(event)

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.heard]


class Desk:
    """Each call is one committed transaction at the clock's time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock(FRIDAY)
        self.secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
        self.recorder = Recorder(database)
        self.li = StaffUser("li", "clerk", None)
        self.wang = StaffUser("wang", "clerk", None)
        self.officer = StaffUser("officer", "clerk", POLICE)
        self.social = StaffUser("social", "clerk", CIVIL)
        self.boss = StaffUser("boss", "supervisor", None)

    def at(self, text: str) -> "Desk":
        self.clock.set(parse_moment(text))
        return self

    def run(self, action: Callable[..., Any], **arguments: Any) -> Any:
        with self.database.unit_of_work() as uow:
            result = action(uow, self.secrets, **{"now": self.clock.now(), **arguments})
            uow.commit()
        return result

    def apply_city(self, directory: Path = DEMO_CITY) -> None:
        with self.database.unit_of_work() as uow:
            sla.apply_city(uow, directory, self.clock.now())
            uow.commit()

    def open(self, **arguments: Any) -> CaseOut:
        values = {"kind": "consultation", "title": "想问一件事", "channel": "web", **arguments}
        now = values.pop("now", self.clock.now())
        with self.database.unit_of_work() as uow:
            opened = cases.open_case(uow, self.secrets, cases.NewCase(**values), now=now)
            uow.commit()
        return opened

    def do(self, action: Callable[..., Any], case_no: str, user: StaffUser, **arguments: Any) -> CaseOut:
        done: CaseOut = self.run(action, case_no=case_no, user=user, **arguments)
        return done

    def detail(self, case_no: str, user: StaffUser | None = None) -> Any:
        return self.run(cases.get_case, case_no=case_no, user=user or self.boss)

    def events(self, case_no: str) -> list[str]:
        return [event.type for event in self.detail(case_no).events]

    def sweep(self) -> Swept:
        return sweep(self.database, self.clock.now())

    def outbox(self) -> list[tuple[str, str]]:
        """(kind, recipient) of everything that staff were told, in order."""
        with self.database.unit_of_work(read_only=True) as uow:
            rows = uow.session.execute(sa.select(StaffNotice.kind, StaffNotice.recipient).order_by(StaffNotice.id))
            return [(kind, recipient) for kind, recipient in rows]

    def count(self, table: type[Any]) -> int:
        with self.database.unit_of_work(read_only=True) as uow:
            return uow.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def report(self, **arguments: Any) -> dict[str, Any]:
        values = {"start": None, "end": None, "now": self.clock.now(), **arguments}
        with self.database.unit_of_work(read_only=True) as uow:
            return cases.report(uow, **values)


@pytest.fixture
def bare_desk(database: Database) -> Desk:
    """A desk of a city that has configured nothing yet."""
    return Desk(database)


@pytest.fixture
def desk(database: Database) -> Desk:
    made = Desk(database)
    made.apply_city()
    return made


@pytest.fixture
def postgres_desk(postgres: Database) -> Desk:
    made = Desk(postgres)
    made.apply_city()
    return made
