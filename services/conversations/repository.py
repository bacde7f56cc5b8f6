"""All SQL of conversations.

What every message asks is built once, below: building a statement takes longer than SQLite takes to answer it.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.conversations.models import Attachment, Conversation, Identifier, Message
from services.core.leases import is_free

RECEIVED, DONE = "received", "done"

_OF_CONVERSATION = Message.conversation_id == sa.bindparam("conversation_id")
_LOCK = (
    sa.select(Conversation)
    .where(Conversation.id == sa.bindparam("conversation_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_BY_TOKEN_HASH = sa.select(Conversation).where(Conversation.token_hash == sa.bindparam("token_hash"))
_BY_CLIENT_ID = sa.select(Message).where(_OF_CONVERSATION, Message.client_message_id == sa.bindparam("client_id"))
_HEARD_BEFORE = (
    sa.select(Message.created_at)
    .where(_OF_CONVERSATION, Message.seq < sa.bindparam("seq"), Message.sender == "citizen")
    .order_by(Message.seq.desc())
    .limit(1)
)
_PENDING_COUNT = sa.select(sa.func.count()).where(_OF_CONVERSATION, Message.state == RECEIVED)
_NEXT_PENDING = sa.select(Message).where(_OF_CONVERSATION, Message.state == RECEIVED).order_by(Message.seq).limit(1)


def conversation(session: Session, conversation_id: str) -> Conversation | None:
    return session.get(Conversation, conversation_id)


def lock(session: Session, conversation_id: str) -> Conversation | None:
    """The conversation with its row locked until the end of the transaction."""
    return session.scalar(_LOCK, {"conversation_id": conversation_id})


def by_token_hash(session: Session, token_hash: str) -> Conversation | None:
    return session.scalar(_BY_TOKEN_HASH, {"token_hash": token_hash})


def by_client_id(session: Session, conversation_id: str, client_message_id: str) -> Message | None:
    return session.scalar(_BY_CLIENT_ID, {"conversation_id": conversation_id, "client_id": client_message_id})


def message(session: Session, conversation_id: str, seq: int) -> Message | None:
    return session.get(Message, (conversation_id, seq))


def was_delivered(session: Session, dedupe_key: str) -> bool:
    return session.scalar(sa.select(Message.seq).where(Message.dedupe_key == dedupe_key)) is not None


def replies_to(session: Session, conversation_id: str, seq: int) -> Sequence[Message]:
    return session.scalars(
        sa.select(Message)
        .where(Message.conversation_id == conversation_id, Message.in_reply_to == seq)
        .order_by(Message.seq)
    ).all()


def messages_after(session: Session, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
    return session.scalars(
        sa.select(Message)
        .where(Message.conversation_id == conversation_id, Message.seq > after)
        .order_by(Message.seq)
        .limit(limit)
    ).all()


def latest_messages(session: Session, conversation_id: str, limit: int) -> Sequence[Message]:
    """The newest `limit` messages, oldest first."""
    newest = session.scalars(
        sa.select(Message).where(Message.conversation_id == conversation_id).order_by(Message.seq.desc()).limit(limit)
    ).all()
    return newest[::-1]


def heard_before(session: Session, conversation_id: str, seq: int) -> datetime | None:
    """When the citizen's message before this one came."""
    return session.scalar(_HEARD_BEFORE, {"conversation_id": conversation_id, "seq": seq})


def pending_count(session: Session, conversation_id: str) -> int:
    return session.scalar(_PENDING_COUNT, {"conversation_id": conversation_id}) or 0


def next_pending(session: Session, conversation_id: str) -> Message | None:
    return session.scalar(_NEXT_PENDING, {"conversation_id": conversation_id})


def stranded(session: Session, now: datetime, before: datetime, limit: int) -> Sequence[str]:
    """Conversations with a message that has waited since `before` and that nobody works on."""
    return session.scalars(
        sa.select(Conversation.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(
            Message.state == RECEIVED,
            Message.created_at < before,
            is_free(Conversation, now),
        )
        .distinct()
        .limit(limit)
    ).all()


def answer_counts(session: Session, start: datetime | None, end: datetime | None) -> dict[str, int]:
    wanted = (
        sa.select(Message.type, sa.func.count())
        .where(Message.type.in_(("answer", "candidates")))
        .group_by(Message.type)
    )
    if start is not None:
        wanted = wanted.where(Message.created_at >= start)
    if end is not None:
        wanted = wanted.where(Message.created_at < end)
    counts: dict[str, int] = {kind: count for kind, count in session.execute(wanted).all()}
    return {"answer": counts.get("answer", 0), "candidates": counts.get("candidates", 0)}


def identifiers(session: Session, conversation_id: str) -> Sequence[Identifier]:
    return session.scalars(
        sa.select(Identifier).where(Identifier.conversation_id == conversation_id).order_by(Identifier.placeholder)
    ).all()


def identifier(session: Session, conversation_id: str, placeholder: str) -> Identifier | None:
    return session.get(Identifier, (conversation_id, placeholder))


def delete_identifiers(session: Session, conversation_id: str) -> None:
    session.execute(sa.delete(Identifier).where(Identifier.conversation_id == conversation_id))


def attachment(session: Session, conversation_id: str, attachment_id: str) -> Attachment | None:
    return session.scalar(
        sa.select(Attachment).where(Attachment.id == attachment_id, Attachment.conversation_id == conversation_id)
    )


def attachment_count(session: Session, conversation_id: str) -> int:
    return int(
        session.scalar(
            sa.select(sa.func.count()).select_from(Attachment).where(Attachment.conversation_id == conversation_id)
        )
        or 0
    )
