"""What the decision reads: one message with its metadata, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from components.routes import FORM_OF_SLOT, LOOKUP_FORMS, ROUTE_OF_SLOT, SLOTS_OF_FORM
from services.understanding.placeholders import case_number, placeholders

_MOST_BOUND: Final = 50
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
class Memory:
    """The last lookup: its form, the values it was asked with (placeholders), and the place in its list."""

    form: str
    values: Mapping[str, str]
    at: int = 0


@dataclass(frozen=True)
class State:
    """What the conversation says about itself before the message.

    filled: slot -> value. paused: forms that another one interrupted, the latest last; they are taken up by
    themselves. parked: a form that was left and is taken up on "继续". memory: the last lookup.
    """

    requested_slot: str | None = None
    failures: int = 0
    filled: Mapping[str, Any] = field(default_factory=dict)
    paused: tuple[str, ...] = ()
    parked: str | None = None
    memory: Memory | None = None


@dataclass(frozen=True)
class Turn:
    """A message as the decision sees it. `requested_slot` is None outside every form.

    `idle` is the silence before it in seconds; `control` names a turn that no citizen wrote ("expire").
    `on_topic` says that the hits were found by what was answered before. `bound` is what the citizen has bound, each
    as slot -> value (placeholders for identifiers).
    """

    text: str
    ranking: tuple[tuple[str, float], ...]
    band: str = "none"
    confidence: float = 0.0
    entities: tuple[Entity, ...] = ()
    misses: int = 0
    requested_slot: str | None = None
    failures: int = 0
    filled: Mapping[str, Any] = field(default_factory=dict)
    paused: tuple[str, ...] = ()
    parked: str | None = None
    memory: Memory | None = None
    idle: float = 0.0
    control: str | None = None
    on_topic: bool = False
    bound: tuple[Mapping[str, str], ...] = ()

    @property
    def form(self) -> str | None:
        """The form that waits for an answer."""
        return FORM_OF_SLOT[self.requested_slot] if self.requested_slot else None

    def given(self, form: str) -> dict[str, str]:
        """What the slots of a form hold, by slot."""
        return {name: str(self.filled[name]) for name in SLOTS_OF_FORM[form] if self.filled.get(name) is not None}

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
    state: State | None = None,
) -> Turn:
    """Build a Turn; whatever of the metadata is missing or malformed counts as absent.

    `state` is the conversation's: what a form waits for, and how many answers to it in a row did not fit.

    Placeholders and case numbers in the text that the metadata does not list are added: the text itself
    is the truth about them.
    """
    given = metadata if isinstance(metadata, Mapping) else {}
    state = state or State()
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
        requested_slot=state.requested_slot if state.requested_slot in ROUTE_OF_SLOT else None,
        failures=state.failures,
        filled=state.filled,
        paused=tuple(form for form in state.paused if form in SLOTS_OF_FORM),
        parked=state.parked if state.parked in SLOTS_OF_FORM else None,
        memory=state.memory,
        idle=float(_count(given.get("idle"))),
        on_topic=given.get("on_topic") is True,
        bound=_bound(given.get("bound")),
        control=str(given["control"]) if isinstance(given.get("control"), str) else None,
    )


def read_memory(value: object) -> Memory | None:
    """The slot `memory` as an action left it; None when there is none or its form is no longer there."""
    if not isinstance(value, Mapping) or value.get("form") not in LOOKUP_FORMS:
        return None
    form, values = str(value["form"]), value.get("values")
    known = values if isinstance(values, Mapping) else {}
    kept = {name: str(known[name]) for name in SLOTS_OF_FORM[form] if known.get(name) is not None}
    return Memory(form, kept, _count(value.get("at")))


def _bound(value: object) -> tuple[Mapping[str, str], ...]:
    """Records of texts; whatever is malformed counts as absent."""
    records = value if isinstance(value, list) else []
    return tuple(
        {str(slot): text for slot, text in record.items() if isinstance(text, str)}
        for record in records[:_MOST_BOUND]
        if isinstance(record, Mapping)
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
