"""Entries as editors keep them, and the published snapshots made of them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime
from services.core.leases import Leased


class KnowledgeEntry(Base):
    __tablename__ = "knowledge_entries"

    id: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    question: Mapped[str] = mapped_column(sa.Text)
    department: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    content: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    content_hash: Mapped[str] = mapped_column(sa.String(64))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(sa.String(64))


class KnowledgeSnapshot(Leased, Base):
    """A version; whoever completes the active one holds its lease. `base_version` is the one whose base it stands on
    (its own for a full one), `delta` the number of edits since, `answers_pending` of answers not embedded yet; `done`
    of `total` texts were embedded at `reported_at`.
    """

    __tablename__ = "knowledge_snapshots"

    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(12))
    entries: Mapped[int] = mapped_column(sa.Integer)
    model: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(sa.String(64))
    base_version: Mapped[int | None] = mapped_column(sa.Integer)
    delta: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    answers_pending: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    done: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    total: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ActiveSnapshot(Base):
    """One row: the version that every replica answers from."""

    __tablename__ = "knowledge_active"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    version: Mapped[int] = mapped_column(sa.ForeignKey("knowledge_snapshots.version"))


class KnowledgeFeedback(Base):
    """Whether one answer helped the citizen who got it; a second click changes the row."""

    __tablename__ = "knowledge_feedback"

    conversation_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[str] = mapped_column(sa.String(128), index=True)
    helpful: Mapped[bool] = mapped_column(sa.Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class KnowledgeDraft(Base):
    """A question with its answer that an editor has not taken in yet. `origin` says where it comes from (`case:NUMBER`)
    and makes it be drafted once; `entry_id` is what it became."""

    __tablename__ = "knowledge_drafts"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    origin: Mapped[str] = mapped_column(sa.String(64), unique=True)
    state: Mapped[str] = mapped_column(sa.String(12), index=True)
    question: Mapped[str] = mapped_column(sa.Text)
    answer: Mapped[str] = mapped_column(sa.Text)
    department: Mapped[str | None] = mapped_column(sa.String(200))
    entry_id: Mapped[str | None] = mapped_column(sa.String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(sa.String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(sa.String(64))
