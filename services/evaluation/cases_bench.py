"""Very many open cases in a PostgreSQL database of its own, and what the sweep costs there.

The cases are written by the database itself; everything that is timed is the product's own code.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from services import schema
from services.cases import repository, tasks
from services.cases.models import CaseClock
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import Database, normalise_url
from services.core.errors import BadRequest, Unavailable
from services.sla import service as sla

Progress = Callable[[int, int], None]
Say = Callable[[str], None]

BATCH = 50_000
# Clocks that are not due have their next moment within so many days from now, in no order.
AHEAD = timedelta(days=30)
IDLE_SWEEPS = 5
CONNECT_SECONDS = 5

_CASES = """
INSERT INTO cases (id, case_no, kind, department, priority, status, channel, title_encrypted, assignee, event_seq,
    cycle, reopened_count, confidential, undecided, created_at, counted_from, created_month, next_due_at,
    reply_time_unknown)
SELECT n, 'GDBENCH' || lpad(n::text, 9, '0'), (ARRAY['consultation', 'help', 'complaint', 'suggestion'])[1 + n % 4],
    (CAST(:departments AS text[]))[1 + n % array_length(CAST(:departments AS text[]), 1)], 'normal',
    (ARRAY['new', 'assigned', 'in_progress'])[1 + n % 3], 'web', :title,
    CASE WHEN n % 3 = 0 THEN NULL ELSE 'clerk' || (n % 500) END, 1, 1,
    0, false, false, :now - make_interval(mins => (n % 20000)::int), :now - make_interval(mins => (n % 20000)::int),
    :month,
    CAST(:now AS timestamptz) + make_interval(mins => (n % 40000)::int), false
FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n
"""
_EVENTS = """
INSERT INTO case_events (case_id, seq, type, actor, at, data)
SELECT n, 1, 'opened', 'citizen', :now, '{}' FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n
"""
_CLOCKS = """
INSERT INTO case_clocks (case_id, target, cycle, policy_id, policy, source, unit, state, started_at, warning_at, due_at,
    escalate_at, provisional, calendar_id, promises, counted_from, counted_why, next_check_at)
SELECT n, 'first_response', 1, :policy_id, 'bench', 'bench', 'working_days', 'running', :now, at, at + interval '1 day',
    at + interval '6 days', false, :calendar_id, CAST(:promises AS json), :now, 'opened', at
FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n,
    LATERAL (SELECT CAST(:now AS timestamptz) + make_interval(secs => 60 + (n * 7919) % :ahead) AS at) AS moment
"""
# Every so-and-so-many-th case of a range: those that are due lie anywhere in the tables.
_DUE = """
UPDATE case_clocks SET warning_at = :now - interval '2 minutes' - make_interval(secs => (case_id % 60)::int),
    next_check_at = :now - interval '2 minutes' - make_interval(secs => (case_id % 60)::int)
