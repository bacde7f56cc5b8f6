"""The job that deletes what is past its time: in bounded batches, each a transaction with its row in the audit trail.

Broken off it goes on where it stopped, for what is deleted is gone and what is not is found again; two workers at once
find the same rows, and the second deletes nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from services.core import audit
from services.core.database import Database, UnitOfWork
from services.retention import repository as repo
from services.retention.service import load_rules

BATCH = 500
# Of one round and kind; more is left for the next one.
MOST_BATCHES = 200

Step = Callable[[UnitOfWork], int]


def keep(
    database: Database,
    now: datetime,
    open_statuses: Sequence[str],
    *,
    go_on: Callable[[], bool] = lambda: True,
    batch: int = BATCH,
) -> dict[str, int]:
    """Delete everything past its retention; {kind: rows}. What belongs to a case with one of `open_statuses` stays."""
    with database.unit_of_work(read_only=True) as uow:
        rules = load_rules(uow)
    past = {name: now - timedelta(days=kept.days) for name, kept in rules}
    kinds: Sequence[tuple[str, Step]] = (
        ("identifiers", lambda uow: repo.delete_identifiers(uow.session, past["identifiers"], open_statuses, batch)),
        ("files", lambda uow: repo.delete_files(uow.session, past["files"], open_statuses, batch)),
        ("messages", lambda uow: repo.delete_messages(uow.session, past["messages"], open_statuses, batch)),
        ("tokens", lambda uow: repo.end_tokens(uow.session, past["tokens"], batch)),
        ("tokens", lambda uow: repo.delete_sessions(uow.session, past["tokens"], batch)),
        ("notices", lambda uow: repo.delete_notices(uow.session, past["notices"], batch)),
        ("audit", lambda uow: repo.delete_audit(uow.session, past["audit"], batch)),
    )
    totals: dict[str, int] = {}
    for kind, step in kinds:
        for _ in range(MOST_BATCHES):
            if not go_on():
                return totals
            taken = database.write(partial(_batch, kind=kind, step=step, now=now))
            totals[kind] = totals.get(kind, 0) + taken
            if taken < batch:
                break
    return totals


def _batch(uow: UnitOfWork, *, kind: str, step: Step, now: datetime) -> int:
    taken = step(uow)
    if taken:
        audit.record(uow, actor="system", action="retention.delete", subject=kind, detail={"rows": taken}, now=now)
    return taken
