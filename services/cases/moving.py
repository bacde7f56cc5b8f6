"""Where a case goes: to another department and back, to another clerk, back into the queue, into another case."""

from datetime import datetime

from services.accounts import service as accounts
from services.accounts.schemas import StaffUser
from services.cases import access, assignment, log, repository, timekeeping, views
from services.cases.events import CaseAssigned, CaseMerged, CaseTransferred
from services.cases.holding import NOT_FOUND, locked, must_hold, written
from services.cases.models import OPEN_STATUSES, Case, CaseClock
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict, NotFound
from services.sla import clocks as rules
from services.sla import service as sla

ASSIGNABLE_ROLES = ("clerk", "supervisor", "admin")


def transfer(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    department: str,
    reason: str,
    now: datetime,
) -> CaseOut:
    """Hand the case to another department, where it waits in the queue. Its clocks keep their start.

    Raises BadRequest for an unknown department, Conflict for the present one or when another clerk has the case.
    """
    case = locked(uow, case_no, user)
    target = sla.department_named(uow, department)
    if target == case.department:
        raise Conflict("工单已经在这个部门")
    must_hold(uow, secrets, case, user)
    _move(uow, secrets, case, user, target, written(reason), now, event="transferred")
    return views.show(uow, secrets, case, now)


def give_back(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime
) -> CaseOut:
    """Return a transferred case to the department that sent it, with a reason, within the city's limit.

    Raises Conflict when it was not transferred, when another clerk has it, or too late (`return_until`).
    """
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    last = repository.last_event(uow.session, case.id, ("transferred", "returned"))
    if last is None or last.type == "returned" or last.data.get("to") != case.department:
        raise Conflict("工单不是转办来的，不能退回")
    until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).return_within, last.at)
    if now > until:
        shown = until.astimezone(SHANGHAI)
        raise Conflict(f"已超过退回期限（{shown:%m月%d日 %H:%M}），请与主管联系", return_until=until.isoformat())
    _move(uow, secrets, case, user, str(last.data["from"]), written(reason), now, event="returned")
    return views.show(uow, secrets, case, now)


def _move(
    uow: UnitOfWork,
    secrets: Secrets,
    case: Case,
    user: StaffUser,
    target: str,
    reason: str,
    now: datetime,
    *,
    event: assignment.MoveEvent,
) -> None:
    data: dict[str, object] = {"from": case.department, "to": target}
    if case.status == "waiting":
        timekeeping.resume_clocks(uow, case, now)
        case.hold_until = None
    row = log.append(uow, case, event, actor=user.name, now=now, text=reason, secrets=secrets, data=data)
    sender = case.assignee
    case.department, case.assignee = target, None
    changes = timekeeping.recompute(uow, case, now, "changed")
    if changes:
        row.data = {**data, "clocks": changes}
    timekeeping.inform(uow, case, f"case_{event}", timekeeping.responsible(uow, case, now), now, **data)
    uow.collect(CaseTransferred(case.case_no, case.conversation_id, user.name, now, department=target))
    assignment.deal(uow, case, now, exclude=sender)


def assign(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    assignee: str,
    now: datetime,
    reason: str | None = None,
) -> CaseOut:
    """Put the case into a colleague's hands: the holder hands over, a supervisor assigns or reassigns any case.

    For a confidential case the colleague is named by it. Raises BadRequest for somebody who cannot take the case,
    Conflict when another clerk has it or the colleague is away.
    """
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    colleague = accounts.find_user(uow, assignee)
    if colleague is None or colleague.role not in ASSIGNABLE_ROLES:
        raise BadRequest("没有可以接收工单的这位人员")
    if not case.confidential and not access.is_visible(uow, colleague, case):
        raise BadRequest("这位人员不在工单的承办部门")
    if colleague.name == case.assignee:
        raise Conflict("工单已经由这位人员办理")
    if repository.is_absent(uow.session, colleague.name, now):
        raise Conflict("这位人员目前不在岗")
    if case.confidential:
        access.grant(uow, case, colleague.name, by=user.name, now=now)
    data = {"from": case.assignee, "to": colleague.name}
    text = reason.strip() if reason and reason.strip() else None
    log.append(uow, case, "assigned", actor=user.name, now=now, text=text, secrets=secrets, data=data)
    case.assignee = colleague.name
    timekeeping.inform(uow, case, "case_assigned", [f"user:{colleague.name}"], now)
    uow.collect(
        CaseAssigned(
            case.case_no, case.conversation_id, user.name, now, department=case.department, assignee=colleague.name
        )
    )
    return views.show(uow, secrets, case, now)


