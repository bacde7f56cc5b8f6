"""Waiting for the citizen: the clocks stand still until an answer comes, a clerk goes on, or the wait has lasted long
enough."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import alarms, views
from services.cases.casefile import CaseFile
from services.cases.events import CaseHeld
from services.cases.holding import locked, must_hold, written
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.sla import clocks as rules
from services.sla import service as sla


def hold(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, question: str, now: datetime) -> CaseOut:
    """Ask the citizen for something and wait. The question is no answer: it stops no limit, it lets them stand still.

    The wait ends by itself after the city's limit. Raises Conflict for an urgent case, which waits for nothing.
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    case, text = file.row, written(question)
    if case.priority == "urgent":
        raise Conflict("紧急工单不能暂停计时")
    until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).hold_within, now)
    file.append("held", actor=user.name, now=now, text=text, secrets=secrets, until=until)
    case.assignee = case.assignee or user.name
    uow.collect(CaseHeld(case.case_no, case.conversation_id, user.name, now, text=text, clerk=user.name, until=until))
    return views.show(secrets, file, now)


def resume(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Go on without the citizen's answer."""
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    file.append("resumed", actor=user.name, now=now)
    return views.show(secrets, file, now)


def expire(uow: UnitOfWork, file: CaseFile, now: datetime) -> bool:
    """End a wait that has lasted long enough; False when the case waits no more. Its clerk is told."""
    case = file.row
    if case.status != "waiting" or case.hold_until is None or case.hold_until >= now:
        return False
    file.append("resumed", actor="system", now=now)
    alarms.inform(uow, case, "case_resumed", alarms.responsible(uow, case, now), now)
    return True
