"""What arrives from a citizen: stored once, identifiers hidden, danger to life answered in the same transaction."""

from datetime import datetime, timedelta
from typing import Any

from services.cases import service as cases
from services.conversations import attachments, binding, case_words, feedback, own_cases, repository, texts, vault
from services.conversations.case_opening import CaseOpener
from services.conversations.claims import lapse_claim
from services.conversations.events import ConversationChanged
from services.conversations.messages import RECENT_MESSAGES, Messages
from services.conversations.models import Conversation, Message
from services.conversations.restraint import Restraint
from services.conversations.schemas import Arrival, InboundMessage, Outgoing
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, NotFound, TooManyRequests, Unprocessable
from services.lookups import service as lookups
from services.notifications import service as notifications
from services.understanding.danger import (
    LASTS,
    Heard,
    Urgency,
    company_reply,
    detect,
    emergency_reply,
    following,
)

QUEUE_LIMIT = 50


def locked(uow: UnitOfWork, conversation_id: str) -> Conversation:
    """The conversation with its row locked until the end of the transaction. Raises NotFound."""
    row = repository.lock(uow.session, conversation_id)
    if row is None:
        raise NotFound("没有这个会话")
    return row


class Arrivals:
    """Takes messages and files in; each call locks its conversation. `message_limit` is in characters."""

    def __init__(
        self,
        secrets: Secrets,
        messages: Messages,
        opener: CaseOpener,
        restraint: Restraint,
        *,
        message_limit: int,
        claim_lapse: timedelta,
    ) -> None:
        self._secrets = secrets
        self._messages = messages
        self._opener = opener
        self._restraint = restraint
        self._message_limit = message_limit
        self._claim_lapse = claim_lapse

    def arrive(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        inbound: InboundMessage,
        now: datetime,
        heard: Heard | None = None,
        origin: str = "",
    ) -> Arrival:
        """Store an inbound message once, identifiers hidden; danger to life is answered in the same transaction.

        `heard` is the embedding of its text, if there is one: danger is seen better with it. `origin` is where it comes
        from, as a keyed hash.
        Raises Unprocessable for an empty or too long message, TooManyRequests when the queue is full.
        """
        row = locked(uow, conversation_id)
        return self.arrive_locked(uow, row, inbound, now, heard, origin)

    def arrive_locked(
        self,
        uow: UnitOfWork,
        row: Conversation,
        inbound: InboundMessage,
        now: datetime,
        heard: Heard | None = None,
        origin: str = "",
    ) -> Arrival:
        """`arrive` in a conversation whose row this transaction has locked already."""
        text = self._text_of(uow, row.id, inbound)
        known = repository.by_client_id(uow.session, row.id, inbound.client_message_id)
        if known is not None:
            return Arrival(known.seq, fresh=False)
        if repository.pending_count(uow.session, row.id) >= QUEUE_LIMIT:
            raise TooManyRequests("消息发得太快了，请等前面的消息处理完")
        row.last_seq += 1
        row.origin = origin or row.origin
        seq = row.last_seq
        entities: list[dict[str, Any]] = []
        if inbound.text is not None:
            hidden = vault.hide(
                uow,
                self._secrets,
                conversation_id=row.id,
                seq=seq,
                text=text,
                now=now,
                expected=binding.expected(row, now),
            )
            text, entities = hidden.text, hidden.entities
        elif inbound.location is not None:
            # Four decimals are some ten metres: enough for the nearest counter.
            place = f"{inbound.location.lat:.4f},{inbound.location.lng:.4f}"
            if inbound.location.coordinates == "wgs84":
                place += ";wgs84"
            start = len(text) + 1
            entities = [{"type": "location", "value": place, "start": start, "end": start + len(place)}]
            text = f"{text} {place}"
        message = Message(
            conversation_id=row.id,
            seq=seq,
            sender="citizen",
            type="feedback" if feedback.chosen(inbound.choice) else "text",
            text_encrypted=self._secrets.encrypt(text),
            extra=self._messages.seal(entities, inbound.choice),
            created_at=now,
            state=repository.RECEIVED,
            client_message_id=inbound.client_message_id,
        )
        uow.session.add(message)
        uow.session.flush()
        if row.channel != "web":
            # A page that is open asks for what it missed; elsewhere it may have waited for this.
            notifications.citizen_is_back(uow, row.id, now)
        answered = False
        if inbound.choice is not None and inbound.choice.startswith(texts.CASE_CHOICE):
            self._act_on_case(uow, row, message, inbound.choice, now)
        elif inbound.choice is not None and inbound.choice.startswith(texts.WATCH_CHOICE):
            watched = lookups.watch(uow, row.id, inbound.choice.removeprefix(texts.WATCH_CHOICE), now)
            reply = texts.WATCHED if watched else texts.ALREADY_BACK
            self._messages.say(uow, row, reply, now, in_reply_to=message.seq)
            message.state = repository.DONE
        elif row.case_no is not None and not self._only_asks(row, inbound.text):
            # A case that waits for its citizen goes on, whoever holds the conversation.
            answered = cases.citizen_wrote(uow, conversation_id=row.id, now=now)
        urgency = detect(inbound.text, heard) if inbound.text else None
        if urgency is not None:
            self._answer_urgency(uow, row, message, urgency, now)
        elif inbound.text and self._is_tip_off(uow, row, text, now):
            self._take_tip_off(uow, row, message, now)
        elif row.handler != "human" and row.case_no is not None and inbound.choice is None:
            self._keep_company(uow, row, message, {str(entity["type"]) for entity in entities}, inbound, now)
        if answered:
            self._opener.spoke(uow, row, message, now)
        uow.collect(ConversationChanged(row.id))
        return Arrival(seq, fresh=True, done=message.state == repository.DONE)

    def attach(
        self,
        uow: UnitOfWork,
        conversation_id: str,
        content: attachments.Content,
        client_message_id: str,
        now: datetime,
        origin: str = "",
    ) -> int:
        """Store a photo or document once, with the word that it has come; the message's place.

        It takes no turn: nothing of it can be read here. Raises NotFound, TooManyRequests.
        """
        row = locked(uow, conversation_id)
        known = repository.by_client_id(uow.session, conversation_id, client_message_id)
        if known is not None:
            return known.seq
        row.last_seq += 1
        row.origin = origin or row.origin
        self._restraint.note_addition(uow, row, now)
        described = attachments.keep(
            uow, self._secrets, conversation_id=row.id, seq=row.last_seq, content=content, now=now
        )
        message = self._messages.hear_file(uow, row, attachments.WORDS[content.kind], described, client_message_id, now)
        lapse_claim(uow, self._messages, row, now, self._claim_lapse)
        added = cases.add_from_citizen(
            uow,
            self._secrets,
            conversation_id=row.id,
            text=f"市民发来{attachments.WORDS[content.kind]}",
            upto=message.seq,
            now=now,
        )
        if added is not None:
            cases.citizen_wrote(uow, conversation_id=row.id, now=now)
        if row.handler == "bot":
            self._messages.say(uow, row, texts.file_received(added), now, in_reply_to=message.seq)
        message.case_no = added
        uow.collect(ConversationChanged(row.id))
        return message.seq

    def _only_asks(self, row: Conversation, text: str | None) -> bool:
        """Whether a message only does something with a case: that is no answer to what its clerk asked."""
        word = (
            case_words.read(text, in_form=row.requested_slot is not None) if text and row.handler != "human" else None
        )
        return word is not None and word.what != "add"

    def _text_of(self, uow: UnitOfWork, conversation_id: str, inbound: InboundMessage) -> str:
        if inbound.location is not None:
            return texts.LOCATION_TEXT
        if inbound.choice is not None:
            return self._title_of_choice(uow, conversation_id, inbound.choice)
        text = (inbound.text or "").strip()
        if not text:
            raise Unprocessable("消息是空的，请输入您的问题")
        if len(text) > self._message_limit:
            raise Unprocessable(f"消息过长，请控制在 {self._message_limit} 字以内")
        return text

    def _title_of_choice(self, uow: UnitOfWork, conversation_id: str, payload: str) -> str:
        rating = feedback.chosen(payload)
        if rating is not None:
            answer = repository.message(uow.session, conversation_id, rating[0])
            if answer is not None and "entry" in answer.extra:
                return feedback.title(rating[1])
        recent = repository.latest_messages(uow.session, conversation_id, RECENT_MESSAGES)
        for message in reversed(recent):
            for option in message.extra.get("options") or ():
                if option["payload"] == payload:
                    return str(option["title"])
        raise BadRequest("这个选项已经失效，请重新提问")

    def _answer_urgency(
        self, uow: UnitOfWork, row: Conversation, message: Message, urgency: Urgency, now: datetime
    ) -> None:
        """DESIGN, life of a message, 2: a case of the highest priority, alerts and the emergency numbers at once."""
        case = self._opener.open(uow, row, "urgent", message.seq, now)
        text = emergency_reply(urgency, cases.watch_over(uow, case.case_no))
        reply = Outgoing(text, type="emergency", case_no=case.case_no)
        self._messages.say(uow, row, reply, now, in_reply_to=message.seq)
        message.state = repository.DONE
        message.route = "urgent"
        message.case_no = case.case_no

    def _is_tip_off(self, uow: UnitOfWork, row: Conversation, text: str, now: datetime) -> bool:
        """Whether these words must be kept from whoever would read them now: the clerks of the open case, or the form
        that asks for something else."""
        if not cases.is_tip_off(text, telling=True):
            return False
        case = cases.open_case_of(uow, self._secrets, conversation_id=row.id, now=now)
        return not case.confidential if case is not None else row.requested_slot is not None

    def _take_tip_off(self, uow: UnitOfWork, row: Conversation, message: Message, now: datetime) -> None:
        """Confidential at once, before any queue: the message takes no turn, and an open form stays as it is."""
        case = self._opener.open(uow, row, "report", message.seq, now)
        self._messages.say(uow, row, self._opener.message(uow, case, now), now, in_reply_to=message.seq)
        message.state = repository.DONE
        message.route = "complaint"
        message.case_no = case.case_no

    def _keep_company(
        self,
        uow: UnitOfWork,
        row: Conversation,
        message: Message,
        kinds: set[str],
        inbound: InboundMessage,
        now: datetime,
    ) -> None:
        """Until a clerk takes an urgent case over, what its citizen adds is answered with the danger in mind."""
        case = cases.open_case_of(uow, self._secrets, conversation_id=row.id, now=now)
        if case is None or case.priority != "urgent" or case.first_response_at is not None:
            return
        about = following(inbound.text or "", kinds, place=inbound.location is not None)
        if about is None or now - case.created_at > LASTS:
            return
        if about == "place":
            # The duty officer hears of it, and the case's transcript reaches up to it.
            self._opener.open(uow, row, "urgent", message.seq, now)
        else:
            self._opener.spoke(uow, row, message, now)
        text = company_reply(about, detect(case.title), case.case_no, cases.watch_over(uow, case.case_no))
        reply = Outgoing(text, type="emergency", case_no=case.case_no)
        self._messages.say(uow, row, reply, now, in_reply_to=message.seq)
        message.state = repository.DONE
        message.route = "urgent"
        message.case_no = case.case_no

    def _act_on_case(self, uow: UnitOfWork, row: Conversation, message: Message, choice: str, now: datetime) -> None:
        """What the citizen chose about a case."""
        action = own_cases.chosen(choice)
        reply: Outgoing | None = texts.ENTRY_GONE
        if action is not None:
            reply = own_cases.act(uow, self._secrets, row, action, self._restraint, now)
        if reply is not None:
            self._messages.say(uow, row, reply, now, in_reply_to=message.seq)
        message.state = repository.DONE
        message.route = "query_progress"
