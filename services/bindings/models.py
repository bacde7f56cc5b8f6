"""Tables of bindings and of the scans over them. Identifiers are encrypted; a keyed hash finds them again."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime
from services.core.leases import Leased

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Binding(Base):
    """What a citizen bound. It is deleted, not marked, when it is given up: every row is live.

    `scanned_at` is the last time that its system was asked for every kind of reminder; None before the first.
    """

    __tablename__ = "bindings"
    __table_args__ = (sa.UniqueConstraint("citizen", "kind", "identifier_hash"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    citizen: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(16))
    identifier_hash: Mapped[str] = mapped_column(sa.String(64), index=True)
    values_encrypted: Mapped[str] = mapped_column(sa.Text)  # JSON: slot -> value
    masked: Mapped[str] = mapped_column(sa.String(40))
    phone_hash: Mapped[str] = mapped_column(sa.String(64))
    consent_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # Kinds of reminder whose first look is over; what was there by then is not told.
    seen: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    scanned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Scan(Leased, Base):
    """The scan over all bindings: where it is, and which worker has it. One row."""

    __tablename__ = "binding_scans"

    name: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    round: Mapped[int] = mapped_column(sa.Integer, default=0)
    after_id: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    looked: Mapped[int] = mapped_column(sa.Integer, default=0)
    told: Mapped[int] = mapped_column(sa.Integer, default=0)
    failed: Mapped[int] = mapped_column(sa.Integer, default=0)
