"""What a clerk does with a case. Every action locks the case, checks, appends its event and audit row."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import log, repository, timekeeping, views
from services.cases.events import (
    CaseClaimed,
    CaseClosed,
    CaseReopened,
    CaseReplied,
    CaseResolved,
    CaseTransferred,
)
from services.cases.models import OPEN_STATUSES, Case
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden, NotFound, Unprocessable
from services.notifications import service as notifications
from services.sla import service as sla

SUPERVISING = ("supervisor", "admin")


def claim(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Take a case in hand. Claiming one's own case again changes nothing, but takes the conversation again.

    Raises Conflict naming the holder when another clerk has it (`held_by`); a supervisor or admin takes it over.
    """
    case = _locked(uow, case_no, user)
    if case.assignee != user.name and case.assignee is not None and user.role not in SUPERVISING:
        raise _held(uow, secrets, case)
    _claim(uow, case, user, now)
    return views.show(uow, secrets, case, now)


def reply(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    text: str,
    now: datetime,
    resolve: bool = False,
) -> CaseOut:
    """Answer the citizen; the first answer stops the first_response clock. A case in nobody's hands is claimed by it.

    Raises Conflict when another has the case: `held_by`, and when it has been answered already `first_reply`,
    `first_replied_by` and `first_replied_at`.
    """
    case = _locked(uow, case_no, user)
    text = _written(text)
    if case.assignee is not None and case.assignee != user.name:
        raise _held(uow, secrets, case)
    if case.status in OPEN_STATUSES and case.assignee is None:
        _claim(uow, case, user, now)
    timekeeping.stop_clocks(uow, case, "first_response", now)
    row = log.append(uow, case, "replied", actor=user.name, now=now, text=text, secrets=secrets)
    if case.first_response_at is None:
        calendar = timekeeping.calendar_or_none(uow)
        case.first_response_at, case.first_response_by = now, user.name
        wall, working = timekeeping.elapsed(calendar, case.created_at, now)
        case.first_response_minutes, case.first_response_working_minutes = wall, working
    uow.collect(
        CaseReplied(case.case_no, case.conversation_id, user.name, now, text=text, clerk=user.name, seq=row.seq)
    )
    if resolve:
        _resolve(uow, case, user, now)
    return views.show(uow, secrets, case, now)


def note(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, text: str, now: datetime) -> CaseOut:
    """Leave a note that only staff reads; everybody who sees the case may."""
    case = _locked(uow, case_no, user)
    log.append(uow, case, "noted", actor=user.name, now=now, text=_written(text), secrets=secrets)
    return views.show(uow, secrets, case, now)


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
    case = _locked(uow, case_no, user)
    target = sla.department_named(uow, department)
    if target == case.department:
        raise Conflict("工单已经在这个部门")
    _must_hold(uow, secrets, case, user)
    data = {"from": case.department, "to": target}
    log.append(uow, case, "transferred", actor=user.name, now=now, text=_written(reason), secrets=secrets, data=data)
    case.department, case.assignee = target, None
    timekeeping.recompute(uow, case, now)
    for recipient in timekeeping.responsible(uow, case):
        notifications.enqueue(
            uow,
            channel="staff",
            recipient=recipient,
            kind="case_transferred",
            body={"case_no": case.case_no, **data},
            dedupe_key=f"case-transfer:{case.case_no}:{case.event_seq}:{recipient}",
            now=now,
        )
    uow.collect(CaseTransferred(case.case_no, case.conversation_id, user.name, now, department=target))
    return views.show(uow, secrets, case, now)


