"""What the decision reads: one message with its metadata, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.routes import ROUTE_OF_SLOT
from components.text import case_number, placeholders

BANDS: Final = ("answer", "candidates", "none")
IDENTIFIERS: Final = frozenset(
    {"plate", "id_card", "license_file_no", "household_no", "phone", "engine_tail", "case_no"}
)
"""Entity types that name one thing; a message that is nothing else is about that thing."""


@dataclass(frozen=True)
class Entity:
    """One entity: `value` is a placeholder or the substring, `start`/`end` are offsets into the text."""

    type: str
    value: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Turn:
    """A message as the decision sees it. `requested_slot` is None outside every form."""

    text: str
    ranking: tuple[tuple[str, float], ...]
    band: str = "none"
    confidence: float = 0.0
    entities: tuple[Entity, ...] = ()
    misses: int = 0
    requested_slot: str | None = None
    failures: int = 0

    @property
    def intent(self) -> str:
        """The classifier's first choice."""
        return self.ranking[0][0]

    @property
    def probability(self) -> float:
        """How sure the classifier is of its first choice, 0 to 1."""
        return self.ranking[0][1]

    def probability_of(self, intent: str) -> float:
        """Probability of an intent, 0 when it is not among the ranked ones."""
        return dict(self.ranking).get(intent, 0.0)

    def has(self, *types: str) -> bool:
        """Whether an entity of one of the types is there."""
        return any(entity.type in types for entity in self.entities)


def read_turn(
    text: str,
    ranking: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, Any] | None,
    requested_slot: str | None = None,
    failures: int = 0,
) -> Turn:
    """Build a Turn; whatever of the metadata is missing or malformed counts as absent.

    `requested_slot` and `failures` are the conversation's: what a form waits for, and how many answers to
    it in a row did not fit.

    Placeholders and case numbers in the text that the metadata does not list are added: the text itself
    is the truth about them.
    """
    given = metadata if isinstance(metadata, Mapping) else {}
    knowledge = given.get("knowledge")
    knowledge = knowledge if isinstance(knowledge, Mapping) else {}
    band = knowledge.get("band")
    hits = knowledge.get("hits")
    best = hits[0].get("confidence") if isinstance(hits, list) and hits and isinstance(hits[0], Mapping) else None
    entities = [entity for entity in map(_entity, given.get("entities") or []) if entity is not None]
    covered = [(entity.start, entity.end) for entity in entities]
    found = [Entity(*parts) for parts in placeholders(text)]
    number = case_number(text)
    if number is not None:
        found.append(Entity("case_no", *number))
    entities += [e for e in found if not any(e.start < end and start < e.end for start, end in covered)]
    return Turn(
        text=text,
        ranking=tuple((str(item["name"]), float(item["confidence"])) for item in ranking) or (("faq", 0.0),),
        band=band if band in BANDS and (band == "none" or hits) else "none",
        confidence=float(best) if isinstance(best, int | float) else 0.0,
        entities=tuple(entities),
        misses=_count(given.get("misses")),
        requested_slot=requested_slot if requested_slot in ROUTE_OF_SLOT else None,
        failures=failures,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _entity(item: object) -> Entity | None:
    if not isinstance(item, Mapping):
        return None
    kind, value, start, end = (item.get(key) for key in ("type", "value", "start", "end"))
    if not isinstance(kind, str) or not isinstance(value, str):
        return None
    if not isinstance(start, int) or not isinstance(end, int):
        return Entity(kind, value, 0, 0)
    return Entity(kind, value, start, end)
