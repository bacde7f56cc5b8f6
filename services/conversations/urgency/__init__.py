"""Danger to life in a citizen's message, found before and without Rasa.

    detect(text)              -> Urgency | None
    emergency_reply(urgency)  -> the Chinese text that is sent at once

Pure: no database, no network, no clock.
"""

from services.conversations.urgency.detector import Category, Level, Urgency, detect
from services.conversations.urgency.replies import emergency_reply

__all__ = ["Category", "Level", "Urgency", "detect", "emergency_reply"]
