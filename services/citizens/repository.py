"""All SQL of citizens."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.citizens.models import CitizenRules, PhoneCode, PhoneOwned, ReminderChoice, ReminderSent
from services.core.sql import insert


def newest_rules(session: Session) -> CitizenRules | None:
    return session.scalar(sa.select(CitizenRules).order_by(CitizenRules.version.desc()).limit(1))


# -- codes ----------------------------------------------------------------------------------------------------------


def sends(session: Session, *, since: datetime, phone_hash: str, citizen: str) -> tuple[int, int, datetime | None]:
    """Codes sent to this phone, codes this citizen asked for, and when the newest went to this phone."""
    count = sa.select(sa.func.count()).select_from(PhoneCode).where(PhoneCode.created_at > since)
    newest = sa.select(sa.func.max(PhoneCode.created_at)).where(
        PhoneCode.phone_hash == phone_hash, PhoneCode.created_at > since
    )
    return (
        session.scalar(count.where(PhoneCode.phone_hash == phone_hash)) or 0,
        session.scalar(count.where(PhoneCode.citizen == citizen)) or 0,
        session.scalar(newest),
    )


def newest_code(session: Session, citizen: str, purpose: str) -> PhoneCode | None:
    """The newest code of a citizen and purpose, locked: tries are counted one after another."""
    return session.scalar(
        sa.select(PhoneCode)
        .where(PhoneCode.citizen == citizen, PhoneCode.purpose == purpose)
        .order_by(PhoneCode.id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def keep_phone(session: Session, values: dict[str, Any]) -> None:
    """The citizen has this phone since now; a number verified before gets the new moment."""
    fresh = {"phone_encrypted": values["phone_encrypted"], "verified_at": values["verified_at"]}
    statement = insert(session, PhoneOwned).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["citizen", "phone_hash"], set_=fresh))


def newest_phone(session: Session, citizen: str, since: datetime, phone_hash: str | None = None) -> PhoneOwned | None:
    query = sa.select(PhoneOwned).where(PhoneOwned.citizen == citizen, PhoneOwned.verified_at > since)
    if phone_hash is not None:
        query = query.where(PhoneOwned.phone_hash == phone_hash)
    return session.scalar(query.order_by(PhoneOwned.verified_at.desc()).limit(1))


def forget_phones(session: Session, citizen: str) -> int:
    gone = session.execute(sa.delete(PhoneOwned).where(PhoneOwned.citizen == citizen))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def delete_old(session: Session, *, codes: datetime, phones: datetime, sent: datetime) -> None:
    """Delete what is older than its retention."""
    session.execute(sa.delete(PhoneCode).where(PhoneCode.created_at < codes))
    session.execute(sa.delete(PhoneOwned).where(PhoneOwned.verified_at < phones))
    session.execute(sa.delete(ReminderSent).where(ReminderSent.at < sent))


# -- reminders ------------------------------------------------------------------------------------------------------


def choices(session: Session, citizens: Collection[str]) -> Sequence[tuple[str, str]]:
    """(citizen, kind) of every reminder that is wanted."""
    rows = session.execute(
        sa.select(ReminderChoice.citizen, ReminderChoice.kind).where(
            ReminderChoice.citizen.in_(citizens), ReminderChoice.wanted
        )
    )
    return [(row[0], row[1]) for row in rows]


def choose(session: Session, citizen: str, kind: str, wanted: bool, now: datetime) -> None:
    statement = insert(session, ReminderChoice).values(citizen=citizen, kind=kind, wanted=wanted, at=now)
    session.execute(
        statement.on_conflict_do_update(index_elements=["citizen", "kind"], set_={"wanted": wanted, "at": now})
    )


def note_sent(session: Session, values: dict[str, Any]) -> bool:
    """Note a reminder as sent; False when it was before."""
    statement = insert(session, ReminderSent).values(values).on_conflict_do_nothing().returning(ReminderSent.mark)
    return session.execute(statement).scalar_one_or_none() is not None


def forget_subject(session: Session, citizen: str, subject: str) -> None:
    session.execute(sa.delete(ReminderSent).where(ReminderSent.citizen == citizen, ReminderSent.subject == subject))
