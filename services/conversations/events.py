"""News of conversations."""

from dataclasses import dataclass

from services.core.events import Event


@dataclass(frozen=True)
class ConversationChanged(Event):
    """Something new can be read in this conversation."""

    conversation_id: str
