"""All SQL of accounts."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.accounts.models import StaffAccount, StaffSession


def get(session: Session, name: str, *, lock: bool = False) -> StaffAccount | None:
    return session.get(StaffAccount, name, with_for_update=lock or None)


def count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(StaffAccount)) or 0


def by_token_hash(session: Session, token_hash: str, now: datetime) -> StaffAccount | None:
    return session.scalar(
        sa.select(StaffAccount)
        .join(StaffSession, StaffSession.name == StaffAccount.name)
        .where(
            StaffSession.token_hash == token_hash,
            StaffSession.expires_at > now,
            StaffAccount.disabled_at.is_(None),
        )
    )


def delete_session(session: Session, token_hash: str) -> None:
    session.execute(sa.delete(StaffSession).where(StaffSession.token_hash == token_hash))


def delete_expired_sessions(session: Session, now: datetime) -> None:
    session.execute(sa.delete(StaffSession).where(StaffSession.expires_at <= now))
