"""News for a citizen that travels upward, to the conversation."""

from dataclasses import dataclass
from datetime import datetime

from services.core.events import Event


@dataclass(frozen=True)
class ReminderDue(Event):
    """A reminder that goes out once; emitted in the transaction that notes it as sent."""

    citizen: str
    kind: str
    text: str
    dedupe: str
    at: datetime
