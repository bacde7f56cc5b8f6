"""SQL of the case desk (its report has its own module)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.cases.models import (
    OPEN_STATUSES,
    QUEUED_STATUSES,
    AlertLevel,
    Case,
    CaseAlert,
    CaseClock,
    CaseCounter,
    CaseEvent,
    CaseExtension,
    CaseModelRow,
    CaseTurn,
    StaffAbsence,
    SupervisionReport,
)
from services.cases.overdue import unanswered_at
from services.core.audit import AuditRow
from services.core.sql import insert, is_postgresql

REVEAL_LOCK = 7_203_115


def take_numbers(session: Session, day: str, count: int = 1) -> int:
    """Reserve `count` numbers of a day and return the first. The row stays locked until the commit, so the numbers
    of a rolled-back transaction are given out again."""
    statement = insert(session, CaseCounter).values(day=day, last=count)
    statement = statement.on_conflict_do_update(
        index_elements=[CaseCounter.day], set_={"last": CaseCounter.last + count}
    ).returning(CaseCounter.last)
    return int(session.execute(statement).scalar_one()) - count + 1


def insert_alert(session: Session, clock: CaseClock, level: str, planned_at: datetime, now: datetime) -> bool:
    """True when the level had not been raised for this clock before."""
    statement = insert(session, CaseAlert).values(
        clock_id=clock.id, case_id=clock.case_id, level=level, planned_at=planned_at, raised_at=now
    )
    statement = statement.on_conflict_do_nothing(index_elements=[CaseAlert.clock_id, CaseAlert.level])
    return session.execute(statement.returning(CaseAlert.id)).first() is not None


def raised_levels_of(session: Session, clock_ids: Sequence[int]) -> dict[int, dict[str, datetime]]:
    """The levels that each of the clocks has raised, with the moment each was planned for; {} for none."""
    found: dict[int, dict[str, datetime]] = {clock_id: {} for clock_id in clock_ids}
    rows = session.execute(
        sa.select(CaseAlert.clock_id, CaseAlert.level, CaseAlert.planned_at).where(
            CaseAlert.clock_id.in_(list(clock_ids))
        )
    )
    for clock_id, level, planned_at in rows:
        found[clock_id][level] = planned_at
    return found


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


def hearing_case(session: Session, conversation_id: str) -> str | None:
    """The number of the case that hears what is written in a conversation: the open one, else the one that its newest
    case was merged into, also by way of others; which may be settled by now."""
    known = open_case_of(session, conversation_id)
    if known is not None:
        return known.case_no
    newest = sa.select(Case).where(Case.conversation_id == conversation_id).order_by(Case.id.desc()).limit(1)
    case = session.scalars(newest).first()
    seen: set[str] = set()
    while case is not None and case.status == "merged" and case.merged_into and case.case_no not in seen:
        seen.add(case.case_no)
        case = find_case(session, case.merged_into)
    return case.case_no if case is not None and case.status in OPEN_STATUSES else None


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


def events_of_all(session: Session, case_ids: Iterable[int]) -> Sequence[CaseEvent]:
    """The events of several cases, each case's in order."""
    return session.scalars(
        sa.select(CaseEvent).where(CaseEvent.case_id.in_(list(case_ids))).order_by(CaseEvent.case_id, CaseEvent.seq)
    ).all()


