"""Dealing cases out: by the city's roster, to whoever is on duty, present, skilled and has the least to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from services.accounts import service as accounts
from services.accounts.schemas import StaffUser
from services.cases import access, alarms, flooding, repository
from services.cases.casefile import CaseFile, calendars_or_none
from services.cases.events import CaseAssigned
from services.cases.models import QUEUED_STATUSES, StaffAbsence
from services.cases.schemas import AbsenceOut
from services.core.audit import record
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, NotFound
from services.core.permissions import may, must
from services.sla import service as sla
from services.sla.schemas import MemberIn

MoveEvent = Literal["transferred", "returned"]


def choose_member(
    members: Sequence[MemberIn], *, kind: str, loads: Mapping[str, int], turn: int, away: set[str]
) -> str | None:
    """Whose turn it is: the least loaded of those who are there, can do the kind and have room; among equals the next
    after the one before (`turn` counts what the queue has dealt out). None when nobody can."""
    able = [
        (loads.get(member.name, 0), (position - turn) % len(members), member.name)
        for position, member in enumerate(members)
        if member.name not in away
        and (not member.skills or kind in member.skills)
        and loads.get(member.name, 0) < member.capacity
    ]
    return min(able)[2] if able else None


def on_duty(queue: sla.QueueIn, calendars: sla.Calendars, now: datetime) -> list[MemberIn]:
    """The members of a queue whose shift runs at `now`."""
    if not calendars.of(queue.shift).is_open(now):
        return []
    weekday = now.astimezone(SHANGHAI).isoweekday()
    return [member for member in queue.members if not member.weekdays or weekday in member.weekdays]


def deal(uow: UnitOfWork, file: CaseFile, now: datetime, *, exclude: str | None = None, tell: bool = True) -> bool:
    """Give a queued, locked case to the next clerk of its department's queue, if the queue deals cases out.

    A confidential case goes only to somebody who may know of it, a doubtful one to whoever takes it. False when it
    stays in the queue.
    """
    case = file.row
    if case.status not in QUEUED_STATUSES or flooding.is_doubtful(case):
        return False
    queue = next((one for one in sla.roster(uow).queues if one.department == case.department), None)
    if queue is None or queue.assign != "round_robin":
        return False
    members = on_duty(queue, file.calendars, now) if file.calendars is not None else []
    if not members:
        return False
    # From here on the queue's row is locked: loads are those after the deal before.
    turn = repository.next_turn(uow.session, case.department)
    names = [member.name for member in members]
    away = repository.absent_names(uow.session, names, now)
    if exclude is not None:
        away.add(exclude)
    if case.confidential:
        away |= set(names) - set(access.readers(uow, case))
    loads = repository.loads(uow.session, names)
    chosen = choose_member(members, kind=case.kind, loads=loads, turn=turn, away=away)
    if chosen is None:
        return False
    file.append("assigned", actor="system", now=now, data={"to": chosen})
    case.assignee = chosen
    uow.session.flush()
    alarms.inform(uow, case, "case_assigned", [f"user:{chosen}"], now)
    if tell:
        news = CaseAssigned(
            case.case_no, case.conversation_id, "system", now, department=case.department, assignee=chosen
        )
        uow.collect(news)
    return True


def duty_members(uow: UnitOfWork, now: datetime) -> list[str]:
    """Everybody whose shift runs now in a queue of a department on duty and who is not away, in the roster's order."""
    calendars = calendars_or_none(uow)
    if calendars is None:
        return []
    departments = {*sla.duty_departments(uow), sla.UNASSIGNED}
    queues = [queue for queue in sla.roster(uow).queues if queue.department in departments]
    names = list(dict.fromkeys(member.name for queue in queues for member in on_duty(queue, calendars, now)))
    away = repository.absent_names(uow.session, names, now)
    return [name for name in names if name not in away]


def duty_report(uow: UnitOfWork, now: datetime) -> dict[str, list[str]]:
    """For whoever sets the system up: who would be called to danger `now`, in order, and which names of the roster are
    nobody's account (or a disabled one's), so that calling them reaches nobody."""
    names = dict.fromkeys(member.name for queue in sla.roster(uow).queues for member in queue.members)
    unknown = [name for name in names if accounts.find_user(uow, name) is None]
    return {"called_first_to_last": duty_members(uow, now), "names_without_account": unknown}


def set_absence(
    uow: UnitOfWork, *, user: StaffUser, name: str, starts_at: datetime, ends_at: datetime, now: datetime
) -> AbsenceOut:
    """Note that somebody is away: no cases are dealt to them, and their warnings reach the department too.

    Everybody for themselves, a supervisor for anybody. Raises BadRequest for a time that is over or backwards.
    """
    if name != user.name:
        must(user, "absences.others")
    if ends_at <= starts_at or ends_at <= now:
        raise BadRequest("结束时间应晚于开始时间和现在")
    row = StaffAbsence(name=name, starts_at=starts_at, ends_at=ends_at, set_by=user.name)
    uow.session.add(row)
    uow.session.flush()
    record(uow, actor=user.name, action="staff.absence", subject=f"staff:{name}", now=now)
    return _shown(row)


def end_absence(uow: UnitOfWork, *, user: StaffUser, absence_id: int, now: datetime) -> None:
    """Take an absence back, or end it now. Raises NotFound."""
    row = uow.session.get(StaffAbsence, absence_id, with_for_update=True)
    if row is None or (row.name != user.name and not may(user, "absences.others")):
        raise NotFound("没有这条记录")
    if row.starts_at >= now:
        uow.session.delete(row)
    else:
        row.ends_at = min(row.ends_at, now)
    record(uow, actor=user.name, action="staff.absence_ended", subject=f"staff:{row.name}", now=now)


def absences(uow: UnitOfWork, now: datetime) -> list[AbsenceOut]:
    return [_shown(row) for row in repository.absences(uow.session, now)]


def _shown(row: StaffAbsence) -> AbsenceOut:
    return AbsenceOut(id=row.id, name=row.name, starts_at=row.starts_at, ends_at=row.ends_at, set_by=row.set_by)
