"""What a clerk does with a case. Every action locks the case, checks, appends its event and audit row."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import log, repository, timekeeping, views
from services.cases.events import CaseClaimed, CaseClosed, CaseReopened, CaseReplied, CaseResolved
from services.cases.holding import SUPERVISING, held, locked, must_hold, written
from services.cases.models import OPEN_STATUSES, Case
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden, Unprocessable


def claim(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Take a case in hand. Claiming one's own case again changes nothing, but takes the conversation again.

    Raises Conflict naming the holder when another clerk has it (`held_by`); a supervisor or admin takes it over.
    """
    case = locked(uow, case_no, user)
    if case.assignee != user.name and case.assignee is not None and user.role not in SUPERVISING:
        raise held(uow, secrets, case)
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
    """Answer the citizen; the first answer stops the first_response clock, and each one is news for the update clock.

    A case in nobody's hands is claimed by it; a supervisor answers any case and leaves it in its clerk's hands. The
    citizens of cases merged into this one read the answer too. Raises Conflict when another clerk has the case:
    `held_by`, and when it has been answered already `first_reply`, `first_replied_by` and `first_replied_at`.
    """
    case = locked(uow, case_no, user)
    text = written(text)
    if case.assignee not in (None, user.name) and user.role not in SUPERVISING:
        raise held(uow, secrets, case)
    if case.status in OPEN_STATUSES and case.assignee in (None, user.name) and _needs_claim(uow, case):
        _claim(uow, case, user, now)
    if case.status == "waiting":
        timekeeping.resume_clocks(uow, case, now)
        log.append(uow, case, "resumed", actor=user.name, now=now)
        case.hold_until = None
    timekeeping.stop_clocks(uow, case, "first_response", now)
    row = log.append(uow, case, "replied", actor=user.name, now=now, text=text, secrets=secrets)
    timekeeping.told_the_citizen(uow, case, now)
    if case.first_response_at is None:
        calendar = timekeeping.calendar_or_none(uow)
        case.first_response_at, case.first_response_by = now, user.name
        wall, working = timekeeping.elapsed(calendar, case.created_at, now)
        case.first_response_minutes, case.first_response_working_minutes = wall, working
    for conversation_id in [case.conversation_id, *repository.merged_conversations(uow.session, case.case_no)]:
        uow.collect(CaseReplied(case.case_no, conversation_id, user.name, now, text=text, clerk=user.name, seq=row.seq))
    if resolve:
        _resolve(uow, case, user, now)
    return views.show(uow, secrets, case, now)


def note(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, text: str, now: datetime) -> CaseOut:
    """Leave a note that only staff reads; everybody who sees the case may."""
    case = locked(uow, case_no, user)
    log.append(uow, case, "noted", actor=user.name, now=now, text=written(text), secrets=secrets)
    return views.show(uow, secrets, case, now)


def resolve(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Settle an answered case. Raises Conflict when it has no answer yet, or another clerk has it."""
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
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
    case = locked(uow, case_no, user)
    if case.status in OPEN_STATUSES:
        if user.role not in SUPERVISING:
            raise Forbidden("未办结的工单只有主管可以关闭")
        if not reason or not reason.strip():
            raise Unprocessable("关闭未办结的工单需要说明原因")
        timekeeping.end_clocks(uow, case, now)
        case.ended_at, case.hold_until = now, None
    text = reason.strip() if reason and reason.strip() else None
    log.append(uow, case, "closed", actor=user.name, now=now, text=text, secrets=secrets)
    uow.collect(CaseClosed(case.case_no, case.conversation_id, user.name, now))
    return views.show(uow, secrets, case, now)


def reopen(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime) -> CaseOut:
    """Open a settled, closed or merged case again, in the hands of its clerk (else of `user`).

    A new cycle of clocks starts now: the old due times are history, so nothing escalates at once. Raises Conflict when
    the conversation has another open case by now (`open_case_no`).
    """
    case = locked(uow, case_no, user)
    open_again(uow, secrets, case, actor=user.name, reason=written(reason), now=now)
    case.assignee = case.assignee or user.name
    return views.show(uow, secrets, case, now)


def open_again(uow: UnitOfWork, secrets: Secrets, case: Case, *, actor: str, reason: str, now: datetime) -> None:
    """Reopen a locked case, whoever asks (see `reopen`)."""
    if case.conversation_id is not None and case.status not in OPEN_STATUSES:
        other = repository.lock_open_case_of(uow.session, case.conversation_id)
        if other is not None:
            raise Conflict("这个会话已有另一个办理中的工单", open_case_no=other.case_no)
    log.append(uow, case, "reopened", actor=actor, now=now, text=reason, secrets=secrets)
    case.reopened_count += 1
    case.cycle += 1
    case.resolved_at = case.ended_at = case.merged_into = None
    case.resolution_minutes = case.resolution_working_minutes = None
    timekeeping.start_clocks(uow, case, now, cycle=case.cycle)
    uow.collect(CaseReopened(case.case_no, case.conversation_id, actor, now))


def _needs_claim(uow: UnitOfWork, case: Case) -> bool:
    """Whether nobody has the case, or it was dealt to a clerk who has not taken it yet."""
    if case.assignee is None:
        return True
    last = repository.last_event(uow.session, case.id, ("assigned", "claimed", "reopened"))
    return last is not None and last.type == "assigned"


def _claim(uow: UnitOfWork, case: Case, user: StaffUser, now: datetime) -> None:
    if case.assignee != user.name or case.status not in OPEN_STATUSES or _needs_claim(uow, case):
        before = case.assignee if case.assignee != user.name else None
        log.append(uow, case, "claimed", actor=user.name, now=now, data={"from": before} if before else None)
        case.assignee = user.name
    uow.collect(CaseClaimed(case.case_no, case.conversation_id, user.name, now))


def _resolve(uow: UnitOfWork, case: Case, user: StaffUser, now: datetime) -> None:
    if case.status in OPEN_STATUSES and case.first_response_at is None:
        raise Conflict("还没有答复，不能办结")
    timekeeping.resume_clocks(uow, case, now)
    timekeeping.stop_clocks(uow, case, "resolution", now)
    timekeeping.end_clocks(uow, case, now)
    log.append(uow, case, "resolved", actor=user.name, now=now)
    case.resolved_at = case.ended_at = now
    case.hold_until = None
    wall, working = timekeeping.elapsed(timekeeping.calendar_or_none(uow), case.created_at, now)
    case.resolution_minutes, case.resolution_working_minutes = wall, working
    uow.collect(CaseResolved(case.case_no, case.conversation_id, user.name, now))
