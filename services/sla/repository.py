"""All SQL of the sla room."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.core.sql import is_postgresql
from services.sla.models import CalendarDayRow, CityVersion, DepartmentRow, PolicyRow


def lock_versions(session: Session) -> None:
    """Two appliers at once would both take the next version number; the second waits here (SQLite has one writer)."""
    if is_postgresql(session):
        session.execute(sa.text("LOCK TABLE city_versions IN SHARE ROW EXCLUSIVE MODE"))


def current(session: Session, document: str, name: str) -> CityVersion | None:
    """The newest version of a document, also when it has been retired."""
    return session.scalars(
        sa.select(CityVersion)
        .where(CityVersion.document == document, CityVersion.name == name)
        .order_by(CityVersion.version.desc())
        .limit(1)
    ).first()


def current_all(session: Session, document: str) -> Sequence[CityVersion]:
    """The newest version of every document of a kind that is still in use."""
    newest = (
        sa.select(CityVersion.name, sa.func.max(CityVersion.version).label("version"))
        .where(CityVersion.document == document)
        .group_by(CityVersion.name)
        .subquery()
    )
    return session.scalars(
        sa.select(CityVersion)
        .join(newest, sa.and_(CityVersion.name == newest.c.name, CityVersion.version == newest.c.version))
        .where(CityVersion.document == document, CityVersion.retired.is_(False))
        .order_by(CityVersion.id)
    ).all()


def policy_rows(session: Session, version_id: int) -> Sequence[PolicyRow]:
    return session.scalars(sa.select(PolicyRow).where(PolicyRow.version_id == version_id).order_by(PolicyRow.id)).all()


def calendar_days(session: Session, version_id: int) -> Sequence[CalendarDayRow]:
    return session.scalars(sa.select(CalendarDayRow).where(CalendarDayRow.version_id == version_id)).all()


def department_rows(session: Session, version_id: int) -> Sequence[DepartmentRow]:
    return session.scalars(
        sa.select(DepartmentRow).where(DepartmentRow.version_id == version_id).order_by(DepartmentRow.position)
    ).all()
