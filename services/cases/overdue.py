"""What it means that a case is open, overdue, or overdue and still unanswered: once, for lists and figures alike."""

from datetime import datetime

import sqlalchemy as sa

from services.cases.models import OPEN_STATUSES, Case, CaseClock
from services.sla.policies import Target


def open_at(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Case.status.in_(OPEN_STATUSES), Case.ended_at > now)


def overdue_at(now: datetime, target: Target | None = None) -> sa.ColumnElement[bool]:
    """An open case with a clock (of `target`, if one is named) that is past its limit and was not stopped by `now`."""
    late = [
        CaseClock.case_id == Case.id,
        CaseClock.due_at < now,
        CaseClock.state != "cancelled",
        sa.or_(CaseClock.stopped_at.is_(None), CaseClock.stopped_at > now),
        # While the citizen is waited for, nothing becomes overdue.
        sa.or_(CaseClock.paused_at.is_(None), CaseClock.paused_at > now),
    ]
    if target is not None:
        late.append(CaseClock.target == target)
    return sa.and_(open_at(now), sa.exists().where(*late))


def unanswered_at(now: datetime) -> sa.ColumnElement[bool]:
    """逾期未答复: an open case past the limit of its first response that nobody has answered yet.

    Of a reopened case this round counts: it has a clock of its own.
    """
    return overdue_at(now, "first_response")
