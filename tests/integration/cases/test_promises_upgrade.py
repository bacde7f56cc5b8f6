"""Clocks of the version before keep what they had promised, on both databases."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

import services
from services import schema
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases import tasks
from services.core.clock import parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.sla import service as sla

DEMO_CITY = Path(services.__file__).parent / "demo_city"
BEFORE = "0011"
SECRETS = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
BOSS = StaffUser("boss", "supervisor", None)
POLICE, CIVIL = "市公安局交通警察支队", "市民政局"
OPENED, RAISED = parse_moment("2026-11-20T10:00"), parse_moment("2026-11-20T15:00")


class Earlier:
    """A database at the revision before, with the demo city applied, filled by its own statements."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.unit_of_work() as uow:
            sla.apply_city(uow, DEMO_CITY, OPENED)
            uow.commit()
        kept = {table: self._rows(table) for table in ("city_versions", "sla_policies", "departments")}
        schema.METADATA.drop_all(database.engine)
        with database.engine.begin() as connection:
            command.upgrade(schema._config(connection), BEFORE)
        self.tables = sa.MetaData()
        self.tables.reflect(database.engine)
        for table, rows in kept.items():
            for row in rows:
                self.add(table, **row)
            if not database.is_sqlite:
                with database.engine.begin() as connection:
                    connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)"))

    def _rows(self, table: str) -> list[dict[str, Any]]:
        with self.database.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(schema.METADATA.tables[table])).mappings()]

    def add(self, table: str, **values: Any) -> None:
        typed = {
            name: schema.METADATA.tables[table].c[name].type
            for name in values
            if name in schema.METADATA.tables[table].c
        }
        columns = [sa.column(name, typed.get(name, sa.JSON())) for name in values]
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(sa.table(table, *columns)).values(**values))

    def policy(self, **conditions: Any) -> int:
        rows = self.tables.tables["sla_policies"]
        wanted = [rows.c[name] == value for name, value in conditions.items()]
        with self.database.engine.connect() as connection:
            return int(connection.scalars(sa.select(rows.c.id).where(*wanted)).one())

    def case(self, number: int, **values: Any) -> str:
        given = {
            "id": number, "case_no": f"GD2026112000{number:03d}", "kind": "consultation", "department": CIVIL,
            "priority": "normal", "status": "in_progress", "channel": "web", "title_encrypted": SECRETS.encrypt("t"),
            "event_seq": 1, "cycle": 1, "reopened_count": 0, "confidential": False, "undecided": False,
            "created_at": OPENED, "created_month": "2026-11", "reply_time_unknown": False, **values,
        }  # fmt: skip
        self.add("cases", **given)
        self.event(number, 1, "opened", OPENED)
        return str(given["case_no"])

    def event(self, case_id: int, seq: int, kind: str, at: datetime, **data: Any) -> None:
        self.add("case_events", case_id=case_id, seq=seq, type=kind, actor="boss", at=at, data=data)

    def clock(self, case_id: int, policy_id: int, due_at: datetime, **values: Any) -> None:
        given = {
            "case_id": case_id, "target": "first_response", "cycle": 1, "policy_id": policy_id, "policy": "示范政策 v1",
            "source": "s", "unit": "working_days", "state": "running", "started_at": OPENED, "warning_at": due_at,
            "due_at": due_at, "escalate_at": due_at, "provisional": False, "calendar_id": 0, "pauses": [],
            "extensions": [], "next_check_at": due_at, **values,
        }  # fmt: skip
        self.add("case_clocks", **given)

    def upgrade(self) -> None:
        schema.upgrade(self.database)

    def clocks(self, case_no: str) -> Any:
        with self.database.unit_of_work(read_only=True) as uow:
            return cases.get_case(uow, SECRETS, case_no=case_no, user=BOSS, now=RAISED).clocks


@pytest.fixture
def earlier(database: Database) -> Earlier:
    return Earlier(database)


def recomputed(earlier: Earlier, at: str) -> Callable[[str], Any]:
    """The clocks after a calendar with one more day of next year was applied."""
    tasks.recompute_stale(earlier.database, parse_moment(at))
    return earlier.clocks


def test_a_raised_clock_of_before_is_counted_from_the_danger_also_when_the_calendar_changes(
    earlier: Earlier, tmp_path: Path
) -> None:
    urgent = earlier.policy(priority="urgent", target="first_response")
    case_no = earlier.case(1, priority="urgent", event_seq=2, next_due_at=parse_moment("2026-11-20T15:15"))
    earlier.event(1, 2, "raised", RAISED)
    # It had waited before; the version before would have lengthened the urgent limit by that.
    wait = [parse_moment("2026-11-20T11:00").isoformat(), parse_moment("2026-11-20T11:30").isoformat()]
    earlier.clock(1, urgent, parse_moment("2026-11-20T15:15"), unit="minutes", pauses=[wait])
    earlier.upgrade()
    (clock,) = earlier.clocks(case_no)
    assert (clock.counted_from, clock.counted_why) == (RAISED, "raised")
    city = shutil.copytree(DEMO_CITY, tmp_path / "city")
    calendar = city / "calendar.yaml"
    added = "days:\n  - {day: 2027-03-03, working: false, source: 测试}"
    calendar.write_text(calendar.read_text(encoding="utf-8").replace("days: []", added), encoding="utf-8")
    with earlier.database.unit_of_work() as uow:
        sla.apply_city(uow, city, RAISED)
        uow.commit()
    (clock,) = recomputed(earlier, "2026-11-20T15:05")(case_no)
    assert clock.due_at == parse_moment("2026-11-20T15:15")


def test_waits_extensions_rounds_and_misses_of_before_are_carried_over(earlier: Earlier) -> None:
    help_row = earlier.policy(kind="help", target="first_response")
    case_no = earlier.case(2, kind="help", cycle=2, reopened_count=1, department=POLICE, event_seq=4)
    missed, moved = parse_moment("2026-11-27T17:00"), parse_moment("2026-11-30T09:00")
    reopened, due = parse_moment("2026-12-01T09:00"), parse_moment("2026-12-10T17:00")
    earlier.event(2, 2, "transferred", moved, **{"from": CIVIL, "to": POLICE})
    earlier.event(2, 3, "resolved", moved)
    earlier.event(2, 4, "reopened", reopened)
    earlier.clock(2, help_row, missed, state="breached", stopped_at=moved, next_check_at=None)
    wait = [parse_moment("2026-12-02T09:00").isoformat(), parse_moment("2026-12-03T09:00").isoformat()]
    extended = {"pauses": [wait], "extensions": [[1, "working_days"]]}
    earlier.clock(2, help_row, due, cycle=2, started_at=reopened, **extended)
    earlier.upgrade()
    first, second = earlier.clocks(case_no)
    assert (first.department, first.counted_why) == (CIVIL, "opened")
    assert (second.department, second.counted_from, second.counted_why) == (None, reopened, "reopened")
    assert second.extended == 1
    with earlier.database.unit_of_work() as uow:
        shown = cases.transfer(
            uow, SECRETS, case_no=case_no, user=BOSS, department="多部门", reason="联合", now=reopened
        )
    # Fifteen working days from the reopening, one more, and the day that was waited.
    assert shown.next_due_at == parse_moment("2026-12-24T17:00")
