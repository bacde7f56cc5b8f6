"""What the dialogue decided, as payloads of its channel (docs/architecture.md), becomes a `TurnOutcome`. Pure."""

from typing import Any, get_args

import numpy as np

from knowledge_base import KnowledgeBase, SearchResult
from services.bindings import service as bindings
from services.conversations import rendering, texts
from services.conversations.schemas import Option, Outgoing, Talked, TurnContext, TurnOutcome
from services.sla.policies import Kind

ROUTES = frozenset(
    [
        "faq",
        "query_violation",
        "book_appointment",
        "query_bill",
        "query_progress",
        "nearby_service",
        "human",
        "urgent",
        "complaint",
        "chitchat",
        "abuse",
    ]
)
CASE_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
EMPTY = SearchResult(hits=(), band="none", embedding=np.zeros(0, dtype=np.float32))


def read_payloads(
    context: TurnContext,
    payloads: list[dict[str, Any]],
    found: SearchResult,
    snapshot: KnowledgeBase | None,
    *,
    consent: Outgoing,
    has_consent: bool,
) -> TurnOutcome:
    """The outcome that payloads of the dialogue ask for.

    `found` are the hits of `snapshot` that the dialogue was told of. `consent` is asked first where a payload wants an
    identifier and the citizen has not consented.
    """
    outcome = TurnOutcome(misses=0, topic=context.topic)
    said = outcome.replies
    named = [str(payload["route"]) for payload in payloads if payload.get("route") in ROUTES]
    outcome.route = named[0] if named else None
    if rendering.needs_consent(payloads) and not has_consent:
        outcome.deferred_payloads = [payload for payload in payloads if payload.get("type") == "ask"]
    asked = None
    for payload in payloads:
        kind = payload.get("type")
        if kind == "ask":
            asked = str(payload.get("slot") or "") or None
            if outcome.deferred_payloads is None:
                said.append(rendering.ask(payload, _of_bound(context, asked)))
        elif kind == "faq_answer" and snapshot is not None and found.hits:
            others = [hit.entry_id for hit in found.hits[1:]]
            said.append(rendering.answer(snapshot.entry(found.hits[0].entry_id), others))
            outcome.topic = found.hits[0].entry_id
            outcome.confidence = round(float(found.hits[0].confidence), 4)
        elif kind == "faq_candidates" and snapshot is not None and found.hits:
            said.append(rendering.candidates(snapshot, found.hits))
            outcome.misses = context.misses
            outcome.confidence = round(float(found.hits[0].confidence), 4)
        elif kind in ("faq_miss", "faq_answer", "faq_candidates"):
            said.append(texts.MISS)
            outcome.misses = context.misses + 1
        elif kind == "offer_human":
            if payload.get("text"):
                said.append(Outgoing(rendering.payload_text(payload)))
            said.append(texts.OFFER_HUMAN)
        elif kind == "open_case":
            outcome.case_kind = CASE_KINDS.get(str(payload.get("kind")), "help")
            said = outcome.after_case
        elif kind == "case_addition":
            label = str(payload.get("label") or "")
            outcome.additions.append(f"{label}：{context.text}" if label else context.text)
        elif kind == "verify_phone":
            values = {"phone": str(payload.get("phone") or "")}
            outcome.talked = Talked(bindings.Intent("verify", values=values, number=str(payload.get("then") or "")))
        elif kind == "lookup_result":
            said.append(rendering.lookup_result(payload))
            outcome.topic = None
        elif rendering.payload_text(payload):
            said.append(Outgoing(rendering.payload_text(payload)))
    if outcome.deferred_payloads is not None:
        said.append(consent)
    outcome.requested_slot = asked
    if not outcome.replies and outcome.case_kind is None and outcome.talked is None:
        outcome.replies.append(texts.MISS)
        outcome.misses = context.misses + 1
    return outcome


def _of_bound(context: TurnContext, slot: str | None) -> list[Option]:
    """What is bound, to be tapped instead of typed, when a form asks for it."""
    values = dict.fromkeys(record[slot] for record in context.bound if slot is not None and slot in record)
    return [Option(title=context.shown.get(value, value), payload=value) for value in values if value in context.shown]
