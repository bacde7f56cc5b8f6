"""Conversations in short transactions: open, receive, take a turn, say, read.

Nothing here waits for anything but the database; `turns.TurnRunner` does the waiting between these steps.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.accounts import service as accounts
from services.bindings import service as bindings
from services.cases.service import Shade
from services.conversations import (
    attachments,
    repository,
    vault,
)
from services.conversations.arrivals import Arrivals, locked
from services.conversations.case_opening import CaseOpener
from services.conversations.events import ConversationChanged
from services.conversations.menus import welcome
from services.conversations.messages import Messages
from services.conversations.models import Conversation
from services.conversations.photos import Decoder
from services.conversations.restraint import Restraint
from services.conversations.schemas import (
    Arrival,
    InboundMessage,
    MessageView,
    NewConversation,
    Outgoing,
    SendAnswer,
    TurnContext,
    TurnOutcome,
)
from services.conversations.turn_taking import LeaseLost, TurnTaking
from services.core import audit
from services.core.crypto import Secrets, hash_token, new_token
from services.core.database import UnitOfWork
from services.core.errors import NotFound, Unauthorized
from services.core.limits import PerAddress
from services.menus import service as menus
from services.notifications import service as notifications
from services.understanding.danger import Heard

NOTHING_HIDDEN = Shade()


class Conversations:
    """The operations on conversations; `secrets` encrypts texts and identifiers at rest."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        city_name: str,
        message_limit: int,
        claim_lapse: timedelta,
        talks: bindings.Talks | None = None,
        per_address: PerAddress | None = None,
    ) -> None:
        self._secrets = secrets
        self._messages = Messages(secrets)
        self._restraint = Restraint(per_address or PerAddress())
        self._opener = CaseOpener(secrets, self._messages, self._restraint)
        self._arrivals = Arrivals(
            secrets,
            self._messages,
            self._opener,
            self._restraint,
            message_limit=message_limit,
            claim_lapse=claim_lapse,
        )
        self._decoder = Decoder()
        self._city_name = city_name
        self._claim_lapse = claim_lapse
        self._talks = talks or bindings.Talks(secrets, city_name)
        self._turns = TurnTaking(
            secrets, self._messages, self._opener, self._talks, self._restraint, claim_lapse=claim_lapse
        )

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

    def end(self, uow: UnitOfWork, conversation_id: str, now: datetime) -> None:
        """Nobody reads or continues the conversation with its token any more (on a shared terminal the next one would).

        What was opened in it goes on: its cases are found again by number and phone. Raises NotFound.
        """
        row = locked(uow, conversation_id)
        row.token_hash = hash_token(new_token())
        row.requested_slot, row.talk = None, None
        row.deferred_seq, row.deferred_payloads = None, None
        audit.record(uow, actor="citizen", action="conversation.end", subject=f"conversation:{row.id}", now=now)
        uow.collect(ConversationChanged(row.id))

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
        row = locked(uow, conversation_id)
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

    def arrive(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        inbound: InboundMessage,
        now: datetime,
        heard: Heard | None = None,
        origin: str = "",
    ) -> Arrival:
        """See `Arrivals.arrive`."""
        return self._arrivals.arrive(uow, conversation_id, inbound, now, heard, origin)

    def checked_file(self, upload: bytes) -> attachments.Content:
        """What is kept of an upload, before any transaction: decoding takes time. Raises Unprocessable, Unavailable."""
        return attachments.cleaned(upload, self._decoder)

    def attach(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        content: attachments.Content,
        client_message_id: str,
        now: datetime,
        origin: str = "",
    ) -> int:
        """See `Arrivals.attach`."""
        return self._arrivals.attach(uow, conversation_id, content, client_message_id, now, origin)

    def note_addition(self, uow: UnitOfWork, conversation_id: str, now: datetime, origin: str = "") -> None:
        """Count something that the citizen adds to a case. Raises NotFound, TooManyRequests."""
        row = locked(uow, conversation_id)
        row.origin = origin or row.origin
        self._restraint.note_addition(uow, row, now)

    def origin_of(self, uow: UnitOfWork, conversation_id: str) -> str:
        """Where its citizen wrote from last, as a keyed hash; empty when nobody knows."""
        row = repository.conversation(uow.session, conversation_id)
        return row.origin if row is not None else ""

    def attachment(
        self, uow: UnitOfWork, conversation_id: str, attachment_id: str, hidden: Shade = NOTHING_HIDDEN
    ) -> tuple[str, bytes] | None:
        """Media type and content of what the citizen of this conversation sent; None also for what is `hidden`."""
        return attachments.read(uow, self._secrets, conversation_id, attachment_id, hidden)

    def words_of(self, uow: UnitOfWork, conversation_id: str) -> str:
        """See `CaseOpener.words_of`."""
        return self._opener.words_of(uow, conversation_id)

    def asked_in(self, uow: UnitOfWork, conversation_id: str, seq: int | None) -> str:
        """See `CaseOpener.asked_in`."""
        return self._opener.asked_in(uow, conversation_id, seq)

    # -- the turn -----------------------------------------------------------------------------------------------

    def take_turn(self, uow: UnitOfWork, conversation_id: str, owner: str, now: datetime) -> TurnContext | None:
        """See `TurnTaking.take`."""
        return self._turns.take(uow, conversation_id, owner, now)

    def arrive_and_take(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        inbound: InboundMessage,
        owner: str,
        now: datetime,
        heard: Heard | None = None,
        origin: str = "",
    ) -> tuple[Arrival, TurnContext | None]:
        """`arrive` and, unless another worker holds the lease, `take_turn` in one transaction.

        The caller must not be working on this conversation. No turn may mean that another worker has the lease: the
        caller looks again with `take_turn`.
        """
        row = locked(uow, conversation_id)
        arrival = self._arrivals.arrive_locked(uow, row, inbound, now, heard, origin)
        try:
            return arrival, self._turns.take_locked(uow, row, owner, now)
        except LeaseLost:  # raised before anything is changed
            return arrival, None

    def finish_and_take(
        self, uow: UnitOfWork, context: TurnContext, outcome: TurnOutcome, owner: str, now: datetime
    ) -> tuple[SendAnswer, TurnContext | None]:
        """See `TurnTaking.finish_and_take`."""
        return self._turns.finish_and_take(uow, context, outcome, owner, now)

    def say_interim(self, uow: UnitOfWork, conversation_id: str, seq: int, reply: Outgoing, now: datetime) -> None:
        """See `TurnTaking.say_interim`."""
        self._turns.say_interim(uow, conversation_id, seq, reply, now)

    def answer_of(self, uow: UnitOfWork, conversation_id: str, seq: int) -> SendAnswer:
        """See `TurnTaking.answer_of`."""
        return self._turns.answer_of(uow, conversation_id, seq)

    def deferred_message(self, uow: UnitOfWork, conversation_id: str, seq: int) -> tuple[str, list[dict[str, Any]]]:
        """Text and entities of the message that waited for consent."""
        message = repository.message(uow.session, conversation_id, seq)
        if message is None:
            raise NotFound("没有这条消息")
        return self._messages.read(message)

    def check_phone(self, uow: UnitOfWork, conversation_id: str, code: str, now: datetime) -> str:
        """Try the code of a booking (`services.citizens.schemas.Checked`)."""
        return self._talks.check_phone(uow, conversation_id, code, now)

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
        """Say something outside of a turn (a late result, a clerk's reply), once for each `dedupe`.

        On our own page it can be read with this transaction; to a citizen on another channel it goes through the outbox
        too, as that kind.
        """
        row = repository.lock(uow.session, conversation_id)
        if row is None or repository.was_delivered(uow.session, dedupe):
            return
        for place, message in enumerate(messages):
            self._messages.say(uow, row, message, now, dedupe_key=dedupe if place == 0 else None)
        if row.channel in notifications.CHANNELS:
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
        """Who answers, and of a clerk the department and post: what citizens read."""
        row = repository.conversation(uow.session, conversation_id)
        if row is None:
            return "bot", None
        return row.handler, accounts.shown_to_citizens(uow, row.clerk) if row.clerk is not None else None

    def answer_counts(self, uow: UnitOfWork, start: datetime | None, end: datetime | None) -> dict[str, int]:
        """How often the knowledge base answered and how often it offered candidates, from `start` until before
        `end`: {"answer": n, "candidates": n}."""
        return repository.answer_counts(uow.session, start, end)