def moves_of(session: Session, case_ids: Iterable[int]) -> Sequence[CaseEvent]:
    """The events that may have moved these cases to another department, each case's in order."""
    return session.scalars(
        sa.select(CaseEvent)
        .where(CaseEvent.case_id.in_(list(case_ids)), CaseEvent.type.in_(("transferred", "returned", "reclassified")))
        .order_by(CaseEvent.case_id, CaseEvent.seq)
    ).all()


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
    visible: sa.ColumnElement[bool],
    status: Sequence[str] | None,
    department: str | None,
    overdue: bool | None,
    unanswered: bool,
    assignee: str | None,
    limit: int,
    offset: int,
) -> tuple[Sequence[Case], int, int]:
    """One page, the number of all that fit, and of those with unread words; `visible` is what the reader may see.

    Open ones first, and of those urgent ones, then where a citizen's words have been unread for the longest time, then
    what is due next, then the oldest; doubtful ones that nobody has looked at (`flooding.is_doubtful`) after all other
    open ones. Of those that are settled the newest first.
    """
    doubtful = sa.and_(Case.doubtful, Case.assignee.is_(None), Case.first_response_at.is_(None))
    conditions: list[sa.ColumnElement[bool]] = [visible]
    if status:
        conditions.append(Case.status.in_(status))
    if department is not None:
        conditions.append(Case.department == department)
    if assignee is not None:
        conditions.append(Case.assignee == assignee)
    if overdue is not None:
        late = sa.and_(Case.status.in_(OPEN_STATUSES), Case.next_due_at.is_not(None), Case.next_due_at < now)
        conditions.append(late if overdue else sa.not_(late))
    if unanswered:
        conditions.append(unanswered_at(now))
    is_open = Case.status.in_(OPEN_STATUSES)
    unread = sa.case((sa.and_(is_open, Case.unread_since.is_not(None)), 1), else_=0)
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(unread), 0)).select_from(Case).where(*conditions)
    total, with_unread = session.execute(counted).one()
    page = session.scalars(
        sa.select(Case)
        .where(*conditions)
        .order_by(
            sa.case((is_open, 0), else_=1),
            sa.case((doubtful, 1), else_=0),
            sa.case((sa.and_(is_open, Case.priority == "urgent"), 0), else_=1),
            sa.case((is_open, Case.unread_since), else_=None).asc().nulls_last(),
            sa.case((is_open, Case.next_due_at), else_=None).asc().nulls_last(),
            sa.case((is_open, None), else_=Case.created_at).desc().nulls_last(),
            Case.created_at,
            Case.id,
        )
        .limit(limit)
        .offset(offset)
    ).all()
    return page, int(total), int(with_unread)


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


def last_event(session: Session, case_id: int, types: Sequence[str]) -> CaseEvent | None:
    return session.scalars(
        sa.select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.type.in_(types))
        .order_by(CaseEvent.seq.desc())
        .limit(1)
    ).first()


def is_absent(session: Session, name: str, now: datetime) -> bool:
    return bool(absent_names(session, [name], now))


def absent_names(session: Session, names: Sequence[str], now: datetime) -> set[str]:
    return set(
        session.scalars(
            sa.select(StaffAbsence.name).where(
                StaffAbsence.name.in_(names), StaffAbsence.starts_at <= now, StaffAbsence.ends_at > now
            )
        )
    )


def absences(session: Session, now: datetime) -> Sequence[StaffAbsence]:
    """Those that have not ended, the next first."""
    return session.scalars(
        sa.select(StaffAbsence)
        .where(StaffAbsence.ends_at > now)
        .order_by(StaffAbsence.starts_at, StaffAbsence.id)
        .limit(200)
    ).all()


def pending_extension(session: Session, case_id: int) -> CaseExtension | None:
    return session.scalars(
        sa.select(CaseExtension)
        .where(CaseExtension.case_id == case_id, CaseExtension.decision.is_(None))
        .order_by(CaseExtension.id)
        .limit(1)
    ).first()


def cases_of_conversation(session: Session, conversation_id: str) -> Sequence[Case]:
    return session.scalars(
        sa.select(Case).where(Case.conversation_id == conversation_id).order_by(Case.id.desc()).limit(50)
    ).all()


def merged_cases(session: Session, case_no: str, *, confidential: bool) -> list[tuple[str, str]]:
    """Number and conversation of the cases that were merged into this one, also by way of others; only those that are
    as confidential, so that no answer to a tip-off reaches somebody else's conversation."""
    found: list[tuple[str, str]] = []
    into, seen = [case_no], {case_no}
    while into:
        rows = session.execute(
            sa.select(Case.case_no, Case.conversation_id)
            .where(Case.merged_into.in_(into), Case.status == "merged", Case.confidential.is_(confidential))
            .order_by(Case.id)
        ).tuples()
        fresh = [(number, conversation_id) for number, conversation_id in rows if number not in seen]
        into = [number for number, _ in fresh]
        seen.update(into)
        found += [(number, conversation_id) for number, conversation_id in fresh if conversation_id is not None]
    return found


def stale_case_ids(session: Session, calendar_id: int, after: int, limit: int) -> Sequence[int]:
    """Cases with a running or paused clock of an older calendar."""
    return session.scalars(
        sa.select(CaseClock.case_id)
        .where(CaseClock.state == "running", CaseClock.calendar_id < calendar_id, CaseClock.case_id > after)
        .distinct()
        .order_by(CaseClock.case_id)
        .limit(limit)
    ).all()


