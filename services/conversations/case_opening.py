"""Cases that open out of a conversation: in the citizen's own words, with what is promised."""

from datetime import datetime

from services.cases import service as cases
from services.conversations import repository, texts
from services.conversations.messages import RECENT_MESSAGES, Messages
from services.conversations.models import Conversation
from services.conversations.restraint import Restraint
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
        new = cases.NewCase(
            kind=kind,
            conversation_id=row.id,
            title=self._title(uow, row, upto),
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
            " ".join(self._messages.read(message)[0].split())
            for message in newest
            if message.sender == "citizen" and "choice" not in message.extra and (upto is None or message.seq <= upto)
        ]
        return "\n".join([text for text in words if len(text) > SHORT_WORDS][-CASE_MESSAGES:])

    def _title(self, uow: UnitOfWork, row: Conversation, upto: int) -> str:
        """The citizen's own words that led here: the newest message with some substance, identifiers hidden."""
        newest = repository.latest_messages(uow.session, row.id, RECENT_MESSAGES)
        words = [self._messages.read(message)[0] for message in newest if message.sender == "citizen"]
        substantial = [text for text in words if len(text) > SHORT_WORDS]
        return (substantial or words or ["（无文字）"])[-1][:60]

    def message(self, uow: UnitOfWork, case: cases.CaseOut, now: datetime) -> Outgoing:
        """The case's number and its promise; outside the hall's hours also when it opens (DESIGN, 4)."""
        running = (clock for clock in case.clocks if clock.state == "running" and clock.target == "first_response")
        due = next((clock.due_at for clock in running), None)
        opening = sla.load_calendar(uow).next_opening(now)
        promise = texts.promise(case.case_no, due, opening if opening > now else None, reused=case.reused)
        options = tuple(
            Option(title=title, payload=f"{texts.CASE_CHOICE}{case.case_no}:{what}")
            for title, what in (("催办", "press"), ("撤回", "withdraw"))
        )
        return Outgoing(promise, type="case", case_no=case.case_no, options=options)
