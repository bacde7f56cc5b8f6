"""Waiting for the citizen: the clocks stand still until an answer comes, a clerk goes on, or the wait has lasted long
enough."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import log, timekeeping, views
from services.cases.events import CaseHeld
from services.cases.holding import locked, must_hold, written
from services.cases.models import Case
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
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    text = written(question)
    if case.priority == "urgent":
        raise Conflict("紧急工单不能暂停计时")
    log.append(uow, case, "held", actor=user.name, now=now, text=text, secrets=secrets)
    case.assignee = case.assignee or user.name
    case.hold_until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).hold_within, now)
    timekeeping.told_the_citizen(uow, case, now)
    timekeeping.pause_clocks(uow, case, now)
    uow.collect(
        CaseHeld(case.case_no, case.conversation_id, user.name, now, text=text, clerk=user.name, until=case.hold_until)
    )
    return views.show(uow, secrets, case, now)


def resume(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Go on without the citizen's answer."""
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    go_on(uow, case, actor=user.name, now=now)
    return views.show(uow, secrets, case, now)


def go_on(uow: UnitOfWork, case: Case, *, actor: str, now: datetime) -> None:
    """End the wait of a locked case: its clocks run on with what was left of them."""
    # The event first: it refuses a case that does not wait.
    log.append(uow, case, "resumed", actor=actor, now=now)
    timekeeping.resume_clocks(uow, case, now)
    case.hold_until = None


def expire(uow: UnitOfWork, case: Case, now: datetime) -> bool:
    """End a wait that has lasted long enough; False when the case waits no more. Its clerk is told."""
    if case.status != "waiting" or case.hold_until is None or case.hold_until >= now:
        return False
    # The clocks run on from the moment that was promised, however late the worker looks.
    until = case.hold_until
    timekeeping.resume_clocks(uow, case, until)
    log.append(uow, case, "resumed", actor="system", now=now, data={"waited_until": until.isoformat()})
    case.hold_until = None
    timekeeping.inform(uow, case, "case_resumed", timekeeping.responsible(uow, case, now), now)
    return True
