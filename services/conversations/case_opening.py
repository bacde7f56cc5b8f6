"""Cases that open out of a conversation: in the citizen's own words, with what is promised."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.cases import service as cases
from services.conversations import repository, sentences, texts, vault
from services.conversations.messages import RECENT_MESSAGES, Messages
from services.conversations.models import Conversation, Message
from services.conversations.restraint import Restraint
from services.conversations.schemas import Option, Outgoing
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.sla import service as sla
from services.sla.policies import Kind
from services.understanding.danger import detect

# The newest of these tell what a case is about.
CASE_MESSAGES = 5
# Up to here a message says "hello" or "a person, please" and not what it is about.
SHORT_WORDS = 6
# What led to a case is looked for among so many of the newest messages, and not behind such a silence.
LED_HERE = 60
SILENCE = timedelta(minutes=30)
# What was asked of the machine and answered by it; and what is no matter at all.
SERVED = frozenset(["query_violation", "query_bill", "query_progress", "nearby_service", "book_appointment"])
IDLE = SERVED | {"chitchat", "abuse"}
# These are opened by the words that tell them; for the others a person is called after they were said.
TOLD_AT_ONCE: frozenset[Kind] = frozenset(["urgent", "complaint", "report", "suggestion"])
UNTITLED = "（市民尚未说明事由）"


class CaseOpener:
    """Opens cases of locked conversations."""

    def __init__(self, secrets: Secrets, messages: Messages, restraint: Restraint) -> None:
        self._secrets = secrets
        self._messages = messages
        self._restraint = restraint

    def open(
        self,
        uow: UnitOfWork,
        row: Conversation,
        kind: Kind,
        upto: int,
        now: datetime,
        proposal: cases.Proposal | None = None,
    ) -> cases.CaseOut:
        masked = vault.masked_identifiers(uow, row.id)
        told = self._told(uow, row, kind, upto)
        title = _title_of(kind, told[1]) if told is not None else None
        now_said = repository.message(uow.session, row.id, upto)
        words = sentences.whole(self._messages.read(now_said)[0]) if now_said is not None else ""
        new = cases.NewCase(
            kind=self._kind(uow, row, kind, upto),
            conversation_id=row.id,
            title=_masked(title or UNTITLED, masked),
            titled=title is not None,
            title_seq=told[0] if told is not None else None,
            words=vault.show_masked(words, masked),
            transcript_upto=upto,
            channel=row.channel,
            proposal=proposal,
            alarms=self._restraint.alarms(row),
        )
        case = cases.open_case(uow, self._secrets, new, now=now)
        row.case_no = case.case_no
        return case

    def words_of(self, uow: UnitOfWork, conversation_id: str, upto: int | None = None) -> str:
        """What the citizen wrote lately (up to the message `upto`), with placeholders for identifiers: the newest
        messages with some substance, one a line."""
        newest = repository.latest_messages(uow.session, conversation_id, RECENT_MESSAGES)
        words = [
            " ".join(text.split())
            for message, text in self._said(uow, conversation_id, newest)
            if "choice" not in message.extra and (upto is None or message.seq <= upto)
        ]
        return "\n".join([text for text in words if len(text) > SHORT_WORDS][-CASE_MESSAGES:])

    def asked_in(self, uow: UnitOfWork, conversation_id: str, seq: int | None) -> str:
        """What the citizen asked in the message that a case has its title from, with placeholders for identifiers and
        without the commands before it; empty when it is gone or there is none."""
        message = repository.message(uow.session, conversation_id, seq) if seq is not None else None
        said = self._said(uow, conversation_id, [message] if message is not None else [])
        return sentences.whole(said[0][1]) if said else ""

    def _kind(self, uow: UnitOfWork, row: Conversation, kind: Kind, upto: int) -> Kind:
        """A complaint whose words are a tip-off is one, whether or not the classifier could be asked."""
        if kind not in ("complaint", "help"):
            return kind
        words = self.words_of(uow, row.id, upto).split("\n")
        return "report" if any(cases.is_tip_off(text, telling=kind == "complaint") for text in words) else kind

    def _said(self, uow: UnitOfWork, conversation_id: str, messages: Sequence[Message]) -> list[tuple[Message, str]]:
        """The citizen's among these messages of a conversation with their texts, but for what belongs to a confidential
        case: that is in no title, draft or guess of another one."""
        hidden = cases.shade(uow, conversation_id)
        said = [(message, self._messages.read(message)[0]) for message in messages if message.sender == "citizen"]
        said = [(message, text) for message, text in said if not hidden.covers(message.created_at, text)]
        secret = cases.secrets_in(uow, None, *(text for _, text in said))
        return [(message, text) for message, text in said if not any(number in text for number in secret)]

    def spoke(self, uow: UnitOfWork, row: Conversation, message: Message, now: datetime) -> None:
        """The citizen's message is heard by the open case, if there is one, and belongs to it from then on; once."""
        if message.case_no is not None:
            return
        text = self._messages.read(message)[0]
        masked = vault.masked_identifiers(uow, row.id)
        title = sentences.first(text)
        message.case_no = cases.citizen_spoke(
            uow,
            self._secrets,
            conversation_id=row.id,
            words=vault.show_masked(text, masked),
            title=_masked(title, masked) if title is not None else None,
            seq=message.seq,
            now=now,
        )

    def _told(self, uow: UnitOfWork, row: Conversation, kind: Kind, upto: int) -> tuple[int, str] | None:
        """The message that says what the case is about, with its number: the first one of this matter that is more than
        commands. The matter began after the last silence, and after what belongs to an earlier case."""
        matter: list[Message] = []
        newest = repository.latest_messages(uow.session, row.id, LED_HERE)
        for message in (one for one in newest if one.sender == "citizen" and one.seq <= upto):
            if message.case_no is not None or (matter and message.created_at - matter[-1].created_at > SILENCE):
                matter = []
            if message.case_no is None:
                matter.append(message)
        texts_only = [one for one in matter if one.type == "text" and "choice" not in one.extra]
        said = self._said(uow, row.id, texts_only)
        ranked = [
            *(one for one in said if one[0].seq == upto and kind in TOLD_AT_ONCE),
            *(one for one in said if one[0].route not in IDLE),
            *said,
        ]
        for message, text in ranked:
            if sentences.first(text) is not None or (kind == "urgent" and message.seq == upto):
                return message.seq, text
        return None

    def message(self, uow: UnitOfWork, case: cases.CaseOut, now: datetime) -> Outgoing:
        """The case's number and its promise; outside the hall's hours also when it opens (DESIGN, 4)."""
        running = (clock for clock in case.clocks if clock.state == "running" and clock.target == "first_response")
        due = next((clock.due_at for clock in running), None)
        opening = sla.load_calendar(uow).next_opening(now)
        promise = texts.promise(case.case_no, due, opening if opening > now else None, reused=case.reused)
        if case.confidential:
            promise += texts.KEPT_SECRET
        if case.confidential:
            promise += texts.KEPT_SECRET
        options = tuple(
            Option(title=title, payload=f"{texts.CASE_CHOICE}{case.case_no}:{what}")
            for title, what in (("催办", "press"), ("撤回", "withdraw"))
        )
        return Outgoing(promise, type="case", case_no=case.case_no, options=options)


def _title_of(kind: Kind, text: str) -> str | None:
    """The first sentence that tells something; of a call for help the first that tells the danger."""
    if kind == "urgent":
        dangerous = (sentences.first(one) for one in sentences.each(text) if detect(one) is not None)
        danger = next((one for one in dangerous if one is not None), None)
        if danger is not None:
            return danger
        return sentences.first(text) or text
    return sentences.first(text)


def _masked(title: str, identifiers: list[dict[str, str]]) -> str:
    return sentences.short(vault.show_masked(title, identifiers), sentences.TITLE_LIMIT)
