"""One row per lookup, which is what makes it idempotent, resumable and countable."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime
from services.core.leases import Leased


class LookupJob(Leased, Base):
    """A lookup asked for by one message.

    `state` is running, pending, done, stale (an earlier answer, its system being down), failed, not_found or mismatch.
    The worker may take it from `next_attempt_at` on, unless somebody holds it: a killed process leaves a lease that
    runs out.
    """

    __tablename__ = "lookup_jobs"
    __table_args__ = (
        UniqueConstraint("conversation_id", "message_seq", "kind"),
        Index(None, "state", "next_attempt_at"),
        Index(None, "identifier_hash", "created_at"),
        Index(None, "origin", "created_at"),
        Index(None, "request_hash", "finished_at"),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(64))
    message_seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    parameters: Mapped[str | None] = mapped_column(
        Text, info={"encrypted": True}, doc="encrypted; forgotten when the job ends"
    )
    result: Mapped[str | None] = mapped_column(Text, info={"encrypted": True}, doc="encrypted {text, data, answer}")
    identifier_hash: Mapped[str | None] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(
        String(64), default="", server_default="", doc="a keyed hash of where it was asked from; empty: nobody knows"
    )
    request_hash: Mapped[str] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SystemOutage(Base):
    """A departmental system that is known to be down; the row goes when it answers again."""

    __tablename__ = "lookup_outages"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    last_failure_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SystemWatch(Base):
    """A citizen who wants to be told once when a system is back; the row goes with the telling."""

    __tablename__ = "lookup_watches"
    __table_args__ = (UniqueConstraint("conversation_id", "kind"), Index(None, "kind"), Index(None, "asked_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
