"""What to do with a message: the classifier's guess, the knowledge base and the form, weighed together.

Pure: a Turn and Settings in, a Decision out. Rules of the dialogue (data/rules) then only look at the
intent that this module names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from components.routes import FORM_OF_INTENT, FORM_OF_SLOT, ROUTE_OF_INTENT, ROUTE_OF_SLOT, SLOTS_OF_FORM
from components.text import normalise, without_spans
from components.turn import IDENTIFIERS, Entity, Turn
from components.words import bill_kind, place_kind, plate_kind

LOOKUPS: Final = frozenset({*FORM_OF_INTENT, "book_appointment"})
BREAKING: Final = frozenset({"human", "urgent", "complaint", "suggestion"})
"""Intents that end a form when the classifier is reasonably sure."""

_INTENT_OF_IDENTIFIER: Final = (
    ("plate", "query_violation"),
    ("engine_tail", "query_violation"),
    ("license_file_no", "query_licence"),
    ("household_no", "query_bill"),
    ("case_no", "query_progress"),
)
_EMPTIED_BY: Final = {
    **{intent: SLOTS_OF_FORM[form] for intent, form in FORM_OF_INTENT.items()},
    # One action serves both ways of looking up violations; it must not see the rests of the other way.
    "query_violation": SLOTS_OF_FORM["violation_form"] + SLOTS_OF_FORM["licence_form"],
    "query_licence": SLOTS_OF_FORM["violation_form"] + SLOTS_OF_FORM["licence_form"],
    "nearby_service": (*SLOTS_OF_FORM["nearby_form"], "service"),
}

_CANCEL: Final = re.compile(
    r"^(那|那就|好吧|哎|唉|我|还是)*"
    r"(取消|算了|不查|不办|不弄|不填|不搞|别查|返回|退出|停止|结束|放弃|不用了|不要了|不需要了|不想|先不|下次再|以后再)"
    r"(?!.*(预约|我的号|约的号)).{0,10}$"
)
_QUESTION: Final = re.compile(r"[?？吗呢么]|怎样|多少|如何|哪|几|为啥|咋|能不能|可不可以|是不是")
_POSITION: Final = re.compile(r"^-?\d{1,2}\.\d+\s*,\s*-?\d{1,3}\.\d+")
_NOWHERE: Final = re.compile(r"什么|啥|怎么|不知道|不清楚|不晓得|没有")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Settings:
    """Thresholds; probabilities of the classifier and confidences of the knowledge base, both 0 to 1.

    faq_certain: a hit at least this confident may turn an unsure lookup into a question.
    lookup_sure: a lookup this probable stays one, whatever the knowledge base says.
    faq_share: how probable faq must be at least for that turn.
    unsure: below this first choice a message outside a form is treated as a question.
    interrupt: how probable an intent must be to break into a form.
    identifier_rest: characters beside an identifier up to which a message is "mainly an identifier".
    misses, failures: how many must have gone before for this one to lead to the offer of a human.
    """

    faq_certain: float = 0.9
    lookup_sure: float = 0.6
    faq_share: float = 0.15
    unsure: float = 0.3
    interrupt: float = 0.5
    identifier_rest: int = 4
    misses: int = 1
    failures: int = 2


@dataclass(frozen=True)
class Decision:
    """Final intent, how sure, the route of the turn, and all entities (value None empties a slot)."""

    intent: str
    confidence: float
    route: str
    entities: tuple[Entity, ...]


def decide(turn: Turn, settings: Settings) -> Decision:
    """The decision for one message."""
    if turn.requested_slot is None:
        return _finish(turn, _outside(turn, settings), settings)
    return _inside(turn, turn.requested_slot, settings)


def _rest(turn: Turn) -> str:
    return without_spans(turn.text, [(e.start, e.end) for e in turn.entities if e.type in IDENTIFIERS])


def _outside(turn: Turn, settings: Settings) -> str:
    intent = turn.intent
    lead = next((target for kind, target in _INTENT_OF_IDENTIFIER if turn.has(kind)), None)
    rest = _rest(turn)
    brief = not rest or (len(rest) <= settings.identifier_rest and turn.probability < settings.lookup_sure)
    if lead is not None and intent not in LOOKUPS and brief:
        return lead
    if intent in LOOKUPS:
        knows = turn.band == "answer" and turn.confidence >= settings.faq_certain
        if knows and turn.probability < settings.lookup_sure and turn.probability_of("faq") >= settings.faq_share:
            return "faq"
    if turn.probability < settings.unsure and intent != "urgent":
        return "faq"
    return intent


def _inside(turn: Turn, slot: str, settings: Settings) -> Decision:
    form = FORM_OF_SLOT[slot]
    intent, probability, rest = turn.intent, turn.probability, _rest(turn)
    turn = _named(turn, form, slot)

    if _CANCEL.match(normalise(turn.text)) or (intent == "cancel" and probability >= settings.interrupt):
        return _finish(turn, "cancel", settings)
    if intent in BREAKING and probability >= settings.interrupt and len(rest) > 1:
        return _finish(turn, intent, settings)
    if turn.has(*SLOTS_OF_FORM[form]) and not _asks(turn, settings):
        return _in_form(turn, "inform", slot)
    if form == "violation_form" and turn.has("license_file_no", "id_card"):
        return _finish(turn, "query_licence", settings)
    if form == "licence_form" and turn.has("plate"):
        return _finish(turn, "query_violation", settings)

    if intent in LOOKUPS and (probability >= settings.interrupt or (turn.has(*IDENTIFIERS) and len(rest) > 1)):
        if FORM_OF_INTENT.get(intent) != form:
            return _finish(turn, intent, settings)
        if slot != "location":
            return _in_form(turn, "continue_form", slot)
    if _asks(turn, settings):
        return _finish(turn, "faq", settings)
    if slot == "location" and _is_place(turn, settings):
        return _in_form(_with(turn, Entity("location", turn.text.strip(), 0, len(turn.text))), "inform", slot)
    if intent.startswith("chitchat") and probability >= settings.interrupt:
        return _in_form(turn, "chitchat_identity" if intent == "chitchat_identity" else "chitchat_in_form", slot)
    # Random keys and half a plate, while a number is asked for, are a wrong number and no insult.
    if intent == "abuse" and probability >= settings.interrupt and len(_CHINESE.findall(turn.text)) > 1:
        return _in_form(turn, "abuse", slot)
    if intent == "affirm":
        return _in_form(turn, "continue_form", slot)
    exhausted = turn.failures >= settings.failures
    return _in_form(turn, "invalid_offer_human" if exhausted else "invalid_slot", slot)


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


def _named(turn: Turn, form: str, slot: str | None) -> Turn:
    """The turn with the slot value that its words name, if they are about this form."""
    about = FORM_OF_INTENT.get(turn.intent) == form or turn.has(*SLOTS_OF_FORM[form])
    kind: str | None = None
    if form == "violation_form" and (about or slot == "plate_kind"):
        name, kind = "plate_kind", plate_kind(turn.text, asked=slot == "plate_kind")
    elif form == "bill_form" and (about or slot == "bill_kind"):
        name, kind = "bill_kind", bill_kind(turn.text, asked=slot == "bill_kind")
    elif form == "nearby_form" and about:
        name, kind = "service", place_kind(turn.text)
    return turn if kind is None or turn.has(name) else _with(turn, Entity(name, kind, 0, 0))


def _with(turn: Turn, entity: Entity) -> Turn:
    return replace(turn, entities=(*turn.entities, entity))


def _in_form(turn: Turn, intent: str, slot: str) -> Decision:
    """An intent after which the form goes on; most of its turns belong to the form's own route."""
    own = intent in {"abuse", "chitchat_identity"}
    return Decision(intent, turn.probability, ROUTE_OF_INTENT[intent] if own else ROUTE_OF_SLOT[slot], turn.entities)


def _finish(turn: Turn, intent: str, settings: Settings) -> Decision:
    """Refine an intent that is not an answer to the pending form."""
    if intent == "faq":
        missed = "faq_offer_human" if turn.misses >= settings.misses else "faq_miss"
        intent = {"answer": "faq_answer", "candidates": "faq_candidates"}.get(turn.band, missed)
    if intent == "query_violation" and turn.has("id_card", "license_file_no") and not turn.has("plate"):
        intent = "query_licence"
    if intent in FORM_OF_INTENT:
        named = _named(replace(turn, ranking=((intent, turn.probability),)), FORM_OF_INTENT[intent], None)
        entities = named.entities
        # A new lookup starts from nothing: what an earlier one left in the slots is emptied.
        present = {entity.type for entity in entities}
        emptied = (Entity(name, None, 0, 0) for name in _EMPTIED_BY[intent] if name not in present)
        return Decision(intent, turn.probability, ROUTE_OF_INTENT[intent], (*entities, *emptied))
    return Decision(intent, turn.probability, ROUTE_OF_INTENT[intent], turn.entities)
