"""The outbox, for channels of others, and the notices that staff read at their console."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime
from services.core.leases import Leased

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class OutboxRow(Leased, Base):
    """What goes out through a system of others; whoever sends it holds its lease."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index(
            "ix_outbox_pending",
            "next_attempt_at",
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        ),
        sa.Index("ix_outbox_parked", "recipient", sqlite_where=sa.text("parked"), postgresql_where=sa.text("parked")),
        sa.Index("ix_outbox_dead", "id", sqlite_where=sa.text("dead"), postgresql_where=sa.text("dead")),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    recipient: Mapped[str] = mapped_column(sa.String(120))
    kind: Mapped[str] = mapped_column(sa.String(40))
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    dedupe_key: Mapped[str] = mapped_column(sa.String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dead: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    last_error: Mapped[str | None] = mapped_column(sa.String(200))
    # The channel lets nothing through until the citizen speaks again.
    parked: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())


class StaffNotice(Base):
    """What a person, role or department is told; once for each `dedupe_key`."""

    __tablename__ = "staff_notices"

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    recipient: Mapped[str] = mapped_column(sa.String(120), index=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    dedupe_key: Mapped[str] = mapped_column(sa.String(200), unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeRead(Base):
    """That a person has read a notice, which may have been told to many."""

    __tablename__ = "staff_notice_reads"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    notice_id: Mapped[int] = mapped_column(
        BIG_ID, sa.ForeignKey("staff_notices.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReachableAt(Base):
    """How a citizen is reached on a channel that knows them by an id of its own, such as WeChat's openid."""

    __tablename__ = "reachable_at"

    recipient: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    account: Mapped[str] = mapped_column(sa.String(32))
    address_encrypted: Mapped[str] = mapped_column(sa.Text)
    heard_at: Mapped[datetime] = mapped_column(UtcDateTime)
