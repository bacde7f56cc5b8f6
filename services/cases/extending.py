"""More time for a case: a clerk asks with a reason, a supervisor approves or refuses, the citizen is told."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import alarms, repository, views
from services.cases.casefile import CaseFile
from services.cases.clockwork import Clock
from services.cases.events import CaseExtended
from services.cases.holding import locked, must_hold, stripped, written
from services.cases.models import CaseExtension
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Unprocessable
from services.core.permissions import may, must
from services.notifications import service as notifications
from services.sla import service as sla
from services.sla.policies import Limit, Target


def extend(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    days: int,
    reason: str,
    now: datetime,
    target: Target | None = None,
) -> CaseOut:
    """Ask for `days` more working days for a target (the one that is due next without it).

    A supervisor's request is granted at once, a clerk's waits for one. Raises Unprocessable for more days than the city
    allows, Conflict without such a limit, when it is missed already or was extended as often as allowed, or while
    another request waits.
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    case, text = file.row, written(reason)
    longest = sla.desk_rules(uow).extension_days
    if not 1 <= days <= longest:
        raise Unprocessable(f"一次最多延长 {longest} 个工作日")
    clock = _clock(file, target)
    _must_be_extensible(uow, clock, now)
    if repository.pending_extension(uow.session, case.id) is not None:
        raise Conflict("已有延期申请等待审批")
    data = {"target": clock.target, "days": days}
    request = CaseExtension(
        case_id=case.id,
        clock_id=file.clock_row(clock).id,
        target=clock.target,
        days=days,
        reason_encrypted=secrets.encrypt(text),
        asked_by=user.name,
        asked_at=now,
    )
    uow.session.add(request)
    file.append("extension_asked", actor=user.name, now=now, text=text, secrets=secrets, data=data)
    if may(user, "cases.decide_extensions"):
        _grant(uow, secrets, file, request, user, now)
    else:
        deciders = notifications.everybody_who("hears.extension_requests")
        alarms.inform(uow, case, "case_extension_asked", deciders, now, **data)
    return views.show(secrets, file, now)


def decide_extension(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    approve: bool,
    now: datetime,
    reason: str | None = None,
) -> CaseOut:
    """Approve or refuse the waiting request. Raises Forbidden but for a supervisor, Unprocessable for a refusal without
    a reason, Conflict when no request waits or its limit was missed in the meantime."""
    must(user, "cases.decide_extensions")
    file = locked(uow, case_no, user)
    request = repository.pending_extension(uow.session, file.row.id)
    if request is None:
        raise Conflict("没有等待审批的延期申请")
    if approve:
        _grant(uow, secrets, file, request, user, now)
    else:
        text = stripped(reason)
        if text is None:
            raise Unprocessable("不同意延期需要说明原因")
        request.decision, request.decided_by, request.decided_at = "refused", user.name, now
        data = {"target": request.target, "days": request.days}
        file.append("extension_refused", actor=user.name, now=now, text=text, secrets=secrets, data=data)
        alarms.inform(uow, file.row, "case_extension_refused", [f"user:{request.asked_by}"], now)
    return views.show(secrets, file, now)


def _grant(
    uow: UnitOfWork, secrets: Secrets, file: CaseFile, request: CaseExtension, user: StaffUser, now: datetime
) -> None:
    case, clock = file.row, _asked(file, request)
    _must_be_extensible(uow, clock, now)
    request.decision, request.decided_by, request.decided_at = "approved", user.name, now
    before, row = clock.plan.due_at, file.clock_row(clock)
    data: dict[str, object] = {"target": clock.target, "days": request.days, "due_before": before.isoformat()}
    more = Limit(request.days, "working_days")
    event = file.append("extended", actor=user.name, now=now, data=data, target=clock.target, more=more)
    event.data = {**data, "due": row.due_at.isoformat()}
    if request.asked_by != user.name:
        alarms.inform(uow, case, "case_extended", [f"user:{request.asked_by}"], now)
    reason = secrets.decrypt(request.reason_encrypted)
    file.tell(CaseExtended(case.case_no, case.conversation_id, user.name, now, due_at=row.due_at, reason=reason))


def _clock(file: CaseFile, target: Target | None) -> Clock:
    live = [clock for clock in file.state.clocks if clock.is_live and target in (None, clock.target)]
    if not live:
        raise Conflict("没有可以延长的时限")
    return min(live, key=lambda clock: clock.plan.due_at)


def _asked(file: CaseFile, request: CaseExtension) -> Clock:
    """The clock that a request was for; its target may have another one by now."""
    return next(clock for clock in file.state.clocks if file.clock_row(clock).id == request.clock_id)


def _must_be_extensible(uow: UnitOfWork, clock: Clock, now: datetime) -> None:
    if not clock.is_live:
        raise Conflict("这个时限已经结束，不能延长")
    if clock.missed(now):
        raise Conflict("时限已经超过，不能再延长")
    allowed = sla.desk_rules(uow).extensions
    if clock.extensions >= allowed:
        raise Conflict(f"一个时限最多延长 {allowed} 次")
