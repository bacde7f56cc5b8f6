"""More time for a case: a clerk asks with a reason, a supervisor approves or refuses, the citizen is told."""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import log, repository, timekeeping, views
from services.cases.events import CaseExtended
from services.cases.holding import SUPERVISING, locked, must_hold, written
from services.cases.models import Case, CaseClock, CaseExtension
from services.cases.schemas import CaseOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden, Unprocessable
from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.policies import Target


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
    case = locked(uow, case_no, user)
    must_hold(uow, secrets, case, user)
    text = written(reason)
    longest = sla.desk_rules(uow).extension_days
    if not 1 <= days <= longest:
        raise Unprocessable(f"一次最多延长 {longest} 个工作日")
    clock = _clock(uow, case, target)
    _must_be_extensible(uow, clock, now)
    if repository.pending_extension(uow.session, case.id) is not None:
        raise Conflict("已有延期申请等待审批")
    data = {"target": clock.target, "days": days}
    request = CaseExtension(
        case_id=case.id,
        clock_id=clock.id,
        target=clock.target,
        days=days,
        reason_encrypted=secrets.encrypt(text),
        asked_by=user.name,
        asked_at=now,
    )
    uow.session.add(request)
    log.append(uow, case, "extension_asked", actor=user.name, now=now, text=text, secrets=secrets, data=data)
    if user.role in SUPERVISING:
        _grant(uow, secrets, case, clock, request, user, now)
    else:
        timekeeping.inform(uow, case, "case_extension_asked", ["role:supervisor"], now, **data)
    return views.show(uow, secrets, case, now)


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
    if user.role not in SUPERVISING:
        raise Forbidden("延期须由主管审批")
    case = locked(uow, case_no, user)
    request = repository.pending_extension(uow.session, case.id)
    if request is None:
        raise Conflict("没有等待审批的延期申请")
    clock = uow.session.get(CaseClock, request.clock_id, populate_existing=True)
    assert clock is not None, "a request belongs to a clock"
    if approve:
        _must_be_extensible(uow, clock, now)
        _grant(uow, secrets, case, clock, request, user, now)
    else:
        if not reason or not reason.strip():
            raise Unprocessable("不同意延期需要说明原因")
        request.decision, request.decided_by, request.decided_at = "refused", user.name, now
        text = reason.strip()
        data = {"target": clock.target, "days": request.days}
        log.append(uow, case, "extension_refused", actor=user.name, now=now, text=text, secrets=secrets, data=data)
        timekeeping.inform(uow, case, "case_extension_refused", [f"user:{request.asked_by}"], now)
    return views.show(uow, secrets, case, now)


def _grant(
    uow: UnitOfWork,
    secrets: Secrets,
    case: Case,
    clock: CaseClock,
    request: CaseExtension,
    user: StaffUser,
    now: datetime,
) -> None:
    before = clock.due_at
    request.decision, request.decided_by, request.decided_at = "approved", user.name, now
    timekeeping.extend_clock(uow, case, clock, request.days)
    data = {
        "target": clock.target,
        "days": request.days,
        "due_before": before.isoformat(),
        "due": clock.due_at.isoformat(),
    }
    log.append(uow, case, "extended", actor=user.name, now=now, data=data)
    if request.asked_by != user.name:
        timekeeping.inform(uow, case, "case_extended", [f"user:{request.asked_by}"], now)
    reason = secrets.decrypt(request.reason_encrypted)
    uow.collect(CaseExtended(case.case_no, case.conversation_id, user.name, now, due_at=clock.due_at, reason=reason))


def _clock(uow: UnitOfWork, case: Case, target: Target | None) -> CaseClock:
    live = [
        clock
        for clock in repository.clocks_of(uow.session, [case.id])
        if clock.state in ("running", "paused") and target in (None, clock.target)
    ]
    if not live:
        raise Conflict("没有可以延长的时限")
    return min(live, key=lambda clock: clock.due_at)


def _must_be_extensible(uow: UnitOfWork, clock: CaseClock, now: datetime) -> None:
    if clock.state not in ("running", "paused"):
        raise Conflict("这个时限已经结束，不能延长")
    if clock.state == "running" and not rules.in_time(clock.due_at, now):
        raise Conflict("时限已经超过，不能再延长")
    allowed = sla.desk_rules(uow).extensions
    if len(clock.extensions or []) >= allowed:
        raise Conflict(f"一个时限最多延长 {allowed} 次")
