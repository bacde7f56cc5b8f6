"""One turn's decision: a message and what is known become a `TurnOutcome`. Waits for Rasa, touches no database."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import structlog

from knowledge_base import KnowledgeBase, SearchResult
from services.bindings import service as bindings
from services.conversations import binding, rendering, shortcuts, texts
from services.conversations.dialogue import Dialogue, DialogueUnavailable
from services.conversations.outcomes import unchanged
from services.conversations.payloads import EMPTY, read_payloads
from services.conversations.schemas import TurnContext, TurnOutcome
from services.understanding import person_names, phrases
from services.understanding.danger import Heard, Vector, likelihood, wants_hearing
from services.understanding.entities import IDENTIFIER_TYPES
from services.understanding.following import continues
from services.understanding.phrases import says_no, says_yes
from services.understanding.splitting import split

log = structlog.get_logger(__name__)

HITS_SENT = 10
CANCEL = "取消"
HEAR_SECONDS = 2.0
# Without Rasa, danger at least this likely is taken for danger.
SUSPECTED = 0.27


Check = Callable[[str, str, int, Mapping[str, str]], Awaitable[bindings.Check]]
"""`(lookup, conversation_id, seq, values)`: what the departmental system says of values that are to be bound."""
Verify = Callable[[str, str], Awaitable[str]]
"""`(conversation_id, code)`: tries the code that a booking asked for (`services.citizens.schemas.Checked`)."""


class Search(Protocol):
    """The live knowledge base: the snapshot of the moment (None before the first publish)."""

    @property
    def current(self) -> KnowledgeBase | None: ...


class Decider:
    """Decides turns. `search_in_thread` runs the CPU-bound search off the event loop; `sign` makes the reference."""

    def __init__(
        self,
        knowledge: Search,
        dialogue: Dialogue,
        run_in_thread: Callable[..., Any],
        sign: Callable[[str, int], str],
        today: Callable[[], Any],
        *,
        check: Check | None = None,
        verify: Verify | None = None,
    ) -> None:
        self._check = check
        self._verify = verify
        self._knowledge = knowledge
        self._dialogue = dialogue
        self._run_in_thread = run_in_thread
        self._sign = sign
        self._today = today

    async def hear(self, text: str) -> Heard | None:
        """The embedding of a message that has just come; None when it would add nothing, or cannot be had in time."""
        snapshot = self._knowledge.current
        if snapshot is None or not wants_hearing(text):
            return None
        try:
            embedding = self._run_in_thread(lambda: snapshot.embed(text), abandon_on_cancel=True)
            vector = await asyncio.wait_for(embedding, HEAR_SECONDS)
        except Exception as error:  # a message is stored in any event
            log.warning("message not embedded", kind=type(error).__name__)
            return None
        return Heard(text, snapshot.embedder.identity, vector)

    async def decide(
        self, context: TurnContext, deferred: tuple[str, list[dict[str, Any]]] | None = None
    ) -> TurnOutcome:
        """What to answer. `deferred` is the message that waited for the consent which this turn may bring."""
        if context.handler == "human":
            held = unchanged(context, route="human")
            held.rating = shortcuts.rating_of(context)
            return held
        # An open talk about a binding hears its answers before a menu takes their digits.
        intent = binding.understood(context) if context.talk is not None else None
        if intent is not None:
            return await self._talk(context, intent)
        consent = consent_in(context)
        if consent is not None:
            return await self._after_consent(context, consent, deferred)
        short = shortcuts.decide(context, self._knowledge.current)
        if isinstance(short, TurnOutcome):
            if short.case_action is not None and short.case_action.what == "withdraw" and context.requested_slot:
                # A form may be asking about the very case that is withdrawn: it is left, without a word of its own.
                left = await self._dialogue_turn(context, CANCEL, [], has_consent=context.has_consent)
                short.requested_slot = left.requested_slot
            return short
        context = short or context
        intent = binding.understood(context)
        if intent is not None:
            return await self._talk(context, intent)
        if context.kind == "choice":
            chosen = self._choice(context)
            if chosen is not None:
                return chosen
        if not context.has_consent and _has_identifier(context.entities):
            return TurnOutcome(
                replies=[texts.consent(context.retention_days)],
                deferred_seq=context.seq,
                misses=context.misses,
                requested_slot=context.requested_slot,
            )
        return await self._requests(context, context.text, context.entities, has_consent=context.has_consent)

    # -- bindings and reminders -----------------------------------------------------------------------------------

    async def _talk(self, context: TurnContext, intent: bindings.Intent) -> TurnOutcome:
        """A step of the talk about a binding; the departmental system is asked here, outside of any transaction."""
        if intent.does == "code" and context.talk is not None and context.talk.then and self._verify is not None:
            return await self._verified(context, context.talk.then, intent.number, self._verify)
        wanted = bindings.needs_check(context.talk, intent)
        check = None
        if wanted is not None and self._check is not None:
            check = await self._check(wanted[0], context.conversation_id, context.seq, wanted[1])
        return binding.outcome(context, intent, check)

    async def _verified(self, context: TurnContext, then: str, code: str, verify: Verify) -> TurnOutcome:
        """The code of a booking: the booking goes on with it, without the code ever leaving this service."""
        checked = await verify(context.conversation_id, code)
        if checked != "right":
            outcome = unchanged(context, route="book_appointment", replies=[texts.CODES[checked]])
            outcome.closes_talk = checked == "spent"
            return outcome
        outcome = await self._dialogue_turn(context, then, [], has_consent=context.has_consent)
        outcome.closes_talk = True
        outcome.replies.insert(0, texts.PHONE_VERIFIED)
        return outcome

    # -- consent ------------------------------------------------------------------------------------------------

    async def _after_consent(
        self, context: TurnContext, granted: bool, deferred: tuple[str, list[dict[str, Any]]] | None
    ) -> TurnOutcome:
        if granted:
            if deferred is not None:
                outcome = await self._requests(context, *deferred, has_consent=True)
            else:
                outcome = self._read(context, context.deferred_payloads or [], EMPTY, None, has_consent=True)
            outcome.replies.insert(0, texts.CONSENT_GRANTED)
            return outcome
        if deferred is not None:
            text, entities = deferred
            kept = [entity for entity in entities if entity["type"] not in IDENTIFIER_TYPES]
            outcome = await self._dialogue_turn(context, text, kept, has_consent=False)
            if outcome.deferred_payloads is not None:
                # It would ask for what has just been refused: leave the form instead.
                outcome = await self._dialogue_turn(context, CANCEL, [], has_consent=False)
        else:
            outcome = await self._dialogue_turn(context, CANCEL, [], has_consent=False)
        outcome.refuse_consent = True
        outcome.replies.insert(0, texts.CONSENT_REFUSED)
        return outcome

    # -- choices that need no dialogue --------------------------------------------------------------------------

    def _choice(self, context: TurnContext) -> TurnOutcome | None:
        payload = context.text
        if payload == texts.HUMAN_YES:
            return unchanged(context, route="human", case_kind="help")
        if payload == texts.HUMAN_NO:
            return unchanged(context, route="human", replies=[texts.HUMAN_DECLINED])
        if payload == texts.NONE_OF_THESE:
            missed = unchanged(context, route="faq", replies=[texts.OFFER_HUMAN])
            missed.misses = context.misses + 1
            return missed
        if payload.startswith(texts.ENTRY_CHOICE):
            snapshot = self._knowledge.current
            try:
                entry = snapshot.entry(payload.removeprefix(texts.ENTRY_CHOICE)) if snapshot else None
            except KeyError:
                entry = None
            reply = rendering.answer(entry, context.shortcuts.others) if entry else texts.ENTRY_GONE
            outcome = unchanged(context, route="faq", replies=[reply])
            outcome.misses = 0
            outcome.topic = entry.id if entry else context.topic
            return outcome
        return None

    # -- several requests in one message ------------------------------------------------------------------------

    async def _requests(
        self, context: TurnContext, text: str, entities: list[dict[str, Any]], *, has_consent: bool
    ) -> TurnOutcome:
        """A turn for each request of a message, the last one first: what it asks for then waits for the others."""
        requests = split(text, entities) if context.requested_slot is None else []
        if len(requests) < 2:
            return await self._dialogue_turn(context, text, entities, has_consent=has_consent)
        outcome: TurnOutcome | None = None
        for request in reversed(requests):
            here = await self._dialogue_turn(context, request.text, request.entities, has_consent=has_consent)
            outcome = here if outcome is None else _joined(here, outcome)
            # The silence before the message was before its first request only.
            context = replace(context, idle=0, requested_slot=outcome.requested_slot)
        assert outcome is not None
        return outcome

    # -- the dialogue -------------------------------------------------------------------------------------------

    async def _dialogue_turn(
        self, context: TurnContext, text: str, entities: list[dict[str, Any]], *, has_consent: bool
    ) -> TurnOutcome:
        snapshot = self._knowledge.current
        found, on_topic = EMPTY, False
        if snapshot is not None:
            found, on_topic = await self._run_in_thread(lambda: self._search(snapshot, context, text))
        heard = Heard(text, snapshot.embedder.identity, found.embedding) if snapshot is not None else None
        danger = likelihood(text, heard)
        metadata = {
            "ref": self._sign(context.conversation_id, context.seq),
            "knowledge": {
                "band": found.band,
                "hits": [{"id": hit.entry_id, "confidence": round(float(hit.confidence), 4)} for hit in found.hits],
            },
            "entities": entities,
            "misses": context.misses,
            "idle": context.idle,
            "on_topic": on_topic,
            "bound": context.bound,
            "danger": danger,
            "embedding": base64.b64encode(found.embedding.astype(np.float16).tobytes()).decode(),
        }
        try:
            # Its tracker keeps what it is told for a week, unencrypted.
            payloads = await self._dialogue.turn(context.conversation_id, person_names.hide(text), metadata)
        except DialogueUnavailable as error:
            log.warning("dialogue unavailable", kind=str(error))
            return self._without_dialogue(context, text, danger, found, snapshot)
        return self._read(context, payloads, found, snapshot, has_consent=has_consent)

    def _search(self, snapshot: KnowledgeBase, context: TurnContext, text: str) -> tuple[SearchResult, bool]:
        """The hits, and whether they were found by the topic before: "那需要什么材料呢" finds nothing by itself."""
        scope = context.shortcuts

        def search(words: str, embedding: Vector | None = None) -> SearchResult:
            return snapshot.search(
                words,
                HITS_SENT,
                embedding=embedding,
                department=scope.department,
                region=scope.region,
                today=self._today(),
            )

        heard = context.heard
        known = heard is not None and (heard.text.strip(), heard.model) == (text, snapshot.embedder.identity)
        found = search(text, heard.vector if heard is not None and known else None)
        if context.topic is None or context.requested_slot or found.band == "answer" or not continues(text):
            return found, False
        try:
            topic = snapshot.entry(context.topic)
        except KeyError:
            return found, False
        again = search(f"{topic.question} {text}")
        if again.band == "none":
            return found, False
        # The classifier is shown what was said, the hits are those of what was meant.
        return SearchResult(hits=again.hits, band=again.band, embedding=found.embedding), True

    def _without_dialogue(
        self,
        context: TurnContext,
        text: str,
        danger: float | None,
        found: SearchResult,
        snapshot: KnowledgeBase | None,
    ) -> TurnOutcome:
        """Rasa is down: the knowledge base alone answers, or a human is offered (DESIGN, life of a message, 9).

        Danger that is only suspected has no second opinion to wait for, so the suspicion is enough.
        """
        if (danger or 0.0) >= SUSPECTED:
            return unchanged(context, route="urgent", case_kind="urgent")
        # Without Rasa only these words reach a person; with it the dialogue decides.
        if any(word in text for word in phrases.HUMAN):
            return unchanged(context, route="human", case_kind="help")
        if snapshot is not None and found.band == "answer":
            payloads: list[dict[str, Any]] = [{"type": "faq_answer", "route": "faq"}]
        elif snapshot is not None and found.band == "candidates":
            payloads = [{"type": "faq_candidates", "route": "faq"}]
        else:
            return unchanged(context, route="faq", replies=[texts.DIALOGUE_DOWN, texts.OFFER_HUMAN])
        outcome = self._read(context, payloads, found, snapshot, has_consent=context.has_consent)
        # The form is still open in Rasa's tracker, which knows nothing of this turn.
        outcome.requested_slot = context.requested_slot
        return outcome

    def _read(
        self,
        context: TurnContext,
        payloads: list[dict[str, Any]],
        found: SearchResult,
        snapshot: KnowledgeBase | None,
        *,
        has_consent: bool,
    ) -> TurnOutcome:
        consent = texts.consent(context.retention_days)
        return read_payloads(context, payloads, found, snapshot, consent=consent, has_consent=has_consent)


def _joined(first: TurnOutcome, later: TurnOutcome) -> TurnOutcome:
    """The outcome of two requests of one message; `later` was handled before, so what it asked for waits now."""
    answered = [] if later.requested_slot or later.deferred_payloads else later.replies
    asks = first.requested_slot is not None or first.deferred_payloads is not None
    first.replies = [*answered, *first.replies] if asks else [*first.replies, *answered]
    first.after_case = [*first.after_case, *later.after_case]
    first.additions = [*later.additions, *first.additions]
    first.case_kind = first.case_kind or later.case_kind
    first.route = first.route or later.route
    first.misses = max(first.misses, later.misses)
    return first


def consent_in(context: TurnContext) -> bool | None:
    """True or False when this message answers an open question for consent, None when it is about something else."""
    if context.handler == "human" or (context.deferred_seq is None and context.deferred_payloads is None):
        return None
    answer = context.text.strip(" 。，！!,.")
    if answer == texts.CONSENT_YES or (context.kind == "text" and says_yes(answer)):
        return True
    if answer == texts.CONSENT_NO or (context.kind == "text" and says_no(answer)):
        return False
    return None


def _has_identifier(entities: list[dict[str, Any]]) -> bool:
    return any(entity["type"] in IDENTIFIER_TYPES for entity in entities)
