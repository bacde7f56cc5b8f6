"""The case desk's public functions; the rooms above call these and nothing else of it."""

from datetime import datetime

from services.cases import repository, views
from services.cases.additions import add_from_citizen
from services.cases.desk import claim, close, note, reopen, reply, resolve, transfer
from services.cases.importing import PastCasesReport, import_past_cases
from services.cases.opening import open_case
from services.cases.reporting import period, report
from services.cases.schemas import CaseDetail, CaseList, CaseOut
from services.cases.views import get_case, list_cases
from services.core.crypto import Secrets
from services.core.database import UnitOfWork

__all__ = [
    "CaseDetail",
    "CaseList",
    "CaseOut",
    "PastCasesReport",
    "add_from_citizen",
    "case_of_citizen",
    "claim",
    "close",
    "get_case",
    "import_past_cases",
    "list_cases",
    "note",
    "open_case",
    "open_case_of",
    "period",
    "reopen",
    "reply",
    "report",
    "resolve",
    "transfer",
]


def open_case_of(uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, now: datetime) -> CaseOut | None:
    """The open case of a conversation, or None."""
    case = repository.open_case_of(uow.session, conversation_id)
    return views.show(uow, secrets, case, now) if case is not None else None


def case_of_citizen(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime
) -> CaseOut | None:
    """A case for the citizen of the conversation that it was opened in; None for anybody else's."""
    case = repository.find_case(uow.session, case_no)
    if case is None or case.conversation_id != conversation_id:
        return None
    return views.show(uow, secrets, case, now)
