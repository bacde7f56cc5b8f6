"""Danger to life in a citizen's message, found before and without Rasa.

    detect(text, heard)       -> Urgency | None; `heard` is the text's embedding, if there is one (`wants_hearing`)
    likelihood(text, heard)   -> the probability of danger in a short message, to be weighed against another judge's
    presumed(text)            -> the Urgency of a message that another judge takes for danger
    emergency_reply(urgency, watch) -> the Chinese text that is sent at once; `watch` is who knows of it
    following(text, kinds)    -> what a message after the report is about, company_reply(...) what is said to it

Pure: no database, no network, no clock.
"""

from services.understanding.danger.company import LASTS, Following, company_reply, following
from services.understanding.danger.detector import (
    Category,
    Level,
    Urgency,
    detect,
    likelihood,
    presumed,
    wants_hearing,
)
from services.understanding.danger.judge import Heard, Vector
from services.understanding.danger.replies import Watch, emergency_reply

__all__ = [
    "LASTS",
    "Category",
    "Following",
    "Heard",
    "Level",
    "Urgency",
    "Vector",
    "Watch",
    "company_reply",
    "detect",
    "emergency_reply",
    "following",
    "likelihood",
    "presumed",
    "wants_hearing",
]