def release(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime) -> CaseOut:
    """Put the case back into its department's queue. Its clocks run on."""
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    put_back(uow, secrets, case, actor=user.name, reason=written(reason), now=now)
    return views.show(uow, secrets, case, now)


def put_back(uow: UnitOfWork, secrets: Secrets, case: Case, *, actor: str, reason: str, now: datetime) -> None:
    """Take a locked case out of its clerk's hands (see `release`)."""
    before = case.assignee
    if case.status == "waiting":
        timekeeping.resume_clocks(uow, case, now)
        case.hold_until = None
    log.append(uow, case, "released", actor=actor, now=now, text=reason, secrets=secrets, data={"from": before})
    case.assignee = None
    timekeeping.inform(uow, case, "case_released", timekeeping.responsible(uow, case, now), now)
    uow.collect(CaseAssigned(case.case_no, case.conversation_id, actor, now, department=case.department))
    assignment.deal(uow, case, now, exclude=before)


def merge(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, into: str, now: datetime) -> CaseOut:
    """Let a duplicate go on as another open case; returns the duplicate.

    What the duplicate promised is kept: where its limit is due earlier, the other case's clock takes it over. A limit
    that the duplicate missed stays missed there. Raises Conflict for the same case, for a confidential with an open
    one, and when one of them is not open or in another clerk's hands.
    """
    if case_no == into:
        raise Conflict("不能并入自己")
    # Locked in one order, so that two people who merge crosswise cannot wait for each other.
    found = {number: repository.lock_case(uow.session, number) for number in sorted((case_no, into))}
    case, other = found[case_no], found[into]
    if case is None or other is None or not all(access.is_visible(uow, user, one) for one in (case, other)):
        raise NotFound(NOT_FOUND)
    if case.confidential != other.confidential:
        raise Conflict("保密工单与普通工单不能合并")
    if other.status not in OPEN_STATUSES:
        raise Conflict("只能并入办理中的工单", case_status=other.status)
    for one in (case, other):
        must_hold(uow, secrets, one, user)
    timekeeping.resume_clocks(uow, case, now)
    _take_over(uow, case, other, now)
    timekeeping.end_clocks(uow, case, now)
    log.append(uow, case, "merged", actor=user.name, now=now, data={"into": other.case_no})
    case.merged_into, case.ended_at, case.hold_until = other.case_no, now, None
    log.append(uow, other, "absorbed", actor=user.name, now=now, data={"case_no": case.case_no})
    uow.collect(CaseMerged(case.case_no, case.conversation_id, user.name, now, into=other.case_no))
    return views.show(uow, secrets, case, now)


def _take_over(uow: UnitOfWork, case: Case, other: Case, now: datetime) -> None:
    """Give the surviving case the duplicate's earlier limits that have not been missed."""

    def running(one: Case) -> dict[str, CaseClock]:
        return {clock.target: clock for clock in timekeeping.running(repository.clocks_of(uow.session, [one.id]))}

    theirs = running(other)
    for target, clock in running(case).items():
        mine = theirs.get(target)
        if mine is None or not rules.in_time(clock.due_at, now) or mine.due_at <= clock.due_at:
            continue
        for name in (
            "started_at", "policy_id", "policy", "source", "unit", "calendar", "calendar_id", "warning_at", "due_at",
            "escalate_at", "provisional", "pauses", "extensions",
        ):  # fmt: skip
            setattr(mine, name, getattr(clock, name))
        timekeeping.plan_next_check(uow, other, mine)
    uow.session.flush()
    timekeeping.refresh_next_due(uow, other)
