"""What extraction finds: one typed span of a citizen's message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from services.understanding.placeholders import PLACEHOLDER_NAMES

EntityType = Literal[
    "plate",
    "id_card",
    "license_file_no",
    "household_no",
    "phone",
    "phone_tail",
    "engine_tail",
    "case_no",
    "datetime",
    "service",
    "location",
]

ENTITY_TYPES: frozenset[str] = frozenset(get_args(EntityType))

IDENTIFIER_TYPES: frozenset[str] = frozenset(PLACEHOLDER_NAMES)


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a message.

    `value` is exactly `text[start:end]` of the message it was found in (offsets in characters).
    `normalised` is the canonical form: upper case without separators for identifiers, ISO 8601 for a
    datetime when `now` was given, simplified Chinese otherwise. `valid` is False for something that
    has the shape of an identifier but fails its check (checksum, length): it is still hidden.
    """

    type: EntityType
    value: str
    start: int
    end: int
    normalised: str
    valid: bool = True

    @property
    def is_identifier(self) -> bool:
        """True for the types that must leave the text before anything else reads it."""
        return self.type in IDENTIFIER_TYPES

    def at(self, start: int, value: str | None = None) -> Entity:
        """The same entity at another offset, optionally with another surface form."""
        surface = self.value if value is None else value
        return replace(self, value=surface, start=start, end=start + len(surface))
