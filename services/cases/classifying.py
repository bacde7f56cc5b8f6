"""Deciding what a case is: its kind, department, priority, and whether it is confidential. Clocks follow."""

from datetime import datetime
from typing import Any

from services.accounts import service as accounts
from services.accounts.schemas import StaffUser
from services.cases import access, alarms, assignment, confiding, opening, sight_repository, views
from services.cases.casefile import CaseFile
from services.cases.holding import locked, must_hold
from services.cases.models import QUEUED_STATUSES, Case
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict
from services.core.permissions import must
from services.sla import service as sla
from services.sla.policies import Kind, Priority


def classify(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    now: datetime,
    kind: Kind | None = None,
    department: str | None = None,
    priority: Priority | None = None,
    confidential: bool | None = None,
) -> CaseOut:
    """Change what is given; clocks are recomputed and the event says which and to when. A given kind is decided, also
    when it is the one that the case has.

    Raising to urgent gives the urgent limit from now on. Only a supervisor lowers a priority. A report (举报) becomes
    confidential: unless the clerk in charge is named to know of it, it returns to the queue. Lifting confidentiality is
    open to those who may know of the case, and never while it is a report.
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    case = file.row
    if not file.is_open:
        raise Conflict("工单已经结束，不能变更分类", case_status=case.status)
    decided = case.undecided and kind is not None
    place = sla.department_named(uow, department) if department is not None else case.department
    kind = kind or _kind(case)
    if priority == "normal" and case.priority == "urgent":
        must(user, "cases.lower_priority")
        if kind == "urgent":
            raise BadRequest("紧急求助始终为紧急")
    secret = confidential if confidential is not None else case.confidential
    if kind == confiding.KIND:
        if confidential is False:
            raise BadRequest("举报工单始终保密")
        secret = True
    urgent = sla.effective_priority(kind, priority or _priority(case)) == "urgent"
    if urgent and case.priority != "urgent":
        opening.raise_to_urgent(uow, file, actor=user.name, now=now)
    level: Priority = "urgent" if urgent else "normal"
    wanted = {"kind": kind, "department": place, "confidential": secret, "priority": level}
    data: dict[str, Any] = {
        name: [getattr(case, name), value] for name, value in wanted.items() if getattr(case, name) != value
    }
    if decided:
        case.undecided = False
        data["decided"] = kind
    if data:
        case.confidential = secret
        file.append("reclassified", actor=user.name, now=now, data=data, kind=kind, department=place, priority=level)
        _find_a_place(uow, secrets, file, user, now, moved="department" in data, secret="confidential" in data)
    return views.show(secrets, file, now)


def change_access(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, name: str, allowed: bool, now: datetime
) -> CaseOut:
    """Let somebody know of a confidential case, or no longer; those whom the city names always do.

    Raises BadRequest for an unknown name, Conflict when the case is not confidential or the person has it in hand.
    """
    file = locked(uow, case_no, user)
    case = file.row
    if not case.confidential:
        raise Conflict("工单不是保密工单")
    if allowed:
        if accounts.find_user(uow, name) is None:
            raise BadRequest("没有这位人员")
        access.grant(uow, case, name, by=user.name, now=now)
        alarms.tell_named(uow, case, now)
    else:
        if case.assignee == name:
            raise Conflict("这位人员正在办理此工单")
        sight_repository.delete_access(uow.session, case.id, name)
    file.append("access_changed", actor=user.name, now=now, data={"name": name, "allowed": allowed})
    return views.show(secrets, file, now)


def _find_a_place(
    uow: UnitOfWork, secrets: Secrets, file: CaseFile, user: StaffUser, now: datetime, *, moved: bool, secret: bool
) -> None:
    """Where a reclassified case goes on: in its clerk's hands, or in the queue."""
    case = file.row
    if secret and case.confidential:
        confiding.keep_among_the_named(uow, secrets, file, actor=user.name, now=now)
        return
    if case.status in QUEUED_STATUSES and case.assignee is None:
        if moved:
            alarms.inform(uow, case, "case_transferred", alarms.responsible(uow, case, now), now)
        assignment.deal(uow, file, now)


def _kind(case: Case) -> Kind:
    return sla.parse_kind(case.kind)


def _priority(case: Case) -> Priority:
    return "urgent" if case.priority == "urgent" else "normal"
