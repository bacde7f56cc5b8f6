"""Where a case goes: to another department and back, to another clerk, back into the queue, into another case."""

from datetime import datetime

from services.accounts import service as accounts
from services.accounts.schemas import StaffUser
from services.cases import access, alarms, assignment, casefile, repository, sight, views
from services.cases.casefile import CaseFile
from services.cases.events import CaseAssigned, CaseMerged, CaseTransferred
from services.cases.holding import NOT_FOUND, locked, must_hold, stripped, written
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict, NotFound
from services.core.permissions import may
from services.sla import clocks as rules
from services.sla import service as sla


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
    file = locked(uow, case_no, user)
    target = sla.department_named(uow, department)
    if target == file.row.department:
        raise Conflict("工单已经在这个部门")
    must_hold(secrets, file, user)
    _move(uow, secrets, file, user, target, written(reason), now, event="transferred")
    return views.show(secrets, file, now)


def give_back(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime
) -> CaseOut:
    """Return a transferred case to the department that sent it, with a reason, within the city's limit.

    Raises Conflict when it was not transferred, when another clerk has it, or too late (`return_until`).
    """
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    last = file.last("transferred", "returned")
    if last is None or last.type == "returned" or last.data.get("to") != file.row.department:
        raise Conflict("工单不是转办来的，不能退回")
    until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).return_within, last.at)
    if now > until:
        shown = until.astimezone(SHANGHAI)
        raise Conflict(f"已超过退回期限（{shown:%m月%d日 %H:%M}），请与主管联系", return_until=until.isoformat())
    _move(uow, secrets, file, user, str(last.data["from"]), written(reason), now, event="returned")
    return views.show(secrets, file, now)


def _move(
    uow: UnitOfWork,
    secrets: Secrets,
    file: CaseFile,
    user: StaffUser,
    target: str,
    reason: str,
    now: datetime,
    *,
    event: assignment.MoveEvent,
) -> None:
    case, sender = file.row, file.row.assignee
    data: dict[str, object] = {"from": case.department, "to": target}
    file.append(event, actor=user.name, now=now, text=reason, secrets=secrets, data=data, department=target)
    case.assignee = None
    alarms.inform(uow, case, f"case_{event}", alarms.responsible(uow, case, now), now, **data)
    file.tell(CaseTransferred(case.case_no, case.conversation_id, user.name, now, department=target))
    assignment.deal(uow, file, now, exclude=sender)


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
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    case = file.row
    colleague = accounts.find_user(uow, assignee)
    if colleague is None or not may(colleague, "cases.work"):
        raise BadRequest("没有可以接收工单的这位人员")
    if not case.confidential and not sight.is_visible(uow, colleague, case):
        raise BadRequest("这位人员不在工单的承办部门")
    if colleague.name == case.assignee:
        raise Conflict("工单已经由这位人员办理")
    if repository.is_absent(uow.session, colleague.name, now):
        raise Conflict("这位人员目前不在岗")
    if case.confidential:
        access.grant(uow, case, colleague.name, by=user.name, now=now)
    data = {"from": case.assignee, "to": colleague.name}
    file.append("assigned", actor=user.name, now=now, text=stripped(reason), secrets=secrets, data=data)
    case.assignee = colleague.name
    alarms.inform(uow, case, "case_assigned", [f"user:{colleague.name}"], now)
    uow.collect(
        CaseAssigned(
            case.case_no, case.conversation_id, user.name, now, department=case.department, assignee=colleague.name
        )
    )
    return views.show(secrets, file, now)


def release(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, reason: str, now: datetime) -> CaseOut:
    """Put the case back into its department's queue. Its clocks run on."""
    file = locked(uow, case_no, user)
    must_hold(secrets, file, user)
    put_back(uow, secrets, file, actor=user.name, reason=written(reason), now=now)
    return views.show(secrets, file, now)


def put_back(uow: UnitOfWork, secrets: Secrets, file: CaseFile, *, actor: str, reason: str, now: datetime) -> None:
    """Take a locked case out of its clerk's hands (see `release`)."""
    case, before = file.row, file.row.assignee
    file.append("released", actor=actor, now=now, text=reason, secrets=secrets, data={"from": before})
    case.assignee = None
    alarms.inform(uow, case, "case_released", alarms.responsible(uow, case, now), now)
    uow.collect(CaseAssigned(case.case_no, case.conversation_id, actor, now, department=case.department))
    assignment.deal(uow, file, now, exclude=before)


def merge(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, into: str, now: datetime) -> CaseOut:
    """Let a duplicate go on as another open case; returns the duplicate.

    What the duplicate promised is kept: the other case's clock stands under it too, and if that case waited for its own
    citizen, it waits no more. A limit that the duplicate missed stays missed there. Raises Conflict for the same case,
    for a confidential with an open one, and when one of them is not open or in another clerk's hands.
    """
    if case_no == into:
        raise Conflict("不能并入自己")
    # Locked in one order, so that two people who merge crosswise cannot wait for each other.
    found = {number: casefile.lock(uow, number) for number in sorted((case_no, into))}
    file, other = found[case_no], found[into]
    if file is None or other is None or not all(sight.is_visible(uow, user, one.row) for one in (file, other)):
        raise NotFound(NOT_FOUND)
    case = file.row
    if case.confidential != other.row.confidential:
        raise Conflict("保密工单与普通工单不能合并")
    if not other.is_open:
        raise Conflict("只能并入办理中的工单", case_status=other.row.status)
    for one in (file, other):
        must_hold(secrets, one, user)
    promised = file.promised(now)
    file.append("merged", actor=user.name, now=now, data={"into": into})
    case.merged_into, case.ended_at = into, now
    other.append("absorbed", actor=user.name, now=now, data={"case_no": case_no}, clocks=promised)
    uow.collect(CaseMerged(case_no, case.conversation_id, user.name, now, into=into))
    return views.show(secrets, file, now)
