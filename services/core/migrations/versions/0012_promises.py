"""a clock stands under one or more promises, each counted from its own beginning; misses belong to a department."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.core.database import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

PER_BATCH = 1000
NEVER = "1970-01-01 00:00:00"
DEFAULTED = ("promises", "counted_from", "counted_why")

_cases = sa.table(
    "cases",
    sa.column("id", sa.BigInteger),
    sa.column("department", sa.String),
    sa.column("priority", sa.String),
    sa.column("reopened_count", sa.Integer),
    sa.column("created_at", UtcDateTime),
    sa.column("deciding_cycle", sa.Integer),
    sa.column("counted_from", UtcDateTime),
)
_clocks = sa.table(
    "case_clocks",
    sa.column("id", sa.BigInteger),
    sa.column("case_id", sa.BigInteger),
    sa.column("target", sa.String),
    sa.column("cycle", sa.Integer),
    sa.column("policy_id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("started_at", UtcDateTime),
    sa.column("due_at", UtcDateTime),
    sa.column("stopped_at", UtcDateTime),
    sa.column("pauses", sa.JSON),
    sa.column("extensions", sa.JSON),
    sa.column("round", sa.Integer),
    sa.column("promises", sa.JSON),
    sa.column("counted_from", UtcDateTime),
    sa.column("counted_why", sa.String),
    sa.column("department", sa.String),
)
_events = sa.table(
    "case_events",
    sa.column("case_id", sa.BigInteger),
    sa.column("seq", sa.Integer),
    sa.column("type", sa.String),
    sa.column("at", UtcDateTime),
    sa.column("data", sa.JSON),
)
_policies = sa.table("sla_policies", sa.column("id", sa.Integer), sa.column("priority", sa.String))


def upgrade() -> None:
    # SQLite changes a column only by writing the table anew, which rows that point to it forbid: so new columns have a
    # default, and old ones are dropped by a plain statement.
    moment = UtcDateTime(timezone=True)
    op.add_column("cases", sa.Column("deciding_cycle", sa.Integer, nullable=False, server_default="1"))
    op.add_column("cases", sa.Column("counted_from", moment, nullable=False, server_default=NEVER))
    op.execute(_cases.update().values(counted_from=_cases.c.created_at))
    op.add_column("case_clocks", sa.Column("round", sa.Integer, nullable=False, server_default="1"))
    op.add_column("case_clocks", sa.Column("promises", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("case_clocks", sa.Column("counted_from", moment, nullable=False, server_default=NEVER))
    op.add_column("case_clocks", sa.Column("counted_why", sa.String(16), nullable=False, server_default="opened"))
    op.add_column("case_clocks", sa.Column("department", sa.String(64), nullable=True))
    _carry_over(op.get_bind())
    if op.get_bind().dialect.name != "sqlite":
        for table, name in (("cases", "counted_from"), *(("case_clocks", name) for name in DEFAULTED)):
            op.alter_column(table, name, server_default=None)
    _drop("case_clocks", "pauses", "extensions")


def _drop(table: str, *names: str) -> None:
    for name in names:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")


def _carry_over(connection: sa.Connection) -> None:
    """Every clock under the one promise that it had, counted from where its due moment says that it was."""
    urgent_rows = set(connection.scalars(sa.select(_policies.c.id).where(_policies.c.priority == "urgent")))
    last = 0
    while True:
        clocks = connection.execute(
            sa.select(_clocks).where(_clocks.c.id > last).order_by(_clocks.c.id).limit(PER_BATCH)
        ).all()
        if not clocks:
            return
        last = clocks[-1].id
        ids = {clock.case_id for clock in clocks}
        cases = {row.id: row for row in connection.execute(sa.select(_cases).where(_cases.c.id.in_(ids)))}
        events: dict[int, list[Any]] = {}
        wanted = ("raised", "reopened", "transferred", "returned", "reclassified")
        for event in connection.execute(
            sa.select(_events)
            .where(_events.c.case_id.in_(ids), _events.c.type.in_(wanted))
            .order_by(_events.c.case_id, _events.c.seq)
        ):
            events.setdefault(event.case_id, []).append(event)
        for clock in clocks:
            values = _values(clock, cases[clock.case_id], events.get(clock.case_id, []), urgent_rows)
            connection.execute(_clocks.update().where(_clocks.c.id == clock.id).values(**values))


def _values(clock: Any, case: Any, events: list[Any], urgent_rows: set[int]) -> dict[str, Any]:
    reopened = [event.at for event in events if event.type == "reopened"]
    since, why = clock.started_at, "reopened" if clock.started_at in reopened else "opened"
    raised = [event.at for event in events if event.type == "raised" and event.at >= clock.started_at]
    if raised and clock.policy_id in urgent_rows and raised[-1] < clock.due_at:
        since, why = raised[-1], "raised"
    begun = sum(at <= clock.started_at for at in reopened)
    pauses = [pause for pause in clock.pauses or [] if datetime.fromisoformat(pause[1]) > since]
    promise = {
        "policy_id": clock.policy_id,
        "since": since.astimezone(UTC).isoformat(),
        "why": why,
        "pauses": pauses,
        "extensions": clock.extensions or [],
    }
    return {
        "round": min(begun, case.reopened_count) + 1,
        "promises": [promise],
        "counted_from": since,
        "counted_why": why,
        "department": _department(clock, case, events),
    }


def _department(clock: Any, case: Any, events: list[Any]) -> str | None:
    """Who had the case in hand when the target was met or missed; nobody yet while it runs."""
    if clock.state not in ("met", "breached"):
        return None
    at = clock.due_at if clock.state == "breached" else clock.stopped_at
    moves = []
    for event in events:
        data = event.data or {}
        if event.type in ("transferred", "returned"):
            moves.append((event.at, data.get("from"), data.get("to")))
        elif event.type == "reclassified" and data.get("department"):
            moves.append((event.at, *data["department"]))
    found = moves[0][1] if moves else case.department
    for moment, _, into in moves:
        if moment <= at:
            found = into
    return found


def downgrade() -> None:
    op.add_column("case_clocks", sa.Column("pauses", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("case_clocks", sa.Column("extensions", sa.JSON, nullable=False, server_default="[]"))
    connection = op.get_bind()
    for clock in connection.execute(sa.select(_clocks.c.id, _clocks.c.promises)).all():
        first = clock.promises[0]
        values = {"pauses": first["pauses"], "extensions": first["extensions"]}
        connection.execute(_clocks.update().where(_clocks.c.id == clock.id).values(**values))
    _drop("case_clocks", "department", "counted_why", "counted_from", "promises", "round")
    _drop("cases", "counted_from", "deciding_cycle")
