"""Conversations, their messages, and the identifiers that left the messages' text."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import ROWS_AT_ONCE, Base, UtcDateTime
from services.core.leases import Leased


class Conversation(Leased, Base):
    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Sequence numbers are given out under this row's lock, so they become visible in their order.
    last_seq: Mapped[int] = mapped_column(sa.Integer, default=0)
    handler: Mapped[str] = mapped_column(sa.String(8), default="bot")
    clerk: Mapped[str | None] = mapped_column(sa.String(64))
    clerk_active_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    case_no: Mapped[str | None] = mapped_column(sa.String(24))
    misses: Mapped[int] = mapped_column(sa.Integer, default=0)
    requested_slot: Mapped[str | None] = mapped_column(sa.String(40))
    # The entry that was answered last, until something else is spoken of.
    topic: Mapped[str | None] = mapped_column(sa.String(128))
    consent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What waits for consent: a message of the citizen, or what the dialogue wanted to say.
    deferred_seq: Mapped[int | None] = mapped_column(sa.Integer)
    deferred_payloads: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON)
    # The account of the platform that the citizen talks to (None: the default one), and where its menu stands.
    account: Mapped[str | None] = mapped_column(sa.String(32))
    menu_place: Mapped[str | None] = mapped_column(sa.String(8))
    menu_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Where its citizen wrote from last: a keyed hash of the address; empty when nobody knows.
    origin: Mapped[str] = mapped_column(sa.String(64), default="", server_default="")
    # The open talk about a binding or a phone (services.bindings): placeholders and words, never a number.
    talk: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        sa.UniqueConstraint("conversation_id", "client_message_id"),
        sa.Index(
            "ix_messages_pending",
            "conversation_id",
            "seq",
            sqlite_where=sa.text("state = 'received'"),
            postgresql_where=sa.text("state = 'received'"),
        ),
        sa.Index("ix_messages_reply", "conversation_id", "in_reply_to"),
        sa.Index(
            "ix_messages_answers",
            "created_at",
            sqlite_where=sa.text("type in ('answer', 'candidates')"),
            postgresql_where=sa.text("type in ('answer', 'candidates')"),
        ),
        sa.Index(
            "ix_messages_dedupe_key",
            "dedupe_key",
            unique=True,
            sqlite_where=sa.text("dedupe_key IS NOT NULL"),
            postgresql_where=sa.text("dedupe_key IS NOT NULL"),
        ),
    )

    conversation_id: Mapped[str] = mapped_column(sa.ForeignKey("conversations.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    sender: Mapped[str] = mapped_column(sa.String(8))
    type: Mapped[str] = mapped_column(sa.String(12))
    text_encrypted: Mapped[str] = mapped_column(sa.Text)
    extra: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict, info={"encrypted": ["entities", "data"]})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Of a citizen's message: 'received' until its turn is over, then 'done'. None for what we say.
    state: Mapped[str | None] = mapped_column(sa.String(10))
    client_message_id: Mapped[str | None] = mapped_column(sa.String(64))
    in_reply_to: Mapped[int | None] = mapped_column(sa.Integer)
    route: Mapped[str | None] = mapped_column(sa.String(20))
    confidence: Mapped[float | None] = mapped_column(sa.Float)
    case_no: Mapped[str | None] = mapped_column(sa.String(24))
    # Of the first message of what was said outside of a turn: what makes it be said once.
    dedupe_key: Mapped[str | None] = mapped_column(sa.String(200))


class Attachment(Base):
    """What a citizen sent as a file; the message `seq` says so."""

    __tablename__ = "conversation_attachments"
    __table_args__ = (sa.Index("ix_attachments_conversation", "conversation_id"), {"info": {ROWS_AT_ONCE: 10}})

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(sa.ForeignKey("conversations.id"))
    seq: Mapped[int] = mapped_column(sa.Integer)
    media_type: Mapped[str] = mapped_column(sa.String(40))
    content_encrypted: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Identifier(Base):
    """An identifier that a placeholder stands for in this conversation's texts."""

    __tablename__ = "conversation_identifiers"
    __table_args__ = (sa.UniqueConstraint("conversation_id", "type", "value_hash"),)

    conversation_id: Mapped[str] = mapped_column(sa.ForeignKey("conversations.id"), primary_key=True)
    placeholder: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    type: Mapped[str] = mapped_column(sa.String(20))
    value_encrypted: Mapped[str] = mapped_column(sa.Text)
    value_hash: Mapped[str] = mapped_column(sa.String(64))
    masked: Mapped[str] = mapped_column(sa.String(40))
    first_seq: Mapped[int] = mapped_column(sa.Integer)
