"""All SQL of notifications."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.core.database import Base
from services.core.leases import is_free
from services.core.sql import insert
from services.notifications.models import NoticeRead, OutboxRow, ReachableAt, StaffNotice


def insert_if_new(session: Session, model: type[Base], values: dict[str, Any]) -> bool:
    """INSERT ... ON CONFLICT DO NOTHING: the unique index is what makes a thing happen once. Says whether it is new."""
    key: sa.ColumnElement[Any] = sa.inspect(model).primary_key[0]
    statement = insert(session, model).values(**values).on_conflict_do_nothing().returning(key)
    return session.execute(statement).first() is not None


def due_ids(session: Session, now: datetime, limit: int, only: Collection[str] | None) -> Sequence[int]:
    wanted = [OutboxRow.channel.in_(only)] if only is not None else []
    return session.scalars(
        sa.select(OutboxRow.id)
        .where(OutboxRow.done_at.is_(None), OutboxRow.next_attempt_at <= now, is_free(OutboxRow, now), *wanted)
        .order_by(OutboxRow.next_attempt_at, OutboxRow.id)
        .limit(limit)
    ).all()


def lock_due(session: Session, row_id: int, now: datetime) -> OutboxRow | None:
    """The row, locked, if it is still due and nobody else holds it."""
    return session.scalar(
        sa.select(OutboxRow)
        .where(OutboxRow.id == row_id, OutboxRow.done_at.is_(None), OutboxRow.next_attempt_at <= now)
        .with_for_update(skip_locked=True)
    )


def lock(session: Session, row_id: int) -> OutboxRow | None:
    return session.scalar(sa.select(OutboxRow).where(OutboxRow.id == row_id).with_for_update())


def _shown(body: sa.orm.InstrumentedAttribute[dict[str, Any]], hidden: sa.Select[str]) -> sa.ColumnElement[bool]:
    """Whether a row names none of the cases that `hidden` selects the numbers of."""
    number = body["case_no"].as_string()
    return sa.or_(number.is_(None), number.not_in(hidden))


def dead_rows(session: Session, limit: int, offset: int, hidden: sa.Select[str]) -> tuple[Sequence[OutboxRow], int]:
    """Rows given up, the newest first, and how many there are, but for those of `hidden` cases."""
    wanted = OutboxRow.dead, _shown(OutboxRow.body, hidden)
    total = session.scalar(sa.select(sa.func.count()).select_from(OutboxRow).where(*wanted)) or 0
    query = sa.select(OutboxRow).where(*wanted).order_by(OutboxRow.id.desc()).limit(limit).offset(offset)
    return session.scalars(query).all(), total


def lock_dead(session: Session, row_id: int, hidden: sa.Select[str]) -> OutboxRow | None:
    return session.scalar(
        sa.select(OutboxRow)
        .where(OutboxRow.id == row_id, OutboxRow.dead, _shown(OutboxRow.body, hidden))
        .with_for_update()
    )


def release_parked(session: Session, recipient: str, now: datetime) -> None:
    """Note that a citizen was heard, and free what waited for that. In this order: see `lock_reach`."""
    session.execute(sa.update(ReachableAt).where(ReachableAt.recipient == recipient).values(heard_at=now))
    session.execute(
        sa.update(OutboxRow)
        .where(OutboxRow.recipient == recipient, OutboxRow.parked, OutboxRow.done_at.is_(None))
        .values(parked=False, next_attempt_at=now)
    )


def lock_reach(session: Session, recipient: str) -> Sequence[ReachableAt]:
    """Locked, so that a citizen who speaks while something is parked is either known here or finds it parked."""
    return session.scalars(sa.select(ReachableAt).where(ReachableAt.recipient == recipient).with_for_update()).all()


def reachable_at(session: Session, recipient: str, channel: str) -> ReachableAt | None:
    return session.get(ReachableAt, (recipient, channel))


def notices_for(
    session: Session, recipients: Sequence[str], hidden: sa.Select[str], limit: int, before: int | None = None
) -> Sequence[StaffNotice]:
    """The newest first, but for those of `hidden` cases: one may have become confidential after it was told of. With
    `before` those with a smaller id."""
    older = [StaffNotice.id < before] if before is not None else []
    return session.scalars(
        sa.select(StaffNotice)
        .where(StaffNotice.recipient.in_(recipients), _shown(StaffNotice.body, hidden), *older)
        .order_by(StaffNotice.id.desc())
        .limit(limit)
    ).all()


class Unread(NamedTuple):
    """Which notices count as unread: `hidden` cases are none, nor is what was told before `since`."""

    name: str
    recipients: Sequence[str]
    hidden: sa.Select[str]
    since: datetime


def unread_notices(session: Session, of: Unread, limit: int, upto: int | None = None) -> Sequence[StaffNotice]:
    """What somebody has not read (with `upto`: with an id up to that); the newest first."""
    known = sa.exists().where(NoticeRead.name == of.name, NoticeRead.notice_id == StaffNotice.id)
    older = [StaffNotice.id <= upto] if upto is not None else []
    return session.scalars(
        sa.select(StaffNotice)
        .where(StaffNotice.recipient.in_(of.recipients), StaffNotice.at > of.since, ~known, *older)
        .where(_shown(StaffNotice.body, of.hidden))
        .order_by(StaffNotice.id.desc())
        .limit(limit)
    ).all()


def read_ids(session: Session, name: str, ids: Sequence[int]) -> set[int]:
    return set(
        session.scalars(sa.select(NoticeRead.notice_id).where(NoticeRead.name == name, NoticeRead.notice_id.in_(ids)))
    )


def told_ids(session: Session, recipients: Sequence[str], ids: Sequence[int]) -> Sequence[int]:
    """Those of `ids` that are notices to one of `recipients`."""
    return session.scalars(
        sa.select(StaffNotice.id).where(StaffNotice.recipient.in_(recipients), StaffNotice.id.in_(ids))
    ).all()


def insert_reads(session: Session, name: str, ids: Sequence[int], now: datetime) -> None:
    """Reading twice is the same as once."""
    rows = [{"name": name, "notice_id": notice_id, "at": now} for notice_id in ids]
    session.execute(insert(session, NoticeRead).values(rows).on_conflict_do_nothing())
