"""News of appointments that a citizen hears outside of a turn; `services.container` hands it to the conversation."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.core.events import Event


@dataclass(frozen=True)
class AppointmentNews(Event):
    """Something to say in a conversation, once for each `dedupe`; `data` holds no number of a person."""

    conversation_id: str
    text: str
    dedupe: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
