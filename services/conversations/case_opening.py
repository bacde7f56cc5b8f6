"""Cases that open out of a conversation: in the citizen's own words, with what is promised."""

from datetime import datetime

from services.cases import service as cases
from services.conversations import repository, texts
from services.conversations.messages import RECENT_MESSAGES, Messages
from services.conversations.models import Conversation, Message
from services.conversations.schemas import Option, Outgoing
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.sla import service as sla
from services.sla.policies import Kind

# The newest of these tell what a case is about.
CASE_MESSAGES = 5
# Up to here a message says "hello" or "a person, please" and not what it is about.
SHORT_WORDS = 6


class CaseOpener:
    """Opens cases of locked conversations."""

    def __init__(self, secrets: Secrets, messages: Messages) -> None:
        self._secrets = secrets
        self._messages = messages

    def open(
        self,
        uow: UnitOfWork,
        row: Conversation,
        kind: Kind,
        upto: int,
        now: datetime,
        proposal: cases.Proposal | None = None,
    ) -> cases.CaseOut:
        new = cases.NewCase(
            kind=self._kind(uow, row, kind, upto),
            conversation_id=row.id,
            title=self._title(uow, row, upto),
            transcript_upto=upto,
            channel=row.channel,
            proposal=proposal,
        )
        case = cases.open_case(uow, self._secrets, new, now=now)
        row.case_no = case.case_no
        return case

    def words_of(self, uow: UnitOfWork, conversation_id: str, upto: int | None = None) -> str:
        """What the citizen wrote lately (up to the message `upto`), with placeholders for identifiers: the newest
        messages with some substance, one a line."""
        words = [
            " ".join(text.split())
            for message, text in self._said(uow, conversation_id)
            if "choice" not in message.extra and (upto is None or message.seq <= upto)
        ]
        return "\n".join([text for text in words if len(text) > SHORT_WORDS][-CASE_MESSAGES:])

    def _kind(self, uow: UnitOfWork, row: Conversation, kind: Kind, upto: int) -> Kind:
        """A complaint whose words are a tip-off is one, whether or not the classifier could be asked."""
        if kind not in ("complaint", "help"):
            return kind
        words = self.words_of(uow, row.id, upto).split("\n")
        return "report" if any(cases.is_tip_off(text, telling=kind == "complaint") for text in words) else kind

    def _said(self, uow: UnitOfWork, conversation_id: str) -> list[tuple[Message, str]]:
        """The citizen's newest messages with their texts, but for what belongs to a confidential case: that is in no
        title, draft or guess of another one."""
        hidden = cases.shade(uow, conversation_id)
        newest = repository.latest_messages(uow.session, conversation_id, RECENT_MESSAGES)
        said = [(message, self._messages.read(message)[0]) for message in newest if message.sender == "citizen"]
        said = [(message, text) for message, text in said if not hidden.covers(message.created_at, text)]
        secret = cases.secrets_in(uow, None, *(text for _, text in said))
        return [(message, text) for message, text in said if not any(number in text for number in secret)]

    def _title(self, uow: UnitOfWork, row: Conversation, upto: int) -> str:
        """The citizen's own words that led here: the newest message with some substance, identifiers hidden."""
        words = [text for _, text in self._said(uow, row.id)]
        substantial = [text for text in words if len(text) > SHORT_WORDS]
        return (substantial or words or ["（无文字）"])[-1][:60]

    def message(self, uow: UnitOfWork, case: cases.CaseOut, now: datetime) -> Outgoing:
        """The case's number and its promise; outside the hall's hours also when it opens (DESIGN, 4)."""
        running = (clock for clock in case.clocks if clock.state == "running" and clock.target == "first_response")
        due = next((clock.due_at for clock in running), None)
        opening = sla.load_calendar(uow).next_opening(now)
        promise = texts.promise(case.case_no, due, opening if opening > now else None, reused=case.reused)
        if case.confidential:
            promise += texts.KEPT_SECRET
        options = tuple(
            Option(title=title, payload=f"{texts.CASE_CHOICE}{case.case_no}:{what}")
            for title, what in (("催办", "press"), ("撤回", "withdraw"))
        )
        return Outgoing(promise, type="case", case_no=case.case_no, options=options)
