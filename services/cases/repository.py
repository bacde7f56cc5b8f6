"""SQL of the case desk (its report has its own module)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from services.cases.models import OPEN_STATUSES, Case, CaseAlert, CaseClock, CaseCounter, CaseEvent


def _insert(session: Session, table: type[Any]) -> Any:
    """Both databases know ON CONFLICT and RETURNING, each through its own construct."""
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def take_numbers(session: Session, day: str, count: int = 1) -> int:
    """Reserve `count` numbers of a day and return the first. The row stays locked until the commit, so the numbers
    of a rolled-back transaction are given out again."""
    statement = _insert(session, CaseCounter).values(day=day, last=count)
    statement = statement.on_conflict_do_update(
        index_elements=[CaseCounter.day], set_={"last": CaseCounter.last + count}
    ).returning(CaseCounter.last)
    return int(session.execute(statement).scalar_one()) - count + 1


def insert_alert(session: Session, clock: CaseClock, level: str, planned_at: datetime, now: datetime) -> bool:
    """True when the level had not been raised for this clock before."""
    statement = _insert(session, CaseAlert).values(
        clock_id=clock.id, case_id=clock.case_id, level=level, planned_at=planned_at, raised_at=now
    )
    statement = statement.on_conflict_do_nothing(index_elements=[CaseAlert.clock_id, CaseAlert.level])
    return session.execute(statement.returning(CaseAlert.id)).first() is not None


def raised_levels(session: Session, clock_id: int) -> set[str]:
    return set(session.scalars(sa.select(CaseAlert.level).where(CaseAlert.clock_id == clock_id)))


def lock_case(session: Session, case_no: str) -> Case | None:
    """The case as it is now, its row locked until the end of the transaction."""
    return session.scalars(
        sa.select(Case).where(Case.case_no == case_no).with_for_update().execution_options(populate_existing=True)
    ).first()


def lock_open_case_of(session: Session, conversation_id: str) -> Case | None:
    return session.scalars(
        sa.select(Case)
        .where(Case.conversation_id == conversation_id, Case.status.in_(OPEN_STATUSES))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def open_case_of(session: Session, conversation_id: str) -> Case | None:
    return session.scalars(
        sa.select(Case).where(Case.conversation_id == conversation_id, Case.status.in_(OPEN_STATUSES))
    ).first()


def find_case(session: Session, case_no: str) -> Case | None:
    return session.scalars(sa.select(Case).where(Case.case_no == case_no)).first()


def clocks_of(session: Session, case_ids: Iterable[int]) -> Sequence[CaseClock]:
    return session.scalars(
        sa.select(CaseClock)
        .where(CaseClock.case_id.in_(list(case_ids)))
        .order_by(CaseClock.case_id, CaseClock.cycle, CaseClock.target)
        .execution_options(populate_existing=True)
    ).all()


def events_of(session: Session, case_id: int) -> Sequence[CaseEvent]:
    return session.scalars(sa.select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(CaseEvent.seq)).all()


def first_reply(session: Session, case_id: int) -> CaseEvent | None:
    return session.scalars(
        sa.select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.type == "replied")
        .order_by(CaseEvent.seq)
        .limit(1)
    ).first()


def list_cases(
    session: Session,
    *,
    now: datetime,
    departments: Sequence[str] | None,
    status: Sequence[str] | None,
    department: str | None,
    overdue: bool | None,
    assignee: str | None,
    limit: int,
    offset: int,
) -> tuple[Sequence[Case], int]:
    """One page and the number of all that fit; `departments` is what the reader may see (None: everything).

    Urgent ones first, then what is due next, then the oldest.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if departments is not None:
        conditions.append(Case.department.in_(departments))
    if status:
        conditions.append(Case.status.in_(status))
    if department is not None:
        conditions.append(Case.department == department)
    if assignee is not None:
        conditions.append(Case.assignee == assignee)
    if overdue is not None:
        late = sa.and_(Case.status.in_(OPEN_STATUSES), Case.next_due_at.is_not(None), Case.next_due_at < now)
        conditions.append(late if overdue else sa.not_(late))
    total = session.scalar(sa.select(sa.func.count()).select_from(Case).where(*conditions)) or 0
    page = session.scalars(
        sa.select(Case)
        .where(*conditions)
        .order_by(
            sa.case((Case.status.in_(OPEN_STATUSES), 0), else_=1),
            sa.case((Case.priority == "urgent", 0), else_=1),
            Case.next_due_at.asc().nulls_last(),
            Case.created_at,
            Case.id,
        )
        .limit(limit)
        .offset(offset)
    ).all()
    return page, total


def due_clock_ids(session: Session, now: datetime, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(CaseClock.id)
        .where(CaseClock.next_check_at < now)
        .order_by(CaseClock.next_check_at, CaseClock.id)
        .limit(limit)
    ).all()


def lock_clocks(session: Session, ids: Sequence[int], now: datetime) -> list[tuple[Case, CaseClock]]:
    """Those of the clocks that are still due, each with its locked case; one that somebody else works on is left out.

    The case is locked before its clock is read, as every action does, so the clock is what the last commit left.
    """
    cases = session.scalars(
        sa.select(Case)
        .where(Case.id.in_(sa.select(CaseClock.case_id).where(CaseClock.id.in_(ids))))
        .order_by(Case.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    by_id = {case.id: case for case in cases}
    clocks = session.scalars(
        sa.select(CaseClock)
        .where(
            CaseClock.id.in_(ids),
            CaseClock.case_id.in_(by_id),
            CaseClock.state == "running",
            CaseClock.next_check_at < now,
        )
        .order_by(CaseClock.next_check_at, CaseClock.id)
        .execution_options(populate_existing=True)
    )
    return [(by_id[clock.case_id], clock) for clock in clocks]


def cases_by_source(session: Session, source_numbers: Sequence[str]) -> dict[str, Case]:
    found = session.scalars(sa.select(Case).where(Case.source_no.in_(source_numbers)))
    return {case.source_no: case for case in found if case.source_no is not None}
