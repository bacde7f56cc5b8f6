"""Conversations in short transactions: open, receive, take a turn, say, read.

Nothing here waits for anything but the database; `turns.TurnRunner` does the waiting between these steps.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.bindings import service as bindings
from services.cases import service as cases
from services.conversations import (
    attachments,
    binding,
    case_words,
    own_cases,
    repository,
    shortcuts,
    vault,
)
from services.conversations.arrivals import Arrivals
from services.conversations.case_opening import CaseOpener
from services.conversations.claims import lapse_claim
from services.conversations.events import ConversationChanged
from services.conversations.menus import welcome
from services.conversations.messages import Messages
from services.conversations.models import Conversation, Message
from services.conversations.schemas import (
    Arrival,
    InboundMessage,
    MessageView,
    NewConversation,
    Outgoing,
    SendAnswer,
    Shortcuts,
    TurnContext,
    TurnOutcome,
)
from services.core import audit
from services.core.crypto import Secrets, hash_token, new_token
from services.core.database import UnitOfWork
from services.core.errors import NotFound, Unauthorized
from services.menus import service as menus
from services.notifications import service as notifications

PLACEHOLDER_BRACKET = "【"
LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Another worker took this conversation over; what this one computed is dropped."""


class Conversations:
    """The operations on conversations; `secrets` encrypts texts and identifiers at rest."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        city_name: str,
        message_limit: int,
        claim_lapse: timedelta,
        retention: timedelta,
        talks: bindings.Talks | None = None,
    ) -> None:
        self._secrets = secrets
        self._messages = Messages(secrets)
        self._opener = CaseOpener(secrets, self._messages)
        self._arrivals = Arrivals(
            secrets, self._messages, self._opener, message_limit=message_limit, claim_lapse=claim_lapse
        )
        self._city_name = city_name
        self._claim_lapse = claim_lapse
        self._retention = retention
        self._talks = talks or bindings.Talks(secrets, city_name)

    # -- opening and reading ------------------------------------------------------------------------------------

    def open(self, uow: UnitOfWork, *, channel: str, now: datetime, account: str | None = None) -> NewConversation:
        """Begin a conversation with an account of the platform (None: the default one), which says its welcome.

        Raises NotFound for an account that there is not.
        """
        addressed = menus.find_account(uow, account)
        if account is not None and addressed is None:
            raise NotFound("没有这个账号")
        token = new_token()
        row = Conversation(
            id=str(uuid.uuid4()),
            channel=channel,
            token_hash=hash_token(token),
            created_at=now,
            last_seq=0,
            handler="bot",
            misses=0,
            account=account,
            menu_place="",
            menu_at=now,
        )
        uow.session.add(row)
        uow.session.flush()
        greeting = self._messages.say(uow, row, welcome(addressed, self._city_name), now)
        return NewConversation(
            conversation_id=row.id, token=token, messages=self._messages.views(uow, row.id, [greeting])
        )

    def of_token(self, uow: UnitOfWork, token: str | None) -> Conversation:
        """The citizen's own conversation. Raises Unauthorized."""
        row = repository.by_token_hash(uow.session, hash_token(token)) if token else None
        if row is None:
            raise Unauthorized("会话凭据无效或已过期，请重新打开页面")
        return row

    def own(self, uow: UnitOfWork, token: str | None, conversation_id: str) -> Conversation:
        """Like `of_token`, but somebody else's conversation, or one that does not exist, is NotFound."""
        row = self.of_token(uow, token)
        if row.id != conversation_id:
            raise NotFound("没有这个会话")
        return row

    def messages_after(self, uow: UnitOfWork, conversation_id: str, after: int, limit: int) -> list[MessageView]:
        rows = repository.messages_after(uow.session, conversation_id, after, limit)
        return self._messages.views(uow, conversation_id, rows)

    def transcript(self, uow: UnitOfWork, conversation_id: str, limit: int = 500) -> list[MessageView]:
        """The newest messages, oldest first, with identifiers masked."""
        return self._messages.views(
            uow, conversation_id, repository.latest_messages(uow.session, conversation_id, limit)
        )

    def identifiers(self, uow: UnitOfWork, conversation_id: str) -> list[dict[str, str]]:
        return vault.masked_identifiers(uow, conversation_id)

    def hide_identifiers(self, uow: UnitOfWork, conversation_id: str, text: str, now: datetime) -> str:
        """A text that is no message, with its identifiers kept in the vault and masked. Raises NotFound."""
        row = repository.lock(uow.session, conversation_id)
        if row is None:
            raise NotFound("没有这个会话")
        hidden = vault.hide(
            uow, self._secrets, conversation_id=row.id, seq=row.last_seq, text=text, now=now, expected=None
        )
        return vault.show_masked(hidden.text, vault.masked_identifiers(uow, conversation_id))

    def resolve_identifier(self, uow: UnitOfWork, conversation_id: str, placeholder: str) -> str | None:
        """What a placeholder stands for, once the citizen has consented to its use; else None."""
        row = repository.conversation(uow.session, conversation_id)
        if row is None or row.consent_at is None:
            return None
        return vault.resolve(uow, self._secrets, conversation_id, placeholder)

    def left_phone(self, uow: UnitOfWork, conversation_id: str, tail: str) -> bool:
        """Whether a telephone number left in this conversation ends in these four digits."""
        known = repository.identifiers(uow.session, conversation_id)
        numbers = [self._secrets.decrypt(row.value_encrypted) for row in known if row.type == "phone"]
        return any(len(number) >= 7 and number.endswith(tail) for number in numbers)

    def grant_consent(self, uow: UnitOfWork, conversation_id: str, now: datetime) -> None:
        """Record the citizen's consent to the use of identifiers."""
        row = repository.lock(uow.session, conversation_id)
        if row is None:
            return
        row.consent_at = now
        audit.record(uow, actor="citizen", action="consent.grant", subject=f"conversation:{row.id}", now=now)

    # -- receiving ----------------------------------------------------------------------------------------------

    def arrive(self, uow: UnitOfWork, conversation_id: str, inbound: InboundMessage, now: datetime) -> Arrival:
        """See `Arrivals.arrive`."""
        return self._arrivals.arrive(uow, conversation_id, inbound, now)

    @staticmethod
    def checked_file(upload: bytes) -> attachments.Content:
        """What is kept of an upload, before any transaction: decoding takes time. Raises Unprocessable."""
        return attachments.cleaned(upload)

    def attach(
        self, uow: UnitOfWork, conversation_id: str, content: attachments.Content, client_message_id: str, now: datetime
    ) -> int:
        """See `Arrivals.attach`."""
        return self._arrivals.attach(uow, conversation_id, content, client_message_id, now)

    def attachment(self, uow: UnitOfWork, conversation_id: str, attachment_id: str) -> tuple[str, bytes] | None:
        """Media type and content of what the citizen of this conversation sent, or None."""
        return attachments.read(uow, self._secrets, conversation_id, attachment_id)

    def words_of(self, uow: UnitOfWork, conversation_id: str, upto: int | None = None) -> str:
        """See `CaseOpener.words_of`."""
        return self._opener.words_of(uow, conversation_id, upto)

    # -- the turn -----------------------------------------------------------------------------------------------

    def take_turn(self, uow: UnitOfWork, conversation_id: str, owner: str, now: datetime) -> TurnContext | None:
        """Lease the conversation and read its next message; None, with the lease given back, when none waits.

        Raises LeaseLost while another worker holds the lease. Because arrivals and this function lock the same row,
        a message is either seen here or finds the lease free.
        """
        row = repository.lock(uow.session, conversation_id)
        if row is None:
            return None
        if row.lease_owner not in (None, owner) and row.lease_until is not None and row.lease_until > now:
            raise LeaseLost
        message = repository.next_pending(uow.session, conversation_id)
        if message is None:
            row.lease_owner, row.lease_until = None, None
            return None
        row.lease_owner, row.lease_until = owner, now + LEASE
        lapse_claim(uow, self._messages, row, now, self._claim_lapse)
        return self._context(uow, row, message, now)

    def arrive_and_take(
        self, uow: UnitOfWork, conversation_id: str, inbound: InboundMessage, owner: str, now: datetime
    ) -> tuple[Arrival, TurnContext | None]:
        """`arrive` and, unless another worker holds the lease, `take_turn` in one transaction.

        The caller must not be working on this conversation. No turn may mean that another worker has the lease: the
        caller looks again with `take_turn`.
        """
        arrival = self.arrive(uow, conversation_id, inbound, now)
        try:
            return arrival, self.take_turn(uow, conversation_id, owner, now)
        except LeaseLost:  # raised before anything is changed
            return arrival, None

    def finish_and_take(
        self, uow: UnitOfWork, context: TurnContext, outcome: TurnOutcome, owner: str, now: datetime
    ) -> TurnContext | None:
        """`finish_turn`, and the next turn or the lease given back in the same transaction. Raises LeaseLost."""
        self.finish_turn(uow, context, outcome, owner, now)
        return self.take_turn(uow, context.conversation_id, owner, now)

    def _context(self, uow: UnitOfWork, row: Conversation, message: Message, now: datetime) -> TurnContext:
        text, entities = self._messages.read(message)
        choice = message.extra.get("choice")
        wanted = binding.expected(row, now)
        if choice is None and wanted and PLACEHOLDER_BRACKET not in text:
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
            bound=bound,
            shown=shown,
        )

    def check_phone(self, uow: UnitOfWork, conversation_id: str, code: str, now: datetime) -> str:
        """Try the code of a booking (`services.citizens.schemas.Checked`)."""
        return self._talks.check_phone(uow, conversation_id, code, now)

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

    def deferred_message(self, uow: UnitOfWork, conversation_id: str, seq: int) -> tuple[str, list[dict[str, Any]]]:
        """Text and entities of the message that waited for consent."""
        message = repository.message(uow.session, conversation_id, seq)
        if message is None:
            raise NotFound("没有这条消息")
        return self._messages.read(message)

    def finish_turn(
        self, uow: UnitOfWork, context: TurnContext, outcome: TurnOutcome, owner: str, now: datetime
    ) -> None:
        """Store everything that a turn decided. Raises LeaseLost when the lease has gone to another worker."""
        row = repository.lock(uow.session, context.conversation_id)
        if row is None or row.lease_owner != owner:
            raise LeaseLost
        message = repository.message(uow.session, row.id, context.seq)
        if message is None or message.state != repository.RECEIVED:
            raise LeaseLost
        row.misses, row.requested_slot = outcome.misses, outcome.requested_slot
        row.deferred_seq, row.deferred_payloads = outcome.deferred_seq, outcome.deferred_payloads
        shortcuts.store(uow, row, outcome, now)
        row.topic = outcome.topic
        if outcome.refuse_consent:
            repository.delete_identifiers(uow.session, row.id)
            audit.record(uow, actor="citizen", action="consent.refuse", subject=f"conversation:{row.id}", now=now)
        if outcome.closes_talk:
            row.talk = None
        for reply in outcome.replies:
            self._messages.say(uow, row, reply, now, in_reply_to=context.seq)
        if outcome.talked is not None:
            for reply in binding.take_step(uow, self._talks, self._secrets, row, outcome.talked, now):
                self._messages.say(uow, row, reply, now, in_reply_to=context.seq)
        if outcome.case_action is not None:
            reply_to_act = own_cases.act(uow, self._secrets, row.id, outcome.case_action, now)
            if reply_to_act is not None:
                self._messages.say(uow, row, reply_to_act, now, in_reply_to=context.seq)
        if outcome.case_kind is not None:
            case = self._opener.open(uow, row, outcome.case_kind, context.seq, now, outcome.proposal)
            message.case_no = case.case_no
            self._messages.say(uow, row, self._opener.message(uow, case, now), now, in_reply_to=context.seq)
        for reply in outcome.after_case:
            self._messages.say(uow, row, reply, now, in_reply_to=context.seq)
        for text in outcome.additions:
            shown = vault.show_masked(text, vault.masked_identifiers(uow, row.id))
            cases.add_from_citizen(uow, self._secrets, conversation_id=row.id, text=shown, upto=context.seq, now=now)
        message.state = repository.DONE
        message.route = outcome.route
        message.confidence = outcome.confidence
        uow.collect(ConversationChanged(row.id))

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

    def answer_of(self, uow: UnitOfWork, conversation_id: str, seq: int) -> SendAnswer:
        """What was answered to a message so far; `pending` while its turn is not over."""
        row = repository.conversation(uow.session, conversation_id)
        message = repository.message(uow.session, conversation_id, seq)
        if row is None or message is None:
            raise NotFound("没有这条消息")
        replies = repository.replies_to(uow.session, conversation_id, seq)
        return SendAnswer(
            messages=self._messages.views(uow, conversation_id, replies),
            route=message.route,
            confidence=message.confidence,
            case_no=message.case_no or row.case_no,
            handler="human" if row.handler == "human" else "bot",
            pending=message.state != repository.DONE,
        )

    def stranded(self, uow: UnitOfWork, now: datetime, limit: int = 100) -> Sequence[str]:
        """Conversations whose worker died: a message has waited for over three seconds and nobody has the lease."""
        return repository.stranded(uow.session, now, now - timedelta(seconds=3), limit)

    # -- what comes from elsewhere ------------------------------------------------------------------------------

    def deliver(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        messages: Sequence[Outgoing],
        now: datetime,
        dedupe: str,
        *,
        kind: str = "conversation.message",
        case_no: str | None = None,
    ) -> None:
        """Say something outside of a turn (a late result, a clerk's reply), with its outbox row of that kind."""
        row = repository.lock(uow.session, conversation_id)
        if row is None:
            return
        for message in messages:
            self._messages.say(uow, row, message, now)
        notifications.enqueue(
            uow,
            channel=row.channel,
            recipient=row.id,
            kind=kind,
            body={"seq": row.last_seq, "count": len(messages), "case_no": case_no},
            dedupe_key=dedupe,
            now=now,
        )
        uow.collect(ConversationChanged(row.id))

    def hand_to_clerk(self, uow: UnitOfWork, conversation_id: str, clerk: str, now: datetime) -> None:
        """From now on the citizen's messages go to this clerk's console."""
        row = repository.lock(uow.session, conversation_id)
        if row is not None:
            row.handler, row.clerk, row.clerk_active_at = "human", clerk, now

    def clerk_was_active(self, uow: UnitOfWork, conversation_id: str, now: datetime) -> None:
        row = repository.lock(uow.session, conversation_id)
        if row is not None and row.handler == "human":
            row.clerk_active_at = now

    def give_back(self, uow: UnitOfWork, conversation_id: str) -> None:
        """The bot answers again."""
        row = repository.lock(uow.session, conversation_id)
        if row is not None:
            row.handler, row.clerk, row.clerk_active_at = "bot", None, None

    def handler_of(self, uow: UnitOfWork, conversation_id: str) -> tuple[str, str | None]:
        row = repository.conversation(uow.session, conversation_id)
        return (row.handler, row.clerk) if row else ("bot", None)

    def answer_counts(self, uow: UnitOfWork, start: datetime | None, end: datetime | None) -> dict[str, int]:
        """How often the knowledge base answered and how often it offered candidates, from `start` until before
        `end`: {"answer": n, "candidates": n}."""
        return repository.answer_counts(uow.session, start, end)

    def forget_identifiers(self, uow: UnitOfWork, now: datetime) -> int:
        """Delete identifiers past the retention that the citizen was told; returns how many."""
        return repository.delete_identifiers_before(uow.session, now - self._retention)
