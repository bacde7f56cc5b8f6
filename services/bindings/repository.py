"""All SQL of bindings."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.bindings.models import Binding, Scan
from services.core.sql import insert


def insert_binding(session: Session, values: dict[str, Any]) -> int | None:
    """The new binding's id; None when the citizen has bound this already."""
    statement = insert(session, Binding).values(values).on_conflict_do_nothing().returning(Binding.id)
    return session.execute(statement).scalar_one_or_none()


def of_citizen(session: Session, citizen: str) -> Sequence[Binding]:
    """In the order of binding."""
    return session.scalars(sa.select(Binding).where(Binding.citizen == citizen).order_by(Binding.id)).all()


def delete_binding(session: Session, citizen: str, binding_id: int) -> Binding | None:
    """Delete and return it; None when it is not this citizen's."""
    row = session.scalar(
        sa.select(Binding).where(Binding.id == binding_id, Binding.citizen == citizen).with_for_update()
    )
    if row is not None:
        session.delete(row)
        session.flush()
    return row


def touch(session: Session, citizen: str, now: datetime) -> None:
    session.execute(sa.update(Binding).where(Binding.citizen == citizen).values(used_at=now))


def unused(session: Session, before: datetime, limit: int) -> Sequence[tuple[str, int]]:
    """(citizen, id) of bindings without any use since then."""
    rows = session.execute(
        sa.select(Binding.citizen, Binding.id).where(Binding.used_at < before).order_by(Binding.used_at).limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


# -- scans ----------------------------------------------------------------------------------------------------------


def ensure_scan(session: Session, name: str) -> None:
    values = {"name": name, "round": 0, "after_id": 0, "looked": 0, "told": 0, "failed": 0}
    session.execute(insert(session, Scan).values(values).on_conflict_do_nothing())


def lock_scan(session: Session, name: str) -> Scan:
    return session.scalars(
        sa.select(Scan).where(Scan.name == name).with_for_update().execution_options(populate_existing=True)
    ).one()


def find_scan(session: Session, name: str) -> Scan | None:
    return session.get(Scan, name)


def batch(session: Session, after_id: int, limit: int) -> Sequence[Binding]:
    """The next bindings by id (a keyset: what is bound or removed meanwhile moves no other)."""
    return session.scalars(sa.select(Binding).where(Binding.id > after_id).order_by(Binding.id).limit(limit)).all()


def lock_present(session: Session, ids: Collection[int]) -> dict[int, Binding]:
    """Those that are still there, locked."""
    rows = session.scalars(
        sa.select(Binding)
        .where(Binding.id.in_(ids))
        .order_by(Binding.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}
