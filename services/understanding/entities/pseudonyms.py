"""Hides identifiers: placeholders for the dialogue, masks for people's eyes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.understanding.entities.entities import PLACEHOLDER_LABELS, Entity
from services.understanding.entities.extractor import extract

PLACEHOLDER = re.compile("【(?:" + "|".join(PLACEHOLDER_LABELS.values()) + r")\d+】")
# Placeholders are the only thing that may stand in these brackets, so a citizen cannot type one.
_NEUTRAL = str.maketrans("【】", "〔〕")

# type -> (characters shown at the start, at the end)
_SHOWN: dict[str, tuple[int, int]] = {
    "id_card": (4, 4),
    "license_file_no": (2, 4),
    "household_no": (2, 3),
    "engine_tail": (0, 2),
    "phone_tail": (0, 1),
}


@dataclass(frozen=True, slots=True)
class Pseudonymised:
    """A message that is safe to pass on.

    `text` holds placeholders for identifiers. `entities`, ordered, are those of the message with
    offsets and `value` in `text` (value = the placeholder for an identifier, `normalised` still the
    real one). `identifiers` are the same identifiers as they stood in the original, for the vault,
    with the placeholder each became.
    """

    text: str
    entities: tuple[Entity, ...]
    identifiers: tuple[tuple[str, Entity], ...]


def mask(entity: Entity) -> str:
    """How an identifier is shown: 粤B7**92, 4401**********0007, 138****6125. Others are unchanged."""
    if not entity.is_identifier:
        return entity.value
    text = entity.normalised
    if entity.type == "plate":
        head, tail = (3, 2) if len(text) >= 7 else (2, 1)
    elif entity.type == "phone":
        head, tail = (3, 4) if len(text) >= 11 else (2, 2)
    else:
        head, tail = _SHOWN[entity.type]
    if len(text) <= head + tail:
        head, tail = 0, min(1, len(text) - 1)
    return text[:head] + "*" * (len(text) - head - tail) + (text[-tail:] if tail else "")


def pseudonymise(
    text: str,
    numbering: Callable[[str, str], int],
    *,
    now: datetime | None = None,
    expected: str | None = None,
) -> Pseudonymised:
    """Replace every identifier of `text` by a placeholder such as 【车牌1】.

    numbering: (type, normalised value) -> the number this value has in the conversation, from 1; it
    must answer the same for the same value. now, expected: as for `extract`. The brackets 【】 of the
    citizen's own text become 〔〕, so what is in 【】 afterwards is always a real placeholder.
    """
    safe = text.translate(_NEUTRAL)
    pieces: list[str] = []
    entities: list[Entity] = []
    identifiers: list[tuple[str, Entity]] = []
    length = position = 0
    for entity in extract(safe, now=now, expected=expected):
        before = safe[position : entity.start]
        surface = entity.value
        if entity.is_identifier:
            surface = f"【{PLACEHOLDER_LABELS[entity.type]}{numbering(entity.type, entity.normalised)}】"
            identifiers.append((surface, entity))
        length += len(before)
        entities.append(entity.at(length, surface))
        pieces += [before, surface]
        length += len(surface)
        position = entity.end
    pieces.append(safe[position:])
    return Pseudonymised("".join(pieces), tuple(entities), tuple(identifiers))
