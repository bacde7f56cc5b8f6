"""Staff accounts, their sessions, and what is remembered of tries to log in."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime


class StaffAccount(Base):
    __tablename__ = "staff_accounts"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(16))
    department: Mapped[str | None] = mapped_column(sa.String(100))
    # What citizens read instead of the name; without one, the post of the role.
    post: Mapped[str | None] = mapped_column(sa.String(32))
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Of a one-time password: it opens only the page that changes it, and nothing after this moment.
    change_by: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffSession(Base):
    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.ForeignKey("staff_accounts.name", ondelete="CASCADE"), index=True)
    address: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StaffAddress(Base):
    """An address that somebody has logged in from."""

    __tablename__ = "staff_addresses"

    name: Mapped[str] = mapped_column(sa.ForeignKey("staff_accounts.name", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LoginFailures(Base):
    """Wrong passwords of a name from an address; an empty one stands for all of them.

    The name is a keyed hash: people also type passwords where a name belongs.
    """

    __tablename__ = "login_failures"

    name_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(sa.Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
