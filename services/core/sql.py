"""What both databases know, each through its own construct."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert(session: Session, table: type[Any]) -> Any:
    """An INSERT with ON CONFLICT and RETURNING."""
    return postgresql.insert(table) if is_postgresql(session) else sqlite.insert(table)


def is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def lock_hashes(session: Session, *hashes: str) -> None:
    """Until the transaction ends nobody else gets past here with one of these hashes (hex).

    Always taken in the same order. SQLite has one writer anyway.
    """
    if is_postgresql(session):
        for key in sorted(int(one[:15], 16) for one in hashes):
            session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
