"""A turn as rows: the conversation leased, its next message read with all that is known, what was decided stored.

Each in one short transaction of the caller's; `turns.TurnRunner` does the waiting between them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.bindings import service as bindings
from services.cases import service as cases
from services.conversations import binding, case_words, own_cases, repository, sentences, shortcuts, vault
from services.conversations.case_opening import SERVED, CaseOpener
from services.conversations.claims import lapse_claim
from services.conversations.events import ConversationChanged
from services.conversations.messages import Messages
from services.conversations.models import Conversation, Message
from services.conversations.restraint import Restraint
from services.conversations.schemas import Outgoing, SendAnswer, Shortcuts, TurnContext, TurnOutcome
from services.core import audit, leases
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.retention import service as retention
from services.understanding.danger import emergency_reply, presumed

LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Another worker took this conversation over; what this one computed is dropped."""


class TurnTaking:
    """Takes and finishes turns; whoever holds a conversation's lease is the only one who does."""

    def __init__(
        self,
        secrets: Secrets,
        messages: Messages,
        opener: CaseOpener,
        talks: bindings.Talks,
        restraint: Restraint,
        *,
        claim_lapse: timedelta,
    ) -> None:
        self._secrets = secrets
        self._messages = messages
        self._opener = opener
        self._talks = talks
        self._restraint = restraint
        self._claim_lapse = claim_lapse

    def take(self, uow: UnitOfWork, conversation_id: str, owner: str, now: datetime) -> TurnContext | None:
        """Lease the conversation and read its next message; None, with the lease given back, when none waits.

        Raises LeaseLost while another worker holds the lease. Because arrivals and this function lock the same row,
        a message is either seen here or finds the lease free.
        """
        row = repository.lock(uow.session, conversation_id)
        return None if row is None else self.take_locked(uow, row, owner, now)

    def take_locked(self, uow: UnitOfWork, row: Conversation, owner: str, now: datetime) -> TurnContext | None:
        """`take` for a conversation whose row this transaction has locked already."""
        if not leases.take(row, owner, now, LEASE):
            raise LeaseLost
        message = repository.next_pending(uow.session, row.id)
        if message is None:
            leases.give_back(row)
            return None
        lapse_claim(uow, self._messages, row, now, self._claim_lapse)
        return self._context(uow, row, message, now)

    def finish_and_take(
        self, uow: UnitOfWork, context: TurnContext, outcome: TurnOutcome, owner: str, now: datetime
    ) -> tuple[SendAnswer, TurnContext | None]:
        """Store everything that a turn decided: its answer, and the next turn or, when none waits, None with the lease
        given back in the same transaction.

        Raises LeaseLost when the lease has gone to another worker.
        """
        row = repository.lock(uow.session, context.conversation_id)
        if row is None or not leases.is_held(row, owner):
            raise LeaseLost
        message = repository.message(uow.session, row.id, context.seq)
        if message is None or message.state != repository.RECEIVED:
            raise LeaseLost
        replies = self._finish(uow, row, message, context, outcome, now)
        answer = self._answer(uow, row, message, replies)
        return answer, self.take_locked(uow, row, owner, now)

    def answer_of(self, uow: UnitOfWork, conversation_id: str, seq: int) -> SendAnswer:
        """What was answered to a message so far; `pending` while its turn is not over."""
        row = repository.conversation(uow.session, conversation_id)
        message = repository.message(uow.session, conversation_id, seq)
        if row is None or message is None:
            raise NotFound("没有这条消息")
        return self._answer(uow, row, message, repository.replies_to(uow.session, conversation_id, seq))

    def say_interim(self, uow: UnitOfWork, conversation_id: str, seq: int, reply: Outgoing, now: datetime) -> None:
        """Say once that a turn takes longer, if it still runs."""
        row = repository.lock(uow.session, conversation_id)
        message = repository.message(uow.session, conversation_id, seq)
        first = repository.next_pending(uow.session, conversation_id)
        if row is None or message is None or first is None or first.seq != seq:
            return
        if row.handler == "human" or repository.replies_to(uow.session, conversation_id, seq):
            return
        self._messages.say(uow, row, reply, now, in_reply_to=seq)
        uow.collect(ConversationChanged(row.id))

    def _answer(self, uow: UnitOfWork, row: Conversation, message: Message, replies: Sequence[Message]) -> SendAnswer:
        return SendAnswer(
            messages=self._messages.views(uow, row.id, replies),
            route=message.route,
            confidence=message.confidence,
            case_no=message.case_no or row.case_no,
            handler="human" if row.handler == "human" else "bot",
            pending=message.state != repository.DONE,
        )

    # -- taking -------------------------------------------------------------------------------------------------

    def _context(self, uow: UnitOfWork, row: Conversation, message: Message, now: datetime) -> TurnContext:
        text, entities = self._messages.read(message)
        choice = message.extra.get("choice")
        wanted = binding.expected(row, now)
        if choice is None and wanted and vault.BRACKET not in text:
            # A bare answer ("3F07") that arrived before its question was known is recognised now.
            hidden = vault.hide(
                uow,
                self._secrets,
                conversation_id=row.id,
                seq=message.seq,
                text=text,
                now=now,
                expected=wanted,
            )
            if hidden.text != text:
                text, entities = hidden.text, hidden.entities
                message.text_encrypted = self._secrets.encrypt(text)
                message.extra = self._messages.seal(entities, None)
        before = repository.heard_before(uow.session, row.id, message.seq)
        bound, shown = binding.known(uow, self._secrets, row, message.seq, now)
        return TurnContext(
            conversation_id=row.id,
            seq=message.seq,
            kind="choice" if choice is not None else "text",
            text=choice if choice is not None else text,
            entities=entities,
            urgent=message.route == "urgent",
            handler="human" if row.handler == "human" else "bot",
            misses=row.misses,
            requested_slot=row.requested_slot,
            has_consent=row.consent_at is not None,
            deferred_seq=row.deferred_seq,
            deferred_payloads=row.deferred_payloads,
            case_no=row.case_no,
            shortcuts=self._shortcuts(uow, row, message, text, entities, now),
            idle=max(0, int((message.created_at - before).total_seconds())) if before else 0,
            topic=row.topic,
            at=now,
            talk=bindings.is_open(binding.draft_of(row), now),
            retention_days=retention.load_rules(uow).identifiers.days if row.consent_at is None else 0,
            bound=bound,
            shown=shown,
        )

    def _shortcuts(
        self,
        uow: UnitOfWork,
        row: Conversation,
        message: Message,
        text: str,
        entities: list[dict[str, Any]],
        now: datetime,
    ) -> Shortcuts:
        found = shortcuts.load(uow, row, message, text, entities, now)
        if message.extra.get("choice") is not None or row.handler == "human":
            return found
        word = case_words.read(text, in_form=row.requested_slot is not None)
        if word is None:
            return found
        return replace(found, case=own_cases.meant(uow, self._secrets, row.id, word, now))

    # -- finishing ----------------------------------------------------------------------------------------------

    def _finish(
        self,
        uow: UnitOfWork,
        row: Conversation,
        message: Message,
        context: TurnContext,
        outcome: TurnOutcome,
        now: datetime,
    ) -> list[Message]:
        """Store what was decided; the replies in their order."""
        row.misses, row.requested_slot = outcome.misses, outcome.requested_slot
        row.deferred_seq, row.deferred_payloads = outcome.deferred_seq, outcome.deferred_payloads
        shortcuts.store(uow, row, outcome, now)
        row.topic = outcome.topic
        if outcome.refuse_consent:
            repository.delete_identifiers(uow.session, row.id)
            audit.record(uow, actor="citizen", action="consent.refuse", subject=f"conversation:{row.id}", now=now)
        if outcome.closes_talk:
            row.talk = None
        said: list[Message] = []

        def say(reply: Outgoing) -> None:
            said.append(self._messages.say(uow, row, reply, now, in_reply_to=context.seq))

        for reply in outcome.replies:
            say(reply)
        if outcome.talked is not None:
            for reply in binding.take_step(uow, self._talks, self._secrets, row, outcome.talked, now):
                say(reply)
        if outcome.case_action is not None:
            reply_to_act = own_cases.act(uow, self._secrets, row, outcome.case_action, self._restraint, now)
            if reply_to_act is not None:
                say(reply_to_act)
        if outcome.case_kind is not None:
            case = self._opener.open(uow, row, outcome.case_kind, context.seq, now, outcome.proposal)
            message.case_no = case.case_no
            if outcome.case_kind == "urgent":
                danger = emergency_reply(presumed(context.text), cases.watch_over(uow, case.case_no))
                say(Outgoing(danger, type="emergency", case_no=case.case_no))
            else:
                say(self._opener.message(uow, case, now))
        for reply in outcome.after_case:
            say(reply)
        for reply in self._add_to_case(uow, row, message, outcome, now):
            say(reply)
        if row.case_no is not None and is_for_the_case(context, outcome):
            self._opener.spoke(uow, row, message, now)
        message.state = repository.DONE
        message.route = outcome.route
        message.confidence = outcome.confidence
        uow.collect(ConversationChanged(row.id))
        return said

    def _add_to_case(
        self, uow: UnitOfWork, row: Conversation, message: Message, outcome: TurnOutcome, now: datetime
    ) -> list[Outgoing]:
        """Add what a form collected to the open case; what is to be said besides.

        The case may have been settled while its citizen was still answering: then a new one takes the words, so that
        nothing is acknowledged that nobody has.
        """
        said: list[Outgoing] = []
        if outcome.additions and message.case_no is None:
            # The case has it by what is added.
            message.case_no = row.case_no
        for text in outcome.additions:
            shown = vault.show_masked(text, vault.masked_identifiers(uow, row.id))
            add = partial(
                cases.add_from_citizen,
                uow,
                self._secrets,
                conversation_id=row.id,
                text=shown,
                upto=message.seq,
                now=now,
                proposal=outcome.proposal,
            )
            if add() is None:
                case = self._opener.open(uow, row, "complaint", message.seq, now, outcome.proposal)
                message.case_no = case.case_no
                said.append(self._opener.message(uow, case, now))
                add()
        return said


def is_for_the_case(context: TurnContext, outcome: TurnOutcome) -> bool:
    """Whether a message is one more word to the open case that its clerk must see, and not only to the machine: all
    that a citizen says to a clerk; and of the rest what is neither a button, a command, what a form had asked for, nor
    a service that the machine does by itself."""
    if context.handler == "human":
        return True
    if outcome.case_action is not None or outcome.talked is not None or outcome.additions:
        return False
    if context.kind == "choice" or context.requested_slot is not None or outcome.requested_slot is not None:
        return False
    if outcome.route in SERVED or outcome.route == "chitchat":
        return False
    return not sentences.is_command(context.text)
