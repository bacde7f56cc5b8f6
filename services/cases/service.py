"""The case desk's public functions; the rooms above call these and nothing else of it."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import repository, sight, views
from services.cases.access import named as tip_off_readers
from services.cases.additions import add_from_citizen
from services.cases.assignment import absences, duty_report, end_absence, set_absence
from services.cases.citizen import (
    cases_of_citizen,
    citizen_adds,
    citizen_confirms,
    citizen_presses,
    citizen_rates,
    citizen_reopens,
    citizen_withdraws,
    citizen_wrote,
)
from services.cases.classifying import change_access, classify
from services.cases.desk import claim, close, note, reopen, reply, resolve, retitle
from services.cases.drafting import draft
from services.cases.extending import decide_extension, extend
from services.cases.flooding import AlarmsFrom
from services.cases.hearing import citizen_spoke, mark_read
from services.cases.holding import NOT_FOUND
from services.cases.importing import PastCasesReport, import_past_cases
from services.cases.moving import assign, give_back, merge, release, transfer
from services.cases.opening import NewCase, open_case
from services.cases.presence import Presence
from services.cases.proposing import LiveClassifier, Proposal
from services.cases.recomputing import recompute_running
from services.cases.reporting import period, report
from services.cases.schemas import AlarmOut, CaseDetail, CaseList, CaseOut, Watch
from services.cases.sight import Shade, readable, secrets_in, shade, sight_of, visible_among
from services.cases.supervision import alert_level, press, reports, set_alert_level
from services.cases.tip_offs import is_tip_off
from services.cases.urgent import acknowledge, alarm_of, ringing_for, watch_over
from services.cases.views import get_case, list_cases
from services.cases.waiting import hold, resume
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound

__all__ = [
    "AlarmOut",
    "AlarmsFrom",
    "CaseDetail",
    "CaseList",
    "CaseOut",
    "LiveClassifier",
    "NewCase",
    "PastCasesReport",
    "Presence",
    "Proposal",
    "Shade",
    "Watch",
    "absences",
    "acknowledge",
    "add_from_citizen",
    "alarm_of",
    "alert_level",
    "assign",
    "case_of_citizen",
    "cases_of_citizen",
    "change_access",
    "citizen_adds",
    "citizen_confirms",
    "citizen_presses",
    "citizen_rates",
    "citizen_reopens",
    "citizen_spoke",
    "citizen_withdraws",
    "citizen_wrote",
    "claim",
    "classify",
    "close",
    "conversation_for",
    "conversation_of",
    "decide_extension",
    "draft",
    "duty_report",
    "end_absence",
    "extend",
    "get_case",
    "give_back",
    "hold",
    "import_past_cases",
    "is_confidential",
    "is_tip_off",
    "list_cases",
    "mark_read",
    "merge",
    "must_see",
    "note",
    "open_case",
    "open_case_of",
    "period",
    "press",
    "readable",
    "recompute_running",
    "release",
    "reopen",
    "reply",
    "report",
    "reports",
    "resolve",
    "resume",
    "retitle",
    "ringing_for",
    "secrets_in",
    "set_absence",
    "set_alert_level",
    "shade",
    "sight_of",
    "tip_off_readers",
    "transfer",
    "visible_among",
    "watch_over",
]


def must_see(uow: UnitOfWork, *, case_no: str, user: StaffUser) -> None:
    """Raises NotFound for a case that is not there, or that `user` may not know of."""
    case = repository.find_case(uow.session, case_no)
    if case is None or not sight.is_visible(uow, user, case):
        raise NotFound(NOT_FOUND)


def conversation_for(uow: UnitOfWork, *, case_no: str, user: StaffUser) -> str | None:
    """The conversation that a case was opened in; None for an imported one. Raises NotFound as `must_see`."""
    must_see(uow, case_no=case_no, user=user)
    case = repository.find_case(uow.session, case_no)
    return case.conversation_id if case else None


def is_confidential(uow: UnitOfWork, case_no: str) -> bool:
    """Whether what is said about a case must not leave this house; True as well for one that there is not."""
    case = repository.find_case(uow.session, case_no)
    return case is None or case.confidential


def open_case_of(uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, now: datetime) -> CaseOut | None:
    """The open case of a conversation, or None."""
    case = repository.open_case_of(uow.session, conversation_id)
    return views.show_all(uow, secrets, [case], now)[0] if case is not None else None


def conversation_of(uow: UnitOfWork, case_no: str) -> str | None:
    """The conversation that a case was opened in; None for one that does not exist or came another way, and for a
    confidential one, of which nobody else hears anything."""
    case = repository.find_case(uow.session, case_no)
    return case.conversation_id if case is not None and not case.confidential else None


def case_of_citizen(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime
) -> CaseOut | None:
    """A case for the citizen of the conversation that it was opened in; None for anybody else's."""
    case = repository.find_case(uow.session, case_no)
    if case is None or case.conversation_id != conversation_id:
        return None
    return views.show_all(uow, secrets, [case], now)[0]
