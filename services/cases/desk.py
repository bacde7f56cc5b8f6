"""What a clerk does with a case. Every action locks the case, checks, appends its event and audit row."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import hearing, repository, urgent, views
from services.cases.casefile import CaseFile
from services.cases.events import CaseClaimed, CaseClosed, CaseReopened, CaseReplied, CaseResolved
from services.cases.holding import locked, must_hold, stripped, written
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Unprocessable
from services.core.permissions import must


def claim(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Take a case in hand. Claiming one's own case again changes nothing, but takes the conversation again.

    Raises Conflict naming the holder when another clerk has it (`held_by`); a supervisor or admin takes it over.
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    urgent.taken(uow, file, user, now)
    _claim(uow, file, user, now)
    return views.show(secrets, file, now)


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
    file = locked(uow, case_no, user)
    case, text = file.row, written(text)
    must_hold(secrets, file, user)
    urgent.taken(uow, file, user, now)
    if file.is_open and case.assignee in (None, user.name) and _needs_claim(file):
        _claim(uow, file, user, now)
    row = file.append("replied", actor=user.name, now=now, text=text, secrets=secrets)
    if case.first_response_at is None:
        case.first_response_at, case.first_response_by = now, user.name
        wall, working = file.elapsed(now)
        case.first_response_minutes, case.first_response_working_minutes = wall, working
    file.tell(CaseReplied(case.case_no, case.conversation_id, user.name, now, text=text, clerk=user.name, seq=row.seq))
    if resolve:
        _resolve(file, user, now)
    return views.show(secrets, file, now)


def note(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, text: str, now: datetime) -> CaseOut:
    """Leave a note that only staff reads; everybody who sees the case may."""
    file = locked(uow, case_no, user)
    file.append("noted", actor=user.name, now=now, text=written(text), secrets=secrets)
    return views.show(secrets, file, now)


def retitle(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, title: str, now: datetime) -> CaseOut:
    """Say in other words what the case is about; `title` carries no identifier in the clear, and its citizen reads it.

    Raises Conflict when another clerk has the case.
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    before, title = secrets.decrypt(file.row.title_encrypted), written(title)
    if title != before:
        file.append("retitled", actor=user.name, now=now, text=f"“{before}”改为“{title}”", secrets=secrets)
        # The message that it came from stays known: a draft for the knowledge base is in the citizen's own words.
        hearing.name(secrets, file.row, title, file.row.title_seq)
    return views.show(secrets, file, now)


def resolve(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Settle an answered case. Raises Conflict when it has no answer yet, or another clerk has it."""
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    _resolve(file, user, now)
    return views.show(secrets, file, now)


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
    file = locked(uow, case_no, user)
    text = stripped(reason)
    if file.is_open:
        must(user, "cases.close_unsettled")
        if text is None:
            raise Unprocessable("关闭未办结的工单需要说明原因")
        file.row.ended_at = now
    file.append("closed", actor=user.name, now=now, text=text, secrets=secrets)
    file.tell(CaseClosed(file.row.case_no, file.row.conversation_id, user.name, now))
    return views.show(secrets, file, now)


def reopen(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime) -> CaseOut:
    """Open a settled, closed or merged case again, in the hands of its clerk (else of `user`).

    A new cycle of clocks starts now: the old due times are history, so nothing escalates at once. Raises Conflict when
    the conversation has another open case by now (`open_case_no`).
    """
    file = locked(uow, case_no, user)
    open_again(uow, secrets, file, actor=user.name, reason=written(reason), now=now)
    file.row.assignee = file.row.assignee or user.name
    return views.show(secrets, file, now)


def open_again(uow: UnitOfWork, secrets: Secrets, file: CaseFile, *, actor: str, reason: str, now: datetime) -> None:
    """Reopen a locked case, whoever asks (see `reopen`)."""
    case = file.row
    if case.conversation_id is not None and not file.is_open:
        other = repository.lock_open_case_of(uow.session, case.conversation_id)
        if other is not None:
            raise Conflict("这个会话已有另一个办理中的工单", open_case_no=other.case_no)
    file.append("reopened", actor=actor, now=now, text=reason, secrets=secrets)
    case.resolved_at = case.ended_at = case.merged_into = None
    case.resolution_minutes = case.resolution_working_minutes = None
    file.tell(CaseReopened(case.case_no, case.conversation_id, actor, now))


def _needs_claim(file: CaseFile) -> bool:
    """Whether nobody has the case, or it was dealt to a clerk who has not taken it yet."""
    if file.row.assignee is None:
        return True
    last = file.last("assigned", "claimed", "reopened")
    return last is not None and last.type == "assigned"


def _claim(uow: UnitOfWork, file: CaseFile, user: StaffUser, now: datetime) -> None:
    case = file.row
    if case.assignee != user.name or not file.is_open or _needs_claim(file):
        before = case.assignee if case.assignee != user.name else None
        file.append("claimed", actor=user.name, now=now, data={"from": before} if before else None)
        case.assignee = user.name
    uow.collect(CaseClaimed(case.case_no, case.conversation_id, user.name, now))


def _resolve(file: CaseFile, user: StaffUser, now: datetime) -> None:
    case = file.row
    if file.is_open and case.first_response_at is None:
        raise Conflict("还没有答复，不能办结")
    file.append("resolved", actor=user.name, now=now)
    case.resolved_at = case.ended_at = now
    case.resolution_minutes, case.resolution_working_minutes = file.elapsed(now)
    file.tell(CaseResolved(case.case_no, case.conversation_id, user.name, now))
