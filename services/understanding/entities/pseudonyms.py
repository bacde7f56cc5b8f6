"""Hides identifiers: placeholders for the dialogue, masks for people's eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.understanding import masks
from services.understanding.entities.entities import Entity
from services.understanding.entities.extractor import extract
from services.understanding.placeholders import placeholder

# Placeholders are the only thing that may stand in these brackets, so a citizen cannot type one.
_NEUTRAL = str.maketrans("【】", "〔〕")


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
    """How an entity is shown to people: an identifier by its ends, others unchanged."""
    return masks.mask(entity.type, entity.normalised) if entity.is_identifier else entity.value


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
            surface = placeholder(entity.type, numbering(entity.type, entity.normalised))
            identifiers.append((surface, entity))
        length += len(before)
        entities.append(entity.at(length, surface))
        pieces += [before, surface]
        length += len(surface)
        position = entity.end
    pieces.append(safe[position:])
    return Pseudonymised("".join(pieces), tuple(entities), tuple(identifiers))
