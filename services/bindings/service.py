"""Bindings: what a citizen has bound once, so that it is asked for nothing twice.

    intent = service.understand(said, draft, now)              # pure: what a message means for the talk
    answered = talks.answer(uow, citizen, draft, intent, ...)  # in the turn's transaction
    service.of_citizen(uow, secrets, conversation_id)

Never commits.
"""

from services.bindings.keeping import bind, of_citizen, unbind, visit
from services.bindings.schemas import TYPES, Answered, Bound, Check, Draft, Hidden, Intent, Reply, Said
from services.bindings.talk import expected, is_open, needs_check, understand
from services.bindings.turns import Talks

__all__ = [
    "TYPES",
    "Answered",
    "Bound",
    "Check",
    "Draft",
    "Hidden",
    "Intent",
    "Reply",
    "Said",
    "Talks",
    "bind",
    "expected",
    "is_open",
    "needs_check",
    "of_citizen",
    "unbind",
    "understand",
    "visit",
]
