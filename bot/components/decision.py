"""What to do with a message: the classifier's guess, the knowledge base and the form, weighed together.

Pure: a Turn and Settings in, a Decision out. Rules of the dialogue (data/rules) then only look at the
intent that this module names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from components import booking
from components.forms import Form, Slot, forms
from components.routes import FORM_OF_INTENT, ROUTE_OF_FORM, ROUTE_OF_INTENT, SIBLINGS, SLOTS_OF_FORM
from components.slot_values import (
    as_entities,
    bound_text,
    followers,
    known_values,
    mistaken_slot,
    sibling_form,
    values_of,
)
from components.turn import IDENTIFIERS, Entity, Memory, Turn
from services.understanding import phrases
from services.understanding.placeholders import without_spans

LOOKUPS: Final = frozenset(
    {*(intent for intent, form in FORM_OF_INTENT.items() if not forms()[form].opens_case), "book_appointment"}
)
GRIEVANCES: Final = frozenset({"complaint", "suggestion"})
"""Intents that open a case at once: an unsure one gives way to an answer that is known."""
BREAKING: Final = GRIEVANCES | {"human", "urgent"}
"""Intents that end a form when the classifier is reasonably sure."""
MOST_PAUSED: Final = 2
FORGOTTEN_AFTER: Final = 24 * 3600
"""Seconds of silence after which nothing of an earlier form or lookup is taken up again."""
NOT_GIVEN: Final = "未提供"

_QUESTION: Final = re.compile(r"[?？吗呢么]|怎样|多少|如何|哪|几|为啥|咋|能不能|可不可以|是不是")
_POSITION: Final = re.compile(r"^-?\d{1,2}\.\d+\s*,\s*-?\d{1,3}\.\d+")
_NOWHERE: Final = re.compile(r"什么|啥|怎么|不知道|不清楚|不晓得|没有")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Settings:
    """Thresholds; probabilities of the classifier and confidences of the knowledge base, both 0 to 1.

    faq_certain: a hit at least this confident may turn an unsure lookup or grievance into a question.
    lookup_sure: a lookup or grievance this probable stays one, whatever the knowledge base says.
    faq_share: how probable faq must be at least for that turn.
    unsure: below this first choice a message outside a form is treated as a question.
    interrupt: how probable an intent must be to break into a form.
    identifier_rest: characters beside an identifier up to which a message is "mainly an identifier".
    misses, failures: how many must have gone before for this one to lead to the offer of a human.
    """

    faq_certain: float = 0.9
    lookup_sure: float = 0.6
    faq_share: float = 0.45
    unsure: float = 0.3
    interrupt: float = 0.5
    identifier_rest: int = 4
    misses: int = 1
    failures: int = 2


@dataclass(frozen=True)
class Decision:
    """Final intent, how sure, the route of the turn, and all entities (value None empties a slot).

    `before` are payloads that are said before what the rules say.
    """

    intent: str
    confidence: float
    route: str
    entities: tuple[Entity, ...]
    before: tuple[dict[str, Any], ...] = ()


def decide(turn: Turn, settings: Settings) -> Decision:
    """The decision for one message."""
    if turn.control == "expire":
        return _expired(turn)
    if turn.requested_slot is None:
        return _outside(turn, settings)
    return _inside(turn, turn.requested_slot, settings)


def _rest(turn: Turn) -> str:
    return without_spans(turn.text, [(e.start, e.end) for e in turn.entities if e.type in IDENTIFIERS])


# -- outside of every form ------------------------------------------------------------------------------------------


def _outside(turn: Turn, settings: Settings) -> Decision:
    booked = _booking(turn, settings)
    if booked is not None:
        return booked
    resumed = _resumed(turn)
    if resumed is not None:
        return resumed
    if turn.memory is not None and not turn.on_topic:
        followed = _follow_up(turn, turn.memory, settings)
        if followed is not None:
            return followed
    return _finish(turn, _intent_outside(turn, settings), settings)


def _booking(turn: Turn, settings: Settings) -> Decision | None:
    """What goes on with an appointment that is being talked about, or is about one that was made."""
    sure = turn.probability >= settings.interrupt
    if (turn.intent in BREAKING and sure) or turn.intent == "urgent":
        return None
    if booking.manages(turn):
        return Decision("book_appointment", turn.probability, ROUTE_OF_INTENT["book_appointment"], ())
    draft = booking.draft_of(turn)
    if draft is None:
        return None
    offered = turn.text.strip() in (draft.get("options") or ())
    if not offered:
        if phrases.wants_to_stop(turn.text) or turn.intent == "cancel":
            emptied = (Entity(booking.SLOT, None, 0, 0),)
            return Decision("cancel", turn.probability, ROUTE_OF_INTENT["cancel"], emptied)
        other = turn.intent in LOOKUPS and turn.intent != "book_appointment" and sure
        if _asks(turn, settings) or (other and not turn.has("phone")):
            return None
    if offered or booking.answers(turn) or phrases.wants_on(turn.text):
        return Decision("book_appointment", turn.probability, ROUTE_OF_INTENT["book_appointment"], ())
    return None


def _intent_outside(turn: Turn, settings: Settings) -> str:
    intent = turn.intent
    if turn.on_topic and turn.band != "none" and intent not in BREAKING:
        return "faq"
    lead = next((form.intent for form in forms().values() if _leads(turn, form)), None)
    rest = _rest(turn)
    brief = not rest or (len(rest) <= settings.identifier_rest and turn.probability < settings.lookup_sure)
    if lead is not None and intent not in LOOKUPS and brief:
        return lead
    if intent in LOOKUPS or intent in GRIEVANCES:
        knows = turn.band == "answer" and turn.confidence >= settings.faq_certain
        if knows and turn.probability < settings.lookup_sure and turn.probability_of("faq") >= settings.faq_share:
            return "faq"
    if turn.probability < settings.unsure and intent != "urgent":
        return "faq"
    return intent


def _leads(turn: Turn, form: Form) -> bool:
    return any(slot.leads and turn.has(slot.entity) for slot in form.slots)


def _resumed(turn: Turn) -> Decision | None:
    """A form that was left is taken up again: on "继续", or by an answer to it that stands alone."""
    form = turn.parked or (turn.paused[-1] if turn.paused else None)
    if form is None:
        return None
    if phrases.wants_on(turn.text):
        return _reopened(turn, form)
    waits = any(slot.kind == "identifier" and turn.has(slot.entity) for slot in forms()[form].slots)
    return _reopened(turn, form) if waits and not _rest(turn) else None


def _reopened(turn: Turn, form: str, paused: tuple[str, ...] = ()) -> Decision:
    spec = forms()[form]
    entities = [*values_of(turn, form), *_stack(turn, paused)]
    if turn.parked:
        entities.append(Entity("parked", None, 0, 0))
    return Decision(_opener(form), turn.probability, spec.route, tuple(entities), (_remark(spec, _RESUMED),))


def _follow_up(turn: Turn, memory: Memory, settings: Settings) -> Decision | None:
    """What only the last lookup explains; None when the message stands for itself."""
    form = forms()[memory.form]
    text = turn.text
    if turn.intent in BREAKING and turn.probability >= settings.interrupt:
        return None
    if phrases.wants_again(text) or phrases.means_the_same(text):
        return _opened(turn, form, tuple(as_entities(dict(memory.values))), _remark(form, "好的，再查一次。"))
    given = values_of(turn, memory.form, words=phrases.corrects(text) or phrases.changes(text))
    names = {entity.type for entity in given}
    other_lookup = turn.intent in LOOKUPS and FORM_OF_INTENT.get(turn.intent) not in SIBLINGS[memory.form]
    if (phrases.corrects(text) or phrases.changes(text)) and not (other_lookup and not given):
        if not given:
            wrong = mistaken_slot(form, text, memory.values) if phrases.corrects(text) else None
            if wrong is None:
                return None
            names = {wrong.name}
        dropped = followers(form, names) if phrases.changes(text) and not phrases.corrects(text) else set()
        kept = {name: value for name, value in memory.values.items() if name not in names | dropped}
        return _opened(turn, form, (*given, *as_entities(kept)), _remark(form, "好的，按改过的重新来。"))
    if phrases.is_elliptic(text):
        detail = phrases.asked_detail(form.details, text)
        if detail is None:
            carried = _carried(turn, memory, settings)
            if carried is not None:
                return carried
    else:
        detail = phrases.asked_detail(form.details, text)
    if detail is not None and form.lookup:
        entities = (*turn.entities, Entity("about", detail, 0, 0))
        return Decision("lookup_detail", turn.probability, form.route, entities)
    return None


def _carried(turn: Turn, memory: Memory, settings: Settings) -> Decision | None:
    """ "那电费呢" after the water bill: another kind, the same household."""
    form = forms()[memory.form]
    if turn.intent in LOOKUPS and FORM_OF_INTENT.get(turn.intent) != memory.form:
        return None
    given = values_of(turn, memory.form, words=True)
    if not given or (turn.intent == "faq" and turn.band == "answer" and turn.confidence >= settings.faq_certain):
        return None
    names = {entity.type for entity in given}
    kept = {
        slot.name: memory.values[slot.name]
        for slot in form.slots
        if slot.carry and slot.name in memory.values and slot.name not in names
    }
    carried = [Entity("carried", " ".join(kept), 0, 0)] if kept else []
    return _opened(turn, form, (*given, *as_entities(kept), *carried))


# -- inside a form --------------------------------------------------------------------------------------------------


def _inside(turn: Turn, slot: str, settings: Settings) -> Decision:
    assert turn.form is not None
    form = forms()[turn.form]
    asked = form.slot(slot)
    intent, probability, rest = turn.intent, turn.probability, _rest(turn)

    steered = _steered(turn, form, asked)
    if steered is not None:
        return steered
    if form.opens_case and intent != "human" and (phrases.has_said_enough(turn.text)):
        return Decision("enough", probability, form.route, ())
    if asked.optional and (phrases.gives_nothing(turn.text) or (intent == "deny" and len(turn.text) <= 6)):
        return _in_form(turn, "inform", form, (Entity(slot, NOT_GIVEN, 0, 0),))
    if phrases.wants_to_stop(turn.text) or (intent == "cancel" and probability >= settings.interrupt):
        return _cancelled(turn, form)
    own = intent == form.intent and bool(form.opens_case)
    if intent in BREAKING and not own and probability >= settings.interrupt and len(rest) > 1:
        return _broken_off(turn, form, intent, settings)
    if intent == "human" and form.opens_case:
        return _broken_off(turn, form, intent, settings)
    values = values_of(turn, form.name, asked=slot, words=phrases.corrects(turn.text))
    asks = _asks(turn, settings)
    if values and not asks:
        return _taken(turn, form, values)
    if phrases.corrects(turn.text) and not asks and not values:
        wrong = mistaken_slot(form, turn.text, turn.given(form.name))
        if wrong is not None:
            return _in_form(turn, "inform", form, (Entity(wrong.name, None, 0, 0),), "好的，请重新告诉我。")
    sibling = sibling_form(turn, form)
    if sibling is not None:
        return _opened(turn, sibling, values_of(turn, sibling.name))

    if intent in LOOKUPS and (probability >= settings.interrupt or (turn.has(*IDENTIFIERS) and len(rest) > 1)):
        if FORM_OF_INTENT.get(intent) != form.name:
            return _digression(turn, form, intent, settings)
        if asked.kind not in ("place", "text"):
            return _in_form(turn, "continue_form", form)
    if asks:
        return _finish(turn, "faq", settings, inside=form)
    if asked.kind == "text" and form.opens_case and not intent.startswith("chitchat_"):
        return _told(turn, form, asked)
    if asked.kind == "place" and _is_place(turn, settings):
        return _in_form(turn, "inform", form, (Entity(slot, turn.text.strip(), 0, len(turn.text)),))
    if intent.startswith("chitchat") and probability >= settings.interrupt:
        return _in_form(turn, "chitchat_identity" if intent == "chitchat_identity" else "chitchat_in_form", form)
    # Random keys and half a plate, while a number is asked for, are a wrong number and no insult.
    if intent == "abuse" and probability >= settings.interrupt and len(_CHINESE.findall(turn.text)) > 1:
        return _in_form(turn, "abuse", form)
    if form.opens_case:
        return _told(turn, form, asked)
    if intent == "affirm":
        return _in_form(turn, "continue_form", form)
    if turn.failures >= settings.failures:
        decided = _in_form(turn, "invalid_offer_human", form)
        return replace(decided, entities=(*decided.entities, *_parked(form)))
    return _in_form(turn, "invalid_slot", form)


def _steered(turn: Turn, form: Form, asked: Slot) -> Decision | None:
    """Back, from the beginning, on, and the same as before."""
    given = turn.given(form.name)
    if phrases.wants_restart(turn.text):
        if not given:
            return _in_form(turn, "continue_form", form)
        emptied = tuple(Entity(name, None, 0, 0) for name in given)
        return _in_form(turn, "inform", form, emptied, "好的，我们从头开始。")
    if phrases.wants_back(turn.text):
        earlier = [name for name in form.slot_names[: form.slot_names.index(asked.name)] if name in given]
        if not earlier:
            return _cancelled(turn, form)
        return _in_form(turn, "inform", form, (Entity(earlier[-1], None, 0, 0),), "好的，回到上一步。")
    if phrases.wants_on(turn.text):
        return _in_form(turn, "continue_form", form)
    if phrases.means_the_same(turn.text):
        known = turn.memory.values.get(asked.name) if turn.memory else None
        if known is not None:
            return _in_form(turn, "inform", form, (Entity(asked.name, known, 0, 0),), "好的，用刚才的。")
    return None


def _taken(turn: Turn, form: Form, values: tuple[Entity, ...]) -> Decision:
    """Slot values that the message brought; what they replace is said to be replaced."""
    given = turn.given(form.name)
    replaced = {entity.type for entity in values if entity.type in given and given[entity.type] != entity.value}
    remark, emptied = None, ()
    if replaced:
        remark = "好的，已经改过来了。"
        if phrases.changes(turn.text) and not phrases.corrects(turn.text):
            present = {entity.type for entity in values}
            emptied = tuple(Entity(name, None, 0, 0) for name in followers(form, replaced) - present if name in given)
    known = known_values(turn, form, {**given, **{entity.type: entity.value for entity in (*values, *emptied)}})
    decided = _in_form(turn, "inform", form, (*values, *emptied, *known), remark)
    return replace(decided, before=(*decided.before, *_additions(form, values[0].type)))


def _told(turn: Turn, form: Form, asked: Slot) -> Decision:
    """What is told about a case that is open: it is added, and answers the question when that is an open one."""
    filled = (Entity(asked.name, "已补充", 0, 0),) if asked.kind in ("text", "place") else ()
    if filled:
        decided = _in_form(turn, "inform", form, filled)
        return replace(decided, before=_additions(form, asked.name))
    if asked.optional:
        # A number was asked for and something else told: taken down, and not asked again.
        decided = _in_form(turn, "inform", form, (Entity(asked.name, NOT_GIVEN, 0, 0),))
        return replace(decided, before=_additions(form, asked.name))
    return _in_form(turn, "invalid_slot", form)


def _cancelled(turn: Turn, form: Form) -> Decision:
    entities: tuple[Entity, ...] = ()
    before: tuple[dict[str, Any], ...] = ()
    if turn.paused:
        entities = (*_stack(turn, ()), Entity("parked", turn.paused[-1], 0, 0))
        back = forms()[turn.paused[-1]]
        text = f"{form.title}先停下了。刚才的{back.title}还没办完，想接着办就说“继续”。"
        before = (_said("chitchat", text),)
    elif turn.parked:
        entities = (Entity("parked", None, 0, 0),)
    return Decision("cancel", turn.probability, ROUTE_OF_INTENT["cancel"], entities, before)


def _broken_off(turn: Turn, form: Form, intent: str, settings: Settings) -> Decision:
    """A person, danger or a grievance comes first; the form can be taken up later."""
    decided = _finish(turn, intent, settings, inside=form)
    if form.opens_case:
        return decided
    before = decided.before
    if intent != "urgent":
        before = (*before, _said(decided.route, f"{form.title}先放一放，之后说“继续”可以接着办。"))
    return replace(decided, entities=(*decided.entities, *_parked(form)), before=before)


def _digression(turn: Turn, form: Form, intent: str, settings: Settings) -> Decision:
    """Another service: this form waits and is taken up after it."""
    target = FORM_OF_INTENT.get(intent)
    if target is None:
        return _broken_off(turn, form, intent, settings)
    below = tuple(name for name in turn.paused if name not in (target, form.name))
    paused = (*below, form.name)[-MOST_PAUSED:]
    if target in turn.paused and not turn.has(*IDENTIFIERS):
        return _reopened(turn, target, paused)
    decided = _finish(replace(turn, paused=()), intent, settings)
    return replace(decided, entities=(*decided.entities, *_stack(turn, paused)))


def _expired(turn: Turn) -> Decision:
    """Silence: an open form is closed with a kind word; after a day nothing is remembered."""
    entities: list[Entity] = [*_stack(turn, ())]
    before: tuple[dict[str, Any], ...] = ()
    if turn.idle >= FORGOTTEN_AFTER:
        entities += [Entity(name, None, 0, 0) for name in ("parked", "memory")]
    elif turn.form is not None and not forms()[turn.form].opens_case:
        form = forms()[turn.form]
        entities += _parked(form)
        text = f"刚才的{form.title}等了一阵没有收到回复，我先收起来了，填过的还在。想接着办，说“继续”就行。"
        before = (_said(form.route, text),)
    if booking.draft_of(turn) is not None:
        # The hours that were offered may be taken by now.
        entities.append(Entity(booking.SLOT, None, 0, 0))
        if turn.idle < FORGOTTEN_AFTER:
            text = "刚才的预约等了一阵没有选好，我先收起来了。想接着约，说“预约”和要办的事就行。"
            before = (*before, _said("book_appointment", text))
    return Decision("expire", 1.0, ROUTE_OF_INTENT["expire"], tuple(entities), before)


def _asks(turn: Turn, settings: Settings) -> bool:
    """Whether a message inside a form is a general question rather than an answer to the form."""
    if turn.intent == "faq" and turn.probability >= settings.interrupt and len(_rest(turn)) > settings.identifier_rest:
        return turn.band != "none" or bool(_QUESTION.search(turn.text))
    return turn.band == "answer" and turn.confidence >= settings.faq_certain and bool(_QUESTION.search(turn.text))


def _is_place(turn: Turn, settings: Settings) -> bool:
    if turn.intent in {"affirm", "deny", "abuse"} or turn.intent.startswith("chitchat"):
        return turn.probability < settings.interrupt
    named = bool(_CHINESE.search(turn.text)) and not _NOWHERE.search(turn.text)
    return named or bool(_POSITION.match(turn.text))


# -- opening a form -------------------------------------------------------------------------------------------------


def _opener(form: str) -> str:
    return forms()[form].intent


def _opened(turn: Turn, form: Form, values: tuple[Entity, ...], remark: dict[str, Any] | None = None) -> Decision:
    """A form from nothing but these values: what earlier ones left in its slots is emptied."""
    present = {entity.type for entity in values}
    slots = dict.fromkeys(slot for name in SIBLINGS[form.name] or (form.name,) for slot in SLOTS_OF_FORM[name])
    emptied = tuple(Entity(name, None, 0, 0) for name in slots if name not in present)
    entities = (*values, *emptied)
    if turn.requested_slot is None:
        entities = (*entities, *_stack(turn, ()))
    if turn.parked in SIBLINGS[form.name] or turn.parked == form.name:
        entities = (*entities, Entity("parked", None, 0, 0))
    return Decision(form.intent, turn.probability, form.route, entities, (remark,) if remark else ())


def _stack(turn: Turn, paused: tuple[str, ...]) -> tuple[Entity, ...]:
    """The entity that keeps the interrupted forms, when they have changed."""
    return () if paused == turn.paused else (Entity("paused", " ".join(paused) or None, 0, 0),)


def _parked(form: Form) -> tuple[Entity, ...]:
    return (Entity("paused", None, 0, 0), Entity("parked", form.name, 0, 0))


_RESUMED: Final = "我们接着刚才的{title}："


def _remark(form: Form, text: str) -> dict[str, Any]:
    return _said(form.route, text.format(title=form.title))


def _said(route: str, text: str) -> dict[str, Any]:
    return {"type": "text", "route": route, "text": text}


def _additions(form: Form, slot: str) -> tuple[dict[str, Any], ...]:
    """The message goes into the open case, under the name of what it tells."""
    if not form.opens_case:
        return ()
    label = next(iter(form.slot(slot).labels), "")
    return ({"type": "case_addition", "route": form.route, "label": label},)


def _in_form(
    turn: Turn, intent: str, form: Form, entities: tuple[Entity, ...] | None = None, remark: str | None = None
) -> Decision:
    """An intent after which the form goes on; most of its turns belong to the form's own route."""
    own = intent in {"abuse", "chitchat_identity"}
    route = ROUTE_OF_INTENT[intent] if own else ROUTE_OF_FORM[form.name]
    before = (_said(route, remark),) if remark else ()
    # Only what belongs to this form may fill a slot now.
    return Decision(intent, turn.probability, route, entities or (), before)


