"""Tables of what citizens have proved and chosen. Numbers are encrypted; a keyed hash finds them again.

A `citizen` is the conversation that is one person's for good: that of a WeChat openid, or of a browser's token.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class CitizenRules(Base):
    """One applied version of citizens.yaml; the newest counts."""

    __tablename__ = "citizen_rules"

    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(sa.String(64))
    content: Mapped[str] = mapped_column(sa.Text)  # JSON as it was written
    applied_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PhoneCode(Base):
    """A one-time code that was sent; only its keyed hash is kept. The newest of a citizen and purpose counts."""

    __tablename__ = "phone_codes"
    __table_args__ = (
        sa.Index("ix_phone_codes_phone", "phone_hash", "created_at"),
        sa.Index("ix_phone_codes_citizen", "citizen", "created_at"),
        sa.Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    citizen: Mapped[str] = mapped_column(sa.String(36))
    purpose: Mapped[str] = mapped_column(sa.String(16))
    phone_hash: Mapped[str] = mapped_column(sa.String(64))
    phone_encrypted: Mapped[str] = mapped_column(sa.Text)
    phone_masked: Mapped[str] = mapped_column(sa.String(20))
    code_hash: Mapped[str] = mapped_column(sa.String(64))
    tries: Mapped[int] = mapped_column(sa.Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PhoneOwned(Base):
    """A citizen typed the code that was sent to this number."""

    __tablename__ = "verified_phones"

    citizen: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    phone_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    phone_encrypted: Mapped[str] = mapped_column(sa.Text)
    phone_masked: Mapped[str] = mapped_column(sa.String(20))
    verified_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ReminderChoice(Base):
    """Whether a citizen wants this kind of reminder; without a row: no."""

    __tablename__ = "reminder_choices"

    citizen: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    wanted: Mapped[bool] = mapped_column(sa.Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReminderSent(Base):
    """What a citizen has been told, or need not be told: once each. `subject` is what it is about, `mark` which one."""

    __tablename__ = "reminders_sent"

    citizen: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    told: Mapped[bool] = mapped_column(sa.Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
