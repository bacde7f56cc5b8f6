"""SQL of who may see which case: names, and what a conversation told in confidence."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.cases.models import OPEN_STATUSES, Case, CaseAccess
from services.core.sql import insert


def spans_of_conversation(session: Session, conversation_id: str) -> Sequence[Case]:
    """All cases of a conversation in the order of their opening: what was told of is found between them."""
    return session.scalars(sa.select(Case).where(Case.conversation_id == conversation_id).order_by(Case.id)).all()


def numbers_among(session: Session, numbers: Collection[str], visible: sa.ColumnElement[bool]) -> set[str]:
    """Those of the numbers whose cases are `visible`."""
    return set(session.scalars(sa.select(Case.case_no).where(Case.case_no.in_(numbers), visible)))


def open_secret_ids(session: Session, after: int, limit: int) -> Sequence[int]:
    """Open confidential cases, the oldest first."""
    return session.scalars(
        sa.select(Case.id)
        .where(Case.confidential.is_(True), Case.status.in_(OPEN_STATUSES), Case.id > after)
        .order_by(Case.id)
        .limit(limit)
    ).all()


def ordinary_cases_merged_into(session: Session, case_no: str) -> Sequence[str]:
    """Numbers of the cases that were merged into this very one and are not confidential."""
    return session.scalars(
        sa.select(Case.case_no)
        .where(Case.merged_into == case_no, Case.status == "merged", Case.confidential.is_(False))
        .order_by(Case.id)
    ).all()


def has_access(session: Session, case_id: int, name: str) -> bool:
    return session.get(CaseAccess, (case_id, name)) is not None


def access_names(session: Session, case_id: int) -> Sequence[str]:
    return session.scalars(sa.select(CaseAccess.name).where(CaseAccess.case_id == case_id)).all()


def insert_access(session: Session, case_id: int, name: str, by: str, now: datetime) -> None:
    statement = insert(session, CaseAccess).values(case_id=case_id, name=name, granted_by=by, granted_at=now)
    session.execute(statement.on_conflict_do_nothing())


def delete_access(session: Session, case_id: int, name: str) -> None:
    session.execute(sa.delete(CaseAccess).where(CaseAccess.case_id == case_id, CaseAccess.name == name))