def _finish(turn: Turn, intent: str, settings: Settings, inside: Form | None = None) -> Decision:
    """Refine an intent that is not an answer to the pending form."""
    if intent == "faq":
        missed = "faq_offer_human" if turn.misses >= settings.misses else "faq_miss"
        intent = {"answer": "faq_answer", "candidates": "faq_candidates"}.get(turn.band, missed)
        if intent == "faq_offer_human" and inside is not None:
            return Decision(intent, turn.probability, ROUTE_OF_INTENT[intent], _parked(inside))
    if intent in FORM_OF_INTENT:
        form = forms()[FORM_OF_INTENT[intent]]
        named = replace(turn, ranking=((intent, turn.probability),))
        sibling = sibling_form(turn, form)
        own = [slot for slot in form.slots if slot.kind in ("identifier", "entity")]
        if sibling is not None and not any(turn.has(slot.entity) for slot in own):
            form, named = sibling, replace(turn, ranking=((sibling.intent, turn.probability),))
        values = values_of(named, form.name)
        known = known_values(turn, form, {entity.type: entity.value for entity in values})
        return _opened(turn, form, (*values, *known), _remark(form, bound_text(form, known)) if known else None)
    entities = turn.entities
    if intent == "cancel" and (turn.parked or turn.paused):
        entities = (*_stack(turn, ()), Entity("parked", None, 0, 0))
    return Decision(intent, turn.probability, ROUTE_OF_INTENT[intent], entities)
