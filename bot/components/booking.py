"""Whether a message goes on with an appointment that is being talked about (slot `appointment`).

The draft is no form of Rasa's: a question in between is answered, another service runs, and the next message that
fits goes on where the talk was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from components.turn import Turn

SLOT: Final = "appointment"
_ABOUT_OWN: Final = re.compile(
    r"(?:取消|退掉|改期?|改[到成]|查一?下?|我的).{0,6}(?:预约|约的号|挂的号)|改预约|退出排队|"
    r"(?:预约|挂的号|约的号).{0,4}(?:取消|退掉|改[到成期]|换到)"
)
_ASKS_HOW: Final = re.compile(r"怎么|如何|怎样|吗$|吗[?？]|什么|多少|能不能|可以不|[?？]$")
_STANDS_FOR_TIME: Final = re.compile(r"[上下]午|早上|晚上|点半?|[:：]\d\d|号|周|星期|天$")
_FITS: Final = {
    "service": ("service",),
    "hall": ("location", "service"),
    "datetime": ("datetime",),
    "phone": ("phone",),
    "confirm": ("datetime", "phone"),
    "which": ("service", "datetime"),
}
_ANSWERING: Final = frozenset({"affirm", "inform", "book_appointment"})


def draft_of(turn: Turn) -> Mapping[str, Any] | None:
    """The open draft, or None."""
    draft = turn.filled.get(SLOT)
    return draft if isinstance(draft, Mapping) else None


def manages(turn: Turn) -> bool:
    """Whether a message is about appointments that were made ("取消预约"), and no question about the rules."""
    return bool(_ABOUT_OWN.search(turn.text)) and not _ASKS_HOW.search(turn.text)


def answers(turn: Turn) -> bool:
    """Whether a message answers what was asked last about the appointment."""
    draft = draft_of(turn)
    if draft is None:
        return False
    text, step = turn.text.strip(), str(draft.get("step") or "")
    if text in (draft.get("options") or ()) or turn.intent in _ANSWERING:
        return True
    if turn.has(*_FITS.get(step, ())) or turn.has("phone"):
        return True
    if step == "datetime":
        return len(text) <= 14 and bool(_STANDS_FOR_TIME.search(text))
    # A bare name of a hall or a service, which no list but the city's own knows.
    return step in ("service", "hall") and len(text) <= 14 and turn.intent not in ("human", "urgent", "complaint")
