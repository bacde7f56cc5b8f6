"""Which slots a message fills: what it says, what the citizen has bound, what belongs to what."""

from __future__ import annotations

from collections.abc import Mapping

from components.forms import Form, Slot, forms
from components.routes import FORM_OF_INTENT, SIBLINGS
from components.turn import Entity, Turn
from services.understanding.words import named_option


def values_of(turn: Turn, form: str, *, asked: str | None = None, words: bool | None = None) -> tuple[Entity, ...]:
    """The slot values that a message holds for a form, under the names of the slots.

    Words of an option count when the message is about this form, when they were asked for, or with `words`.
    """
    spec = forms()[form]
    about = FORM_OF_INTENT.get(turn.intent) == form or any(turn.has(slot.entity) for slot in spec.slots)
    found: list[Entity] = []
    for slot in spec.slots:
        if slot.kind == "options":
            said = slot.name == asked or about or bool(words)
            kind = (
                named_option(slot.options, turn.text, asked=slot.name == asked, only=slot.pick == "only")
                if said
                else None
            )
            if kind is not None:
                found.append(Entity(slot.name, kind, 0, 0))
            continue
        given = next((entity for entity in turn.entities if entity.type == slot.entity), None)
        if given is not None:
            found.append(Entity(slot.name, given.value, given.start, given.end))
    # What the lookup will want besides may stand in the same message.
    besides = [
        slot for name in SIBLINGS[form] if name != form and forms()[name].completes for slot in forms()[name].slots
    ]
    for slot in besides if found else ():
        given = next((entity for entity in turn.entities if entity.type == slot.entity), None)
        if given is not None:
            found.append(Entity(slot.name, given.value, given.start, given.end))
    return tuple(found)


def known_values(turn: Turn, form: Form, given: Mapping[str, str | None]) -> tuple[Entity, ...]:
    """What the citizen has bound fills the slots that are left, when only one binding fits what was said.

    With several the question stays, and offers them (services/conversations). What was said is never replaced.
    """
    said = {slot: value for slot, value in given.items() if value is not None}
    fitting = [
        record
        for record in turn.bound
        if any(slot in record for slot in form.slot_names)
        and all(_means(form, slot, value, record[slot]) for slot, value in said.items() if slot in record)
    ]
    own = {tuple((slot, record[slot]) for slot in form.slot_names if slot in record) for record in fitting}
    if len(own) != 1:
        return ()
    return tuple(Entity(slot, value, 0, 0) for slot, value in own.pop() if slot not in said)


def _means(form: Form, slot: str, said: str, bound: str) -> bool:
    """Whether two values are the same; a kind may have been named in other words."""
    if said == bound:
        return True
    spec = form.slot(slot)
    return spec.kind == "options" and named_option(spec.options, bound, asked=True, only=spec.pick == "only") == said


def bound_text(form: Form, known: tuple[Entity, ...]) -> str:
    """What is said when bound values fill a form."""
    slot = next((slot for slot in form.slots if slot.kind == "identifier" and _has(known, slot.name)), None)
    if slot is None:
        return "好的，用您绑定的信息办理。"
    value = next(entity.value for entity in known if entity.type == slot.name)
    return f"好的，用您绑定的{slot.labels[0] if slot.labels else ''}{value}。"


def _has(entities: tuple[Entity, ...], name: str) -> bool:
    return any(entity.type == name for entity in entities)


def as_entities(values: dict[str, str]) -> list[Entity]:
    """Slot values as entities that stand nowhere in the text."""
    return [Entity(name, value, 0, 0) for name, value in values.items()]


def mistaken_slot(form: Form, text: str, given: Mapping[str, str]) -> Slot | None:
    """The slot that a text calls wrong; without a name the one filled last."""
    filled = [slot for slot in form.slots if slot.name in given]
    for slot in filled:
        if any(label in text for label in slot.labels):
            return slot
    return filled[-1] if filled else None


def followers(form: Form, names: set[str]) -> set[str]:
    """The slots whose values belong to one of these slots (the engine number to the plate)."""
    return {slot.name for slot in form.slots if slot.follows in names}


def sibling_form(turn: Turn, form: Form) -> Form | None:
    """Another form of the same lookup, when the message brings what only that one asks for."""
    for name in SIBLINGS[form.name]:
        if name != form.name and any(
            turn.has(slot.entity) for slot in forms()[name].slots if slot.kind in ("identifier", "entity")
        ):
            return forms()[name]
    return None
