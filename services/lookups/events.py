"""News from lookups that travels upward."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.core.events import Event


@dataclass(frozen=True)
class LookupFinished(Event):
    """A lookup the citizen was told to wait for has an outcome; emitted in the transaction that stores it."""

    conversation_id: str
    message_seq: int
    kind: str
    text: str
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class SystemBack(Event):
    """A system that a citizen waited for works again; emitted in the transaction that forgets the waiting.

    `again` is what the citizen says to ask again, empty when the connector names nothing.
    """

    conversation_id: str
    kind: str
    text: str
    again: str
    dedupe: str
    at: datetime
