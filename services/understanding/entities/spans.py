"""Bookkeeping while a message is being read: who has claimed which characters."""

from __future__ import annotations

from services.understanding.entities.entities import Entity, EntityType


class Claims:
    """Collects entities over one message; a character belongs to at most one of them."""

    def __init__(self, text: str, folded: str) -> None:
        self.text = text
        self.folded = folded
        self.entities: list[Entity] = []
        self._taken = bytearray(len(text))

    def free(self, start: int, end: int) -> bool:
        """True when no entity has claimed any character of [start, end)."""
        return not any(self._taken[start:end])

    def claim(self, kind: EntityType, start: int, end: int, normalised: str, *, valid: bool = True) -> bool:
        """Claim [start, end) for `kind`; False (and no effect) when a character is already taken."""
        if start >= end or not self.free(start, end):
            return False
        self._taken[start:end] = b"\x01" * (end - start)
        self.entities.append(Entity(kind, self.text[start:end], start, end, normalised, valid))
        return True

    def has(self, kind: EntityType) -> bool:
        """True when an entity of this type has been found."""
        return any(entity.type == kind for entity in self.entities)

    def masked(self) -> str:
        """The folded text with claimed characters blanked (U+0000), same length."""
        return "".join("\0" if taken else char for char, taken in zip(self.folded, self._taken, strict=True))
