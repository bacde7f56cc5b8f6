"""What happens to a conversation when its case moves: handlers of the cases' events, wired by the container."""

from dataclasses import replace

from services.accounts import service as accounts
from services.cases.events import (
    CaseAcknowledged,
    CaseAssigned,
    CaseClaimed,
    CaseClosed,
    CaseExtended,
    CaseHeld,
    CaseMerged,
    CaseNews,
    CaseReopened,
    CaseReplied,
    CaseResolved,
    CaseTransferred,
)
from services.conversations import texts
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.core.database import UnitOfWork
from services.notifications import service as notifications


class Takeover:
    """Listens to cases inside their transactions: the clerk's reply and its message are one change.

    A case without a conversation has nobody to tell. What is told, in whose words, is said in docs/notifications.md.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def claimed(self, uow: UnitOfWork, event: CaseClaimed) -> None:
        if event.conversation_id is not None:
            self._conversations.hand_to_clerk(uow, event.conversation_id, event.actor, event.at)
        who = accounts.shown_to_citizens(uow, event.actor)
        self._tell(uow, event, "claimed", texts.claimed(who), clerk=who)

    def acknowledged(self, uow: UnitOfWork, event: CaseAcknowledged) -> None:
        """Somebody has read of the danger; the bot goes on answering until somebody takes the case."""
        self._tell(uow, event, "acknowledged", texts.acknowledged(event.case_no, event.who), who=event.who)

    def replied(self, uow: UnitOfWork, event: CaseReplied) -> None:
        self._clerk_spoke(uow, event)
        # By its number: two replies of one moment are two.
        self._tell(uow, event, "reply", self._spoken(uow, event, event.text), number=event.seq)

    def resolved(self, uow: UnitOfWork, event: CaseResolved) -> None:
        self._give_back(uow, event)
        if event.through is not None:
            message = texts.ended_elsewhere(event.case_no, event.through, "已办结")
            self._tell(uow, event, "resolved_merged", message, into=event.through)
        else:
            self._tell(uow, event, "resolved", texts.resolved(event.case_no))

    def closed(self, uow: UnitOfWork, event: CaseClosed) -> None:
        self._give_back(uow, event)
        if event.through is not None:
            message = texts.ended_elsewhere(event.case_no, event.through, "已关闭")
            self._tell(uow, event, "closed_merged", message, into=event.through)
        else:
            self._tell(uow, event, event.how, texts.closed(event.case_no, event.how))

    def assigned(self, uow: UnitOfWork, event: CaseAssigned) -> None:
        """Until the new clerk takes the case the bot goes on answering."""
        self._give_back(uow, event)
        message = texts.assigned(event.case_no, event.department)
        self._tell(uow, event, "assigned", message, department=event.department)

    def held(self, uow: UnitOfWork, event: CaseHeld) -> None:
        self._clerk_spoke(uow, event)
        self._tell(uow, event, "question", self._spoken(uow, event, event.text))
        until = texts.moment(event.until) if event.until is not None else ""
        self._tell(uow, event, "held", texts.held(event.case_no, event.until), until=until)

    def extended(self, uow: UnitOfWork, event: CaseExtended) -> None:
        message = texts.extended(event.case_no, event.due_at, event.reason)
        due = texts.moment(event.due_at) if event.due_at is not None else ""
        self._tell(uow, event, "extended", message, due=due, reason=event.reason)

    def merged(self, uow: UnitOfWork, event: CaseMerged) -> None:
        self._give_back(uow, event)
        self._tell(uow, event, "merged", texts.merged(event.case_no, event.into), into=event.into)

    def transferred(self, uow: UnitOfWork, event: CaseTransferred) -> None:
        self._give_back(uow, event)
        message = texts.transferred(event.case_no, event.department)
        self._tell(uow, event, "transferred", message, department=event.department)

    def reopened(self, uow: UnitOfWork, event: CaseReopened) -> None:
        self._tell(uow, event, "reopened", texts.reopened(event.case_no))

    @staticmethod
    def _spoken(uow: UnitOfWork, event: CaseNews, text: str) -> Outgoing:
        who = accounts.shown_to_citizens(uow, event.actor)
        return Outgoing(text, sender="clerk", case_no=event.case_no, spoken_by=who)

    def _clerk_spoke(self, uow: UnitOfWork, event: CaseNews) -> None:
        if event.conversation_id is not None and event.through is None:
            self._conversations.clerk_was_active(uow, event.conversation_id, event.at)

    def _give_back(self, uow: UnitOfWork, event: CaseNews) -> None:
        # The citizen of a merged case may talk to the clerk of another one by now.
        if event.conversation_id is not None and event.through is None:
            self._conversations.give_back(uow, event.conversation_id)

    def _tell(
        self, uow: UnitOfWork, event: CaseNews, what: str, message: Outgoing, number: int | None = None, **fields: str
    ) -> None:
        """Say `message` in the case's conversation, in the city's own words where it has some for `case.WHAT`."""
        if event.conversation_id is None:
            return
        kind = f"case.{what}"
        words = notifications.citizen_words(uow, kind, {"case_no": event.case_no, **fields})
        if words is not None:
            message = replace(message, text=words)
        # One reply reaches several conversations when cases were merged.
        dedupe = f"{event.case_no}:{what}:{event.conversation_id}:{number or event.at.isoformat()}"
        self._conversations.deliver(
            uow, event.conversation_id, [message], event.at, dedupe, kind=kind, case_no=event.case_no
        )
