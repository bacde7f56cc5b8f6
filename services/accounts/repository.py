"""All SQL of accounts."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.accounts.models import LoginFailures, StaffAccount, StaffAddress, StaffSession
from services.core.sql import insert

ANY = ""
CLEARED_AT_ONCE = 100


def get(session: Session, name: str, *, lock: bool = False) -> StaffAccount | None:
    return session.get(StaffAccount, name, with_for_update=lock or None)


def count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(StaffAccount)) or 0


def all_accounts(session: Session, now: datetime) -> Sequence[tuple[StaffAccount, int, datetime | None]]:
    """Every account by name, with its living sessions and when somebody last logged in."""
    living = (
        sa.select(sa.func.count())
        .where(StaffSession.name == StaffAccount.name, StaffSession.expires_at > now)
        .scalar_subquery()
    )
    last = sa.select(sa.func.max(StaffAddress.last_at)).where(StaffAddress.name == StaffAccount.name).scalar_subquery()
    return session.execute(sa.select(StaffAccount, living, last).order_by(StaffAccount.name)).tuples().all()


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


def living_sessions(session: Session, name: str, now: datetime) -> Sequence[StaffSession]:
    """The newest first."""
    found = sa.select(StaffSession).where(StaffSession.name == name, StaffSession.expires_at > now)
    return session.scalars(found.order_by(StaffSession.created_at.desc())).all()


def delete_session(session: Session, token_hash: str) -> None:
    session.execute(sa.delete(StaffSession).where(StaffSession.token_hash == token_hash))


def delete_sessions(session: Session, name: str, *, but: str | None = None) -> int:
    """End the sessions of a name, all `but` the one with this token hash; returns how many."""
    statement = sa.delete(StaffSession).where(StaffSession.name == name).returning(StaffSession.token_hash)
    return len(session.scalars(statement if but is None else statement.where(StaffSession.token_hash != but)).all())


def delete_expired_sessions(session: Session, now: datetime) -> None:
    session.execute(sa.delete(StaffSession).where(StaffSession.expires_at <= now))


def has_entered(session: Session, name: str, address: str) -> bool:
    """Whether that name has logged in from that address."""
    return session.get(StaffAddress, (name, address)) is not None


def note_entered(session: Session, name: str, address: str, now: datetime) -> None:
    statement = insert(session, StaffAddress).values(name=name, address=address, last_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["name", "address"], set_={"last_at": now}))


def forget_addresses(session: Session, name: str, before: datetime, keep: int) -> None:
    """Those not used since `before`, and all but the newest `keep`."""
    newest = (
        sa.select(StaffAddress.address)
        .where(StaffAddress.name == name)
        .order_by(StaffAddress.last_at.desc(), StaffAddress.address)
        .limit(keep)
    )
    gone = sa.or_(StaffAddress.last_at < before, StaffAddress.address.not_in(newest))
    session.execute(sa.delete(StaffAddress).where(StaffAddress.name == name, gone))


def failures(session: Session, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, datetime]]:
    """How many wrong passwords, and when the last, by (hash of the name, address)."""
    key = sa.tuple_(LoginFailures.name_hash, LoginFailures.address)
    found = session.scalars(sa.select(LoginFailures).where(key.in_(keys)))
    return {(row.name_hash, row.address): (row.failures, row.last_at) for row in found}


def count_failure(session: Session, keys: Collection[tuple[str, str]], now: datetime, begin_anew: datetime) -> None:
    """One more for each key; counting begins anew where the last one was before `begin_anew`."""
    # In one order, so that two transactions do not wait for each other.
    for name_hash, address in sorted(keys):
        values = {"name_hash": name_hash, "address": address, "failures": 1, "last_at": now}
        more = sa.case((LoginFailures.last_at <= begin_anew, 1), else_=LoginFailures.failures + 1)
        statement = insert(session, LoginFailures).values(values)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["name_hash", "address"], set_={"failures": more, "last_at": now}
            )
        )


def forget_failures_of(session: Session, name_hash: str, address: str | None = None) -> None:
    """Of a name from one address, or from everywhere."""
    statement = sa.delete(LoginFailures).where(LoginFailures.name_hash == name_hash)
    session.execute(statement if address is None else statement.where(LoginFailures.address == address))


def clear_failures(session: Session, before: datetime) -> None:
    """Some of those that count for nothing any more: each new one takes away more than it adds."""
    key = sa.tuple_(LoginFailures.name_hash, LoginFailures.address)
    old = (
        sa.select(LoginFailures.name_hash, LoginFailures.address)
        .where(LoginFailures.last_at <= before)
        .order_by(LoginFailures.last_at)
        .limit(CLEARED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(sa.delete(LoginFailures).where(key.in_(old)))
