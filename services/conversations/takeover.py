"""What happens to a conversation when its case moves: handlers of the cases' events, wired by the container."""

from datetime import datetime

from services.cases.events import (
    CaseAssigned,
    CaseClaimed,
    CaseClosed,
    CaseExtended,
    CaseHeld,
    CaseMerged,
    CaseReopened,
    CaseReplied,
    CaseResolved,
    CaseTransferred,
)
from services.conversations import texts
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.core.database import UnitOfWork


class Takeover:
    """Listens to cases inside their transactions: the clerk's reply and its outbox row are one change."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def claimed(self, uow: UnitOfWork, event: CaseClaimed) -> None:
        if event.conversation_id is None:
            return
        self._conversations.hand_to_clerk(uow, event.conversation_id, event.actor, event.at)
        self._say(uow, event.conversation_id, texts.claimed(event.actor), event.at, f"{event.case_no}:claimed")

    def replied(self, uow: UnitOfWork, event: CaseReplied) -> None:
        if event.conversation_id is None:
            return
        self._conversations.clerk_was_active(uow, event.conversation_id, event.at)
        reply = Outgoing(event.text, sender="clerk", case_no=event.case_no)
        self._say(uow, event.conversation_id, reply, event.at, f"{event.case_no}:reply:{event.conversation_id}")

    def resolved(self, uow: UnitOfWork, event: CaseResolved) -> None:
        if event.conversation_id is None:
            return
        self._conversations.give_back(uow, event.conversation_id)
        self._say(uow, event.conversation_id, texts.resolved(event.case_no), event.at, f"{event.case_no}:resolved")

    def closed(self, uow: UnitOfWork, event: CaseClosed) -> None:
        if event.conversation_id is None:
            return
        self._conversations.give_back(uow, event.conversation_id)
        message = texts.closed(event.case_no, event.how)
        self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:closed")

    def assigned(self, uow: UnitOfWork, event: CaseAssigned) -> None:
        """Until the new clerk takes the case the bot goes on answering."""
        if event.conversation_id is None:
            return
        self._conversations.give_back(uow, event.conversation_id)
        message = texts.assigned(event.case_no, event.department)
        self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:assigned")

    def held(self, uow: UnitOfWork, event: CaseHeld) -> None:
        if event.conversation_id is None:
            return
        self._conversations.clerk_was_active(uow, event.conversation_id, event.at)
        question = Outgoing(event.text, sender="clerk", case_no=event.case_no)
        self._say(uow, event.conversation_id, question, event.at, f"{event.case_no}:question")
        message = texts.held(event.case_no, event.until)
        self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:held")

    def extended(self, uow: UnitOfWork, event: CaseExtended) -> None:
        if event.conversation_id is not None:
            message = texts.extended(event.case_no, event.due_at, event.reason)
            self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:extended")

    def merged(self, uow: UnitOfWork, event: CaseMerged) -> None:
        if event.conversation_id is None:
            return
        self._conversations.give_back(uow, event.conversation_id)
        message = texts.merged(event.case_no, event.into)
        self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:merged")

    def transferred(self, uow: UnitOfWork, event: CaseTransferred) -> None:
        if event.conversation_id is None:
            return
        self._conversations.give_back(uow, event.conversation_id)
        message = texts.transferred(event.case_no, event.department)
        self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:transferred")

    def reopened(self, uow: UnitOfWork, event: CaseReopened) -> None:
        if event.conversation_id is not None:
            message = texts.reopened(event.case_no)
            self._say(uow, event.conversation_id, message, event.at, f"{event.case_no}:reopened")

    def _say(self, uow: UnitOfWork, conversation_id: str, message: Outgoing, at: datetime, what: str) -> None:
        self._conversations.deliver(uow, conversation_id, [message], at, f"{what}:{at.isoformat()}")
