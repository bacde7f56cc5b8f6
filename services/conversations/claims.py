"""How long a clerk holds a conversation."""

from datetime import datetime, timedelta

from services.conversations import texts
from services.conversations.messages import Messages
from services.conversations.models import Conversation
from services.core.database import UnitOfWork


def lapse_claim(uow: UnitOfWork, messages: Messages, row: Conversation, now: datetime, after: timedelta) -> None:
    """The bot answers again when the clerk was idle for longer than `after` (DESIGN, life of a message, 4); `row` is
    locked."""
    if row.handler == "human" and row.clerk_active_at and now - row.clerk_active_at > after:
        row.handler, row.clerk, row.clerk_active_at = "bot", None, None
        messages.say(uow, row, texts.LAPSED, now)
