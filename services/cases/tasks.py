"""The sweep: raises warnings, breaches and escalations whose moment has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.cases import repository, timekeeping
from services.core.database import Database

log = structlog.get_logger(__name__)

NARROW_LIMIT = 10_000
PER_TRANSACTION = 50


@dataclass(frozen=True)
class Swept:
    """`due` clocks were found, `raised` levels were new, `failed` clocks wait for the next sweep."""

    due: int
    raised: int
    failed: int


def sweep(database: Database, now: datetime, *, limit: int = NARROW_LIMIT) -> Swept:
    """Look at the clocks that are due at `now`, oldest first; safe to run in any number of workers at once.

    The first query only narrows. Each group of clocks is then locked and looked at again, so an answer that came in
    between wins; a case that somebody else has locked is left for the next sweep.
    """
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.due_clock_ids(uow.session, now, limit)
    raised = failed = 0
    for start in range(0, len(ids), PER_TRANSACTION):
        group = ids[start : start + PER_TRANSACTION]
        try:
            raised += _look_again(database, group, now)
        except SQLAlchemyError as error:
            log.warning("sweep falls back to single clocks", kind=type(error).__name__)
            for clock_id in group:
                try:
                    raised += _look_again(database, [clock_id], now)
                except SQLAlchemyError as single:
                    failed += 1
                    log.error("clock not swept", clock=clock_id, kind=type(single).__name__)
    return Swept(len(ids), raised, failed)


def _look_again(database: Database, ids: Sequence[int], now: datetime) -> int:
    with database.unit_of_work() as uow:
        pairs = repository.lock_clocks(uow.session, ids, now)
        raised = sum(len(timekeeping.raise_levels(uow, case, clock, now)) for case, clock in pairs)
        uow.commit()
    return raised
