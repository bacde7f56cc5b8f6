"""All SQL of retention. Each function takes one bounded batch and returns how many rows it took.

It sees every feature's tables by name only, so a feature need not know of it.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.core.database import Base

ENDED = "ended:"


def _table(name: str) -> sa.Table:
    return Base.metadata.tables[name]


def _belongs_to_open_case(conversation_id: sa.ColumnElement[str], statuses: Sequence[str]) -> sa.ColumnElement[bool]:
    cases = _table("cases")
    return sa.exists().where(cases.c.conversation_id == conversation_id, cases.c.status.in_(statuses))


def _delete(session: Session, table: sa.Table, found: sa.Select[tuple[object, ...]]) -> int:
    key = sa.tuple_(*table.primary_key.columns)
    rows = session.execute(found).all()
    if rows:
        session.execute(sa.delete(table).where(key.in_([tuple(row) for row in rows])))
    return len(rows)


def delete_messages(session: Session, before: datetime, open_statuses: Sequence[str], limit: int) -> int:
    """Messages whose turn is over, except of conversations with an open case."""
    table = _table("messages")
    owned = _belongs_to_open_case(table.c.conversation_id, open_statuses)
    found = (
        sa.select(*table.primary_key.columns)
        .where(table.c.created_at < before, table.c.state != "received", ~owned)
        .order_by(table.c.created_at)
        .limit(limit)
    )
    return _delete(session, table, found)


def delete_files(session: Session, before: datetime, open_statuses: Sequence[str], limit: int) -> int:
    """Photos and documents, except of conversations with an open case."""
    table = _table("conversation_attachments")
    owned = _belongs_to_open_case(table.c.conversation_id, open_statuses)
    found = sa.select(*table.primary_key.columns).where(table.c.created_at < before, ~owned).limit(limit)
    return _delete(session, table, found)


def delete_identifiers(session: Session, before: datetime, open_statuses: Sequence[str], limit: int) -> int:
    """Identifiers that first came in a message older than `before` or in one that is gone, except of conversations with
    an open case."""
    table, messages = _table("conversation_identifiers"), _table("messages")
    newer = sa.exists().where(
        messages.c.conversation_id == table.c.conversation_id,
        messages.c.seq == table.c.first_seq,
        messages.c.created_at >= before,
    )
    conversations = _table("conversations")
    young = sa.exists().where(conversations.c.id == table.c.conversation_id, conversations.c.created_at >= before)
    owned = _belongs_to_open_case(table.c.conversation_id, open_statuses)
    found = sa.select(*table.primary_key.columns).where(~newer, ~young, ~owned).limit(limit)
    return _delete(session, table, found)


def end_tokens(session: Session, before: datetime, limit: int) -> int:
    """Let the tokens of conversations that were silent since `before` open nothing any more."""
    table, messages = _table("conversations"), _table("messages")
    spoken = sa.exists().where(messages.c.conversation_id == table.c.id, messages.c.created_at >= before)
    live = table.c.created_at < before, ~table.c.token_hash.startswith(ENDED), ~spoken
    ids = session.scalars(sa.select(table.c.id).where(*live).limit(limit)).all()
    if ids:
        session.execute(
            sa.update(table).where(table.c.id.in_(ids)).values(token_hash=sa.literal(ENDED) + table.c.id, origin="")
        )
    return len(ids)


def delete_sessions(session: Session, before: datetime, limit: int) -> int:
    """Logins of staff that ended before `before`."""
    table = _table("staff_sessions")
    found = sa.select(*table.primary_key.columns).where(table.c.expires_at < before).limit(limit)
    return _delete(session, table, found)


def delete_notices(session: Session, before: datetime, limit: int) -> int:
    """What staff were told, with who has read it."""
    table, reads = _table("staff_notices"), _table("staff_notice_reads")
    ids = session.scalars(sa.select(table.c.id).where(table.c.at < before).order_by(table.c.id).limit(limit)).all()
    if ids:
        session.execute(sa.delete(reads).where(reads.c.notice_id.in_(ids)))
        session.execute(sa.delete(table).where(table.c.id.in_(ids)))
    return len(ids)


def delete_audit(session: Session, before: datetime, limit: int) -> int:
    table = _table("audit_log")
    found = sa.select(*table.primary_key.columns).where(table.c.at < before).order_by(table.c.at).limit(limit)
    return _delete(session, table, found)
