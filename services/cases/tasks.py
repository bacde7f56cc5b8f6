"""Jobs of the worker: the sweep raises warnings, breaches and escalations whose moment has passed; danger that nobody
has acknowledged calls the next on duty; waits end; queues are dealt out; clocks follow a new calendar; the reports of
an alert level are written. Each is safe to run in any number of workers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.cases import (
    alarms,
    assignment,
    casefile,
    repository,
    sight_repository,
    urgent,
    urgent_repository,
    waiting,
)
from services.cases.recomputing import recompute_stale
from services.cases.supervision import write_due_reports
from services.core.database import Database
from services.sla import service as sla

log = structlog.get_logger(__name__)

NARROW_LIMIT = 10_000
PER_TRANSACTION = 50
DEAL_LIMIT = 200

__all__ = [
    "Swept",
    "call_next",
    "deal_queues",
    "end_waits",
    "recompute_stale",
    "sweep",
    "tell_named",
    "write_due_reports",
]


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
    # Without autoflush the events, audit rows and changes of the whole group go to the database together.
    with database.unit_of_work() as uow, uow.session.no_autoflush:
        pairs = repository.lock_clocks(uow.session, ids, now)
        before = repository.raised_levels_of(uow.session, [clock.id for _, clock in pairs])
        hands = casefile.hands_of_all(uow, [case for case, _ in pairs])
        clerks = {case.assignee for case, _ in pairs if case.assignee is not None}
        away = repository.absent_names(uow.session, sorted(clerks), now)
        raised = sum(
            len(alarms.raise_levels(uow, case, clock, now, before=before[clock.id], hands=hands[case.id], away=away))
            for case, clock in pairs
        )
        uow.commit()
    return raised


def call_next(database: Database, now: datetime, *, limit: int = DEAL_LIMIT) -> int:
    """Call the next on duty to the dangers that nobody has acknowledged in time; returns to how many.

    Each case is locked and looked at again, so an 已收到 that came in between wins; one that somebody works on just now
    is left for the next round.
    """
    with database.unit_of_work(read_only=True) as uow:
        ids = urgent_repository.due_case_ids(uow.session, now, limit)
    called = 0
    for case_id in ids:
        try:
            with database.unit_of_work() as uow:
                files = casefile.load(uow, repository.lock_case_ids(uow.session, [case_id]))
                called += sum(urgent.call_next(uow, file, now) for file in files)
                uow.commit()
        except SQLAlchemyError as error:
            log.error("nobody called", case=case_id, kind=type(error).__name__)
    return called


def end_waits(database: Database, now: datetime, *, limit: int = NARROW_LIMIT) -> int:
    """End the waits for citizens that have lasted as long as the city allows; returns how many."""
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.held_case_ids(uow.session, now, limit)
    ended = 0
    for start in range(0, len(ids), PER_TRANSACTION):
        with database.unit_of_work() as uow:
            files = casefile.load(uow, repository.lock_case_ids(uow.session, ids[start : start + PER_TRANSACTION]))
            ended += sum(waiting.expire(uow, file, now) for file in files)
            uow.commit()
    return ended


def tell_named(database: Database, now: datetime) -> int:
    """Tell whoever has come to be named for tip-offs of those that are open; each person hears of each case once.
    Returns at how many cases it looked.

    A notice is told once for its key, so this costs one statement a case and person, and changes nothing when all know.
    """
    looked = after = 0
    while True:
        with database.unit_of_work(read_only=True) as uow:
            ids = sight_repository.open_secret_ids(uow.session, after, PER_TRANSACTION)
        if not ids:
            return looked
        after = ids[-1]
        with database.unit_of_work() as uow:
            for case in repository.lock_case_ids(uow.session, ids, skip_locked=False):
                if case.confidential:
                    alarms.tell_named(uow, case, now)
                    looked += 1
            uow.commit()


def deal_queues(database: Database, now: datetime, *, limit: int = DEAL_LIMIT) -> int:
    """Deal out what waits in the queues of those who are on duty now; returns how many cases."""
    with database.unit_of_work(read_only=True) as uow:
        calendars = casefile.calendars_or_none(uow)
        dealing = [queue for queue in sla.roster(uow).queues if queue.assign == "round_robin"]
        open_now = [queue for queue in dealing if calendars and assignment.on_duty(queue, calendars, now)]
        ids = [
            case_id
            for queue in open_now
            for case_id in repository.queued_case_ids(uow.session, queue.department, limit)
        ]
    dealt = 0
    for case_id in ids:
        with database.unit_of_work() as uow:
            for file in casefile.load(uow, repository.lock_case_ids(uow.session, [case_id])):
                if file.row.assignee is None:
                    dealt += assignment.deal(uow, file, now)
            uow.commit()
    return dealt