def resolve(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Settle an answered case. Raises Conflict when it has no answer yet, or another clerk has it."""
    case = _locked(uow, case_no, user)
    _must_hold(uow, secrets, case, user)
    _resolve(uow, case, user, now)
    return views.show(uow, secrets, case, now)


def close(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    now: datetime,
    reason: str | None = None,
) -> CaseOut:
    """Close a settled case. One that is still open is closed by a supervisor or admin only, with a reason.

    A limit that was missed by then stays missed, one that still runs is cancelled.
    """
    case = _locked(uow, case_no, user)
    if case.status in OPEN_STATUSES:
        if user.role not in SUPERVISING:
            raise Forbidden("未办结的工单只有主管可以关闭")
        if not reason or not reason.strip():
            raise Unprocessable("关闭未办结的工单需要说明原因")
        timekeeping.end_clocks(uow, case, now)
        case.ended_at = now
    text = reason.strip() if reason and reason.strip() else None
    log.append(uow, case, "closed", actor=user.name, now=now, text=text, secrets=secrets)
    uow.collect(CaseClosed(case.case_no, case.conversation_id, user.name, now))
    return views.show(uow, secrets, case, now)


def reopen(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime) -> CaseOut:
    """Open a settled or closed case again, in the hands of its clerk (else of `user`).

    A new cycle of clocks starts now: the old due times are history, so nothing escalates at once. Raises Conflict when
    the conversation has another open case by now (`open_case_no`).
    """
    case = _locked(uow, case_no, user)
    if case.conversation_id is not None and case.status not in OPEN_STATUSES:
        other = repository.lock_open_case_of(uow.session, case.conversation_id)
        if other is not None:
            raise Conflict("这个会话已有另一个办理中的工单", open_case_no=other.case_no)
    log.append(uow, case, "reopened", actor=user.name, now=now, text=_written(reason), secrets=secrets)
    case.assignee = case.assignee or user.name
    case.reopened_count += 1
    case.cycle += 1
    case.resolved_at = case.ended_at = None
    case.resolution_minutes = case.resolution_working_minutes = None
    timekeeping.start_clocks(uow, case, now, cycle=case.cycle)
    uow.collect(CaseReopened(case.case_no, case.conversation_id, user.name, now))
    return views.show(uow, secrets, case, now)


def _locked(uow: UnitOfWork, case_no: str, user: StaffUser) -> Case:
    case = repository.lock_case(uow.session, case_no)
    if case is None or not views.is_visible(user, case):
        raise NotFound(views.NOT_FOUND)
    return case


def _claim(uow: UnitOfWork, case: Case, user: StaffUser, now: datetime) -> None:
    if case.assignee != user.name or case.status not in OPEN_STATUSES:
        before = case.assignee
        log.append(uow, case, "claimed", actor=user.name, now=now, data={"from": before} if before else None)
        case.assignee = user.name
    uow.collect(CaseClaimed(case.case_no, case.conversation_id, user.name, now))


def _resolve(uow: UnitOfWork, case: Case, user: StaffUser, now: datetime) -> None:
    if case.status in OPEN_STATUSES and case.first_response_at is None:
        raise Conflict("还没有答复，不能办结")
    timekeeping.stop_clocks(uow, case, "resolution", now)
    timekeeping.end_clocks(uow, case, now)
    log.append(uow, case, "resolved", actor=user.name, now=now)
    case.resolved_at = case.ended_at = now
    wall, working = timekeeping.elapsed(timekeeping.calendar_or_none(uow), case.created_at, now)
    case.resolution_minutes, case.resolution_working_minutes = wall, working
    uow.collect(CaseResolved(case.case_no, case.conversation_id, user.name, now))


def _must_hold(uow: UnitOfWork, secrets: Secrets, case: Case, user: StaffUser) -> None:
    if case.assignee not in (None, user.name) and user.role not in SUPERVISING:
        raise _held(uow, secrets, case)


def _held(uow: UnitOfWork, secrets: Secrets, case: Case) -> Conflict:
    first = repository.first_reply(uow.session, case.id)
    if first is None or first.text_encrypted is None:
        return Conflict(f"工单正由 {case.assignee} 办理", held_by=case.assignee)
    return Conflict(
        f"工单正由 {case.assignee} 办理，{first.actor} 已经答复",
        held_by=case.assignee,
        first_reply=secrets.decrypt(first.text_encrypted),
        first_replied_by=first.actor,
        first_replied_at=first.at.isoformat(),
    )


def _written(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise Unprocessable("内容不能为空")
    return stripped
