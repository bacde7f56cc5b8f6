"""Recomputing running clocks when the city changed: its calendar (by itself), its policies (on purpose)."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from services.cases import casefile, repository
from services.cases.life import Why
from services.core.database import Database
from services.sla import service as sla

log = structlog.get_logger(__name__)

PER_TRANSACTION = 100
# Per call of the worker: a city with very many open cases is worked off over several rounds.
PER_ROUND = 5_000


def recompute_stale(database: Database, now: datetime, *, limit: int = PER_ROUND) -> int:
    """Compute the clocks anew that run by an older version of the calendar; returns how many cases were looked at.

    This is how a provisional due time becomes a sure one: the notice of a year arrives, `city apply` makes a new
    version, and whatever still runs by the one before follows, also when a worker dies half-way.
    """
    done = after = 0
    with database.unit_of_work(read_only=True) as uow:
        current = sla.calendar_version(uow)
    while done < limit:
        with database.unit_of_work(read_only=True) as uow:
            ids = repository.stale_case_ids(uow.session, current, after, PER_TRANSACTION)
        if not ids:
            break
        after = ids[-1]
        done += _recompute(database, ids, now, "calendar")
    if done:
        log.info("clocks recomputed for a new calendar", cases=done)
    return done


def recompute_running(database: Database, now: datetime) -> int:
    """Put the current policies on all running clocks, on purpose; returns how many cases were looked at."""
    done = after = 0
    while True:
        with database.unit_of_work(read_only=True) as uow:
            ids = repository.running_case_ids(uow.session, after, PER_TRANSACTION)
        if not ids:
            return done
        after = ids[-1]
        done += _recompute(database, ids, now, "policy")


def _recompute(database: Database, ids: Sequence[int], now: datetime, why: Why) -> int:
    """A case that somebody works on is left: the calendar's turn comes again, on purpose one waits for it."""
    with database.unit_of_work() as uow:
        files = casefile.load(uow, repository.lock_case_ids(uow.session, ids, skip_locked=why == "calendar"))
        for file in files:
            if file.is_open:
                file.recompute(why, now)
        uow.commit()
    return len(files)
