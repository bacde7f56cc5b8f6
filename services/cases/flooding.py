"""Alarms that come in masses: each is heard and kept, and none of them pushes another out of sight.

One conversation's alarms are one case. Past so many cases an hour from one address the further ones are doubtful
(疑似刷屏): they stand after the others and are told of once an hour together, until somebody takes them.
"""

from datetime import datetime
from typing import NamedTuple

from services.cases.models import Case
from services.core import tallies
from services.core.database import UnitOfWork

# So often a case's citizen alarms everybody at once again; after that once a minute.
TOLD_AT_ONCE = 3


class AlarmsFrom(NamedTuple):
    """Where an alarm comes from, as a keyed hash (empty: nobody knows), and how many an hour are believed of there."""

    origin: str
    per_hour: int


def is_believed(uow: UnitOfWork, alarms: AlarmsFrom | None, now: datetime) -> bool:
    """Count one more case of danger from there; False when there have been too many within the hour."""
    if alarms is None or not alarms.origin:
        return True
    return tallies.take(uow, what="alarms", who=alarms.origin, limit=alarms.per_hour, now=now)


def is_doubtful(case: Case) -> bool:
    """Whether nobody has looked at a doubtful alarm yet: who takes it, or answers it, has decided."""
    return case.doubtful and case.assignee is None and case.first_response_at is None


def alarm_key(case: Case, now: datetime, before: int) -> str:
    """What makes the notice of an alarm be told once; `before` are the alarms of this case that were told already."""
    if is_doubtful(case):
        return f"doubtful:{now:%Y%m%d%H}"
    if before > TOLD_AT_ONCE:
        return f"{case.case_no}:{now:%Y%m%d%H%M}"
    return f"{case.case_no}:{case.event_seq}"


def level_key(case: Case, clock_id: int, level: str, now: datetime) -> str:
    """What makes the notice of a clock's level be told once."""
    return f"doubtful:{level}:{now:%Y%m%d%H}" if is_doubtful(case) else f"{clock_id}:{level}"
