"""Bindings over each database, with conversations that hear of reminders and departmental systems made of dicts."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.bindings import service as bindings
from services.bindings.models import Binding
from services.bindings.schemas import BindingKind, SystemAway
from services.bindings.tasks import Scanned, scan
from services.citizens import service as citizens
from services.citizens.schemas import ReminderKind
from services.container import build_container
from services.conversations.models import Message
from services.core.clock import FixedClock, parse_moment
from services.core.database import Database
from services.core.settings import Settings

MONDAY = parse_moment("2026-11-16T10:00")
VALUES: dict[BindingKind, dict[str, str]] = {
    "plate": {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"},
    "licence": {"id_card": "002X", "license_file_no": "440300123456"},
    "household": {"bill_kind": "水费", "household_no": "80013327"},
    "matter": {"case_no": "BJ202608150021", "phone_tail": "6125"},
}


def violation(day: str, handled: bool = False) -> dict[str, Any]:
    return {"at": f"{day}T08:12:00+08:00", "place": "湖滨路", "behaviour": "违停", "points": 0, "fine": "200.00",
            "handled": handled}  # fmt: skip


def bill(period: str, due: str, paid: bool = False) -> dict[str, Any]:
    return {"period": period, "amount": "35.00", "paid": paid, "due": due}


class Systems:
    """Answers by kind; `away` are down. A citizen's plate or household may have an answer of its own."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.away: set[str] = set()
        self.asked: list[str] = []
        self.after_asking: Any = None

    async def __call__(self, kind: str, parameters: Mapping[str, str]) -> dict[str, Any] | None:
        self.asked.append(kind)
        await asyncio.sleep(0)
        if self.after_asking is not None:
            self.after_asking()
        if kind in self.away:
            raise SystemAway("down")
        return self.answers.get(kind)


class Town:
    def __init__(self, database: Database, tmp_path: Any) -> None:
        settings = Settings.model_validate(
            {"HUIYING_VAR": tmp_path, "database_url": database.url, "secret_keys": "k" * 40}
        )
        self.clock = FixedClock(MONDAY)
        self.container = build_container(settings, self.clock)
        self.database = self.container.database
        self.secrets = self.container.secrets
        self.systems = Systems()

    def citizen(self) -> str:
        def step(uow: Any) -> str:
            return self.container.conversations.open(uow, channel="web", now=self.clock.now()).conversation_id

        return self.database.write(step)

    def bind(self, citizen: str, kind: BindingKind, *reminders: ReminderKind, **changes: str) -> int:
        def step(uow: Any) -> int:
            values = {**VALUES[kind], **changes}
            made = bindings.bind(
                uow,
                self.secrets,
                citizen=citizen,
                kind=kind,
                values=values,
                masked="粤B7**92",
                phone_hash="p",
                consent_at=self.clock.now(),
                now=self.clock.now(),
            )
            if reminders:
                citizens.choose(uow, citizen, reminders, wanted=True, now=self.clock.now())
            assert made is not None
            return made.id

        return self.database.write(step)

    def scan(self, owner: str = "w1", **options: Any) -> Scanned:
        given = {"batch": 3, **options}
        return asyncio.run(scan(self.database, self.secrets, self.systems, self.clock.now, owner, **given))

    def again(self, hours: float = 7) -> Scanned:
        """The next round, so many hours later."""
        self.clock.advance(timedelta(hours=hours))
        return self.scan()

    def told(self, citizen: str) -> list[str]:
        """The reminders in this citizen's conversation."""
        with self.database.unit_of_work(read_only=True) as uow:
            said = self.container.conversations.transcript(uow, citizen)
        return [message.text for message in said if message.sender == "system"]

    def rows(self, model: Any) -> list[Any]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(model)).all())

    def reminders(self) -> list[Any]:
        """The messages that are reminders."""
        return [row for row in self.rows(Message) if (row.dedupe_key or "").startswith("reminder:")]

    def binding(self, binding_id: int) -> Binding:
        return next(row for row in self.rows(Binding) if row.id == binding_id)


@pytest.fixture
def town(database: Database, tmp_path: Any) -> Iterator[Town]:
    made = Town(database, tmp_path)
    yield made
    made.database.dispose()
    made.container.signals.close()


@pytest.fixture
def postgres_town(postgres: Database, tmp_path: Any) -> Iterator[Town]:
    made = Town(postgres, tmp_path)
    yield made
    made.database.dispose()
    made.container.signals.close()
