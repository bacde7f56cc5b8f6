"""SQL of the alarms over danger to life."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.cases.models import OPEN_STATUSES, Case, UrgentAlarm, UrgentStep
from services.core.sql import insert


def newest_alarm(session: Session, case_id: int) -> UrgentAlarm | None:
    """As the last commit left it; whoever changes it holds the case's lock."""
    return session.scalars(
        sa.select(UrgentAlarm)
        .where(UrgentAlarm.case_id == case_id)
        .order_by(UrgentAlarm.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()


def steps_of(session: Session, alarm_id: int) -> Sequence[UrgentStep]:
    return session.scalars(sa.select(UrgentStep).where(UrgentStep.alarm_id == alarm_id).order_by(UrgentStep.step)).all()


def insert_step(session: Session, values: dict[str, Any]) -> bool:
    """True when this step had not been taken before."""
    statement = insert(session, UrgentStep).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=[UrgentStep.alarm_id, UrgentStep.step])
    return session.execute(statement.returning(UrgentStep.id)).first() is not None


def due_case_ids(session: Session, now: datetime, limit: int) -> Sequence[int]:
    """Cases whose alarm waits for its next step, the longest waiting first."""
    return session.scalars(
        sa.select(UrgentAlarm.case_id)
        .where(UrgentAlarm.ended_at.is_(None), UrgentAlarm.next_step_at <= now)
        .order_by(UrgentAlarm.next_step_at, UrgentAlarm.id)
        .limit(limit)
    ).all()


def ringing(session: Session, visible: sa.ColumnElement[bool], limit: int) -> Sequence[tuple[UrgentAlarm, Case]]:
    """The alarms that nobody has acknowledged, the oldest first, of cases that are still open and urgent; `visible` is
    what the reader may see."""
    return (
        session.execute(
            sa.select(UrgentAlarm, Case)
            .join(Case, Case.id == UrgentAlarm.case_id)
            .where(UrgentAlarm.ended_at.is_(None), Case.status.in_(OPEN_STATUSES), Case.priority == "urgent", visible)
            .order_by(UrgentAlarm.raised_at, UrgentAlarm.id)
            .limit(limit)
        )
        .tuples()
        .all()
    )


def steps_of_all(session: Session, alarm_ids: Sequence[int]) -> dict[int, list[UrgentStep]]:
    found: dict[int, list[UrgentStep]] = defaultdict(list)
    for step in session.scalars(
        sa.select(UrgentStep).where(UrgentStep.alarm_id.in_(alarm_ids)).order_by(UrgentStep.step)
    ):
        found[step.alarm_id].append(step)
    return found