def running_case_ids(session: Session, after: int, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(Case.id).where(Case.status.in_(OPEN_STATUSES), Case.id > after).order_by(Case.id).limit(limit)
    ).all()


def lock_case_ids(session: Session, ids: Sequence[int], *, skip_locked: bool = True) -> Sequence[Case]:
    """The cases, locked in one order; those that somebody else works on are left out."""
    return session.scalars(
        sa.select(Case)
        .where(Case.id.in_(ids))
        .order_by(Case.id)
        .with_for_update(skip_locked=skip_locked)
        .execution_options(populate_existing=True)
    ).all()


def held_case_ids(session: Session, now: datetime, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(Case.id)
        .where(Case.status == "waiting", Case.hold_until < now)
        .order_by(Case.hold_until, Case.id)
        .limit(limit)
    ).all()


def cases_by_source(session: Session, source_numbers: Sequence[str]) -> dict[str, Case]:
    found = session.scalars(sa.select(Case).where(Case.source_no.in_(source_numbers)))
    return {case.source_no: case for case in found if case.source_no is not None}


def next_turn(session: Session, department: str) -> int:
    """How many cases the queue had dealt out before this one; its row stays locked until the commit."""
    statement = insert(session, CaseTurn).values(department=department, dealt=1)
    statement = statement.on_conflict_do_update(
        index_elements=[CaseTurn.department], set_={"dealt": CaseTurn.dealt + 1}
    ).returning(CaseTurn.dealt)
    return int(session.execute(statement).scalar_one()) - 1


def loads(session: Session, names: Sequence[str]) -> dict[str, int]:
    """How many open cases each has in hand."""
    found = session.execute(
        sa.select(Case.assignee, sa.func.count())
        .where(Case.assignee.in_(names), Case.status.in_(OPEN_STATUSES))
        .group_by(Case.assignee)
    )
    return {name: int(count) for name, count in found if name is not None}


def queued_case_ids(session: Session, department: str, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(Case.id)
        .where(
            Case.department == department,
            Case.status.in_(QUEUED_STATUSES),
            Case.assignee.is_(None),
            ~sa.and_(Case.doubtful, Case.first_response_at.is_(None)),
        )
        .order_by(sa.case((Case.priority == "urgent", 0), else_=1), Case.next_due_at.asc().nulls_last(), Case.id)
        .limit(limit)
    ).all()


def last_press(session: Session, case_id: int, actor: str) -> CaseEvent | None:
    return session.scalars(
        sa.select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.type == "pressed", CaseEvent.actor == actor)
        .order_by(CaseEvent.seq.desc())
        .limit(1)
    ).first()


def lock_reveals(session: Session) -> None:
    """Two of one clerk's at once would both count the one before; the second waits here (SQLite has one writer)."""
    if is_postgresql(session):
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": REVEAL_LOCK})


def reveals_since(session: Session, actor: str, since: datetime) -> int:
    """How many identifiers somebody has had shown since then."""
    rows = sa.select(sa.func.count()).where(
        AuditRow.at > since, AuditRow.actor == actor, AuditRow.action == "case.revealed"
    )
    return session.scalar(rows) or 0


def alert_levels(session: Session, limit: int) -> Sequence[AlertLevel]:
    """The newest first."""
    return session.scalars(sa.select(AlertLevel).order_by(AlertLevel.id.desc()).limit(limit)).all()


def supervision_reports(session: Session, limit: int) -> Sequence[SupervisionReport]:
    """The newest first."""
    return session.scalars(sa.select(SupervisionReport).order_by(SupervisionReport.slot_at.desc()).limit(limit)).all()


def insert_report(session: Session, values: dict[str, Any]) -> bool:
    """True when this slot had not been written before."""
    statement = insert(session, SupervisionReport).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=[SupervisionReport.slot_at])
    return session.execute(statement.returning(SupervisionReport.id)).first() is not None


def newest_model_version(session: Session) -> int | None:
    return session.scalar(sa.select(sa.func.max(CaseModelRow.version)))


def case_model(session: Session, version: int) -> CaseModelRow:
    return session.scalars(sa.select(CaseModelRow).where(CaseModelRow.version == version)).one()


def add_case_model(session: Session, row: CaseModelRow) -> None:
    """IntegrityError when somebody else has just stored that version."""
    session.add(row)
    session.flush()