WHERE case_id IN (SELECT CAST(:low AS bigint) + i * :step FROM generate_series(0, CAST(:due AS bigint) - 1) AS i)
"""


@contextmanager
def scratch_database(server: str) -> Iterator[Database]:
    """A new database on the PostgreSQL server of the address `server`, dropped at the end.

    Raises BadRequest for another kind of address, Unavailable when the server cannot be reached.
    """
    url = make_url(normalise_url(server))
    if url.get_backend_name() != "postgresql":
        raise BadRequest("需要 PostgreSQL 地址：用 --server 或 DATABASE_URL 指定")
    name = f"huiying_bench_{uuid.uuid4().hex[:12]}"
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError:
        raise Unavailable("连接不上 PostgreSQL") from None
    with connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        database = Database(url.set(database=name).render_as_string(hide_password=False))
        try:
            yield database
        finally:
            database.dispose()
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def measure(
    server: str,
    city: Path,
    sizes: Sequence[int],
    due: int,
    *,
    now: datetime,
    say: Say,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Rows of {open, due, find_first_ms, find_ms, sweep_s, ms_per_due, raised, idle_ms, desk_idle_ms, uses_index}, and
    their ratios.

    For each of the growing `sizes`: a tenth of `due` and then `due` cases become due and are swept. find_ms is the
    query that narrows (the fastest of five; find_first_ms the first), sweep_s all of the sweep (finding, locking,
    looking again, raising with events and outbox rows), idle_ms a sweep with nothing to do, desk_idle_ms the other jobs
    of the worker with nothing to do.
    """
    rows: list[dict[str, Any]] = []
    with scratch_database(server) as database:
        schema.upgrade(database)
        with database.unit_of_work() as uow:
            sla.apply_city(uow, city, now)
            uow.commit()
        filled = 0
        for size in sorted(sizes):
            began = perf_counter()
            _fill(database, filled + 1, size, now, progress)
            say(f"{size} open cases, written in {perf_counter() - began:.0f} s")
            # Each of the two has its own half of what is new.
            middle = (filled + size) // 2
            for number, first, last in ((due // 10, filled + 1, middle), (due, middle + 1, size)):
                rows.append({"open": size, **_sweep_once(database, first, last, number, now)})
                say(" · ".join(f"{name} {value}" for name, value in rows[-1].items()))
            filled = size
    return {"rows": rows, "ratios": _ratios(rows)}


def _fill(database: Database, low: int, high: int, now: datetime, progress: Progress | None) -> None:
    secrets = Secrets(["a-key-of-the-bench-that-protects-nothing"])
    with database.unit_of_work(read_only=True) as uow:
        departments = [department.name for department in sla.departments(uow)]
        policies = sla.find_policies(uow)
        calendar_id = sla.load_calendars(uow).version_id
    assert policies is not None, "the city has been applied"
    promise: dict[str, Any] = {"policy_id": policies.rows[0].id, "since": now.isoformat(), "why": "opened"}
    promise |= {"pauses": [], "extensions": []}
    values = {
        "now": now,
        "departments": departments,
        "title": secrets.encrypt("小区门口的路灯坏了一个星期，晚上很黑"),
        "month": now.astimezone(SHANGHAI).strftime("%Y-%m"),
        "policy_id": policies.rows[0].id,
        "calendar_id": calendar_id,
        "promises": json.dumps([promise]),
        "ahead": int(AHEAD.total_seconds()),
    }
    for start in range(low, high + 1, BATCH):
        end = min(start + BATCH - 1, high)
        part = {**values, "low": start, "high": end}
        with database.engine.begin() as connection:
            for statement in (_CASES, _EVENTS, _CLOCKS):
                connection.execute(sa.text(statement), part)
        if progress is not None:
            progress(end, high)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def _sweep_once(database: Database, low: int, high: int, due: int, now: datetime) -> dict[str, Any]:
    """Let `due` of the cases low..high become due, and sweep."""
    with database.engine.begin() as connection:
        spread = {"low": low, "step": (high - low + 1) // due, "due": due, "now": now}
        changed = connection.execute(sa.text(_DUE), spread).rowcount

    def find() -> None:
        with database.unit_of_work(read_only=True) as uow:
            found = len(repository.due_clock_ids(uow.session, now, due * 2))
        if found != changed:
            raise AssertionError(f"{changed} cases are due, {found} were found")

    began = perf_counter()
    find()
    first_find = perf_counter() - began
    found_ms = round(_fastest(find), 1)
    began = perf_counter()
    swept = tasks.sweep(database, now, limit=due * 2)
    total = perf_counter() - began
    if swept.raised != changed or swept.failed:
        raise AssertionError(f"{changed} cases are due, {swept.raised} were raised and {swept.failed} failed")
    return {
        "due": changed,
        "find_first_ms": round(first_find * 1000, 1),
        "find_ms": found_ms,
        "sweep_s": round(total, 2),
        "ms_per_due": round(total / changed * 1000, 3),
        "raised": swept.raised,
        "idle_ms": round(_fastest(lambda: tasks.sweep(database, now)), 1),
        "desk_idle_ms": round(_fastest(lambda: _other_jobs(database, now)), 1),
        "uses_index": _uses_index(database, now, due),
    }


def _other_jobs(database: Database, now: datetime) -> None:
    for job in (tasks.end_waits, tasks.deal_queues, tasks.recompute_stale):
        job(database, now)


def _fastest(action: Callable[[], object]) -> float:
    """Milliseconds of the fastest of a few runs."""
    times = []
    for _ in range(IDLE_SWEEPS):
        began = perf_counter()
        action()
        times.append((perf_counter() - began) * 1000)
    return min(times)


def _uses_index(database: Database, now: datetime, limit: int) -> bool:
    """Whether the narrowing query reads what is due from the index of the next moments, instead of all clocks."""
    query = sa.select(CaseClock.id).where(CaseClock.next_check_at < now)
    query = query.order_by(CaseClock.next_check_at, CaseClock.id).limit(limit)
    compiled = query.compile(database.engine, compile_kwargs={"literal_binds": False})
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql("EXPLAIN " + str(compiled), compiled.params).scalars().all()
    return any("ix_case_clocks_next_check_at" in line for line in plan)


def _ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How the cost grows with what is open (same number due, largest size to smallest) and with what is due."""
    most = max(row["due"] for row in rows)
    full = [row for row in rows if row["due"] == most]
    small, large = full[0], full[-1]
    few = next(row for row in rows if row["open"] == large["open"] and row["due"] != most)
    return {
        "open": round(large["open"] / small["open"], 2),
        "find_by_open": round(large["find_ms"] / small["find_ms"], 2),
        "sweep_by_open": round(large["sweep_s"] / small["sweep_s"], 2),
        "due": round(large["due"] / few["due"], 2),
        "sweep_by_due": round(large["sweep_s"] / few["sweep_s"], 2),
    }
