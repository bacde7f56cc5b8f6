"""Cases as plain values, and who may see which."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from services.accounts.schemas import StaffUser
from services.cases import repository
from services.cases.models import OPEN_STATUSES, Case, CaseClock
from services.cases.schemas import CaseDetail, CaseList, CaseOut, ClockOut, EventOut
from services.cases.states import EVENT_NAMES, EventType, Status
from services.cases.timekeeping import calendar_or_none
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.calendar import WorkingCalendar
from services.sla.clocks import State
from services.sla.policies import Kind, Priority, Target, Unit

NOT_FOUND = "没有这个工单"


def visible_departments(user: StaffUser) -> list[str] | None:
    """The departments whose cases `user` may see; None means all of them."""
    if user.role == "clerk" and user.department is not None:
        return [user.department, sla.UNASSIGNED]
    return None


def is_visible(user: StaffUser, case: Case) -> bool:
    departments = visible_departments(user)
    return departments is None or case.department in departments


def get_case(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseDetail:
    """A case with its events, without its transcript. Raises NotFound also for a case that `user` may not see."""
    case = repository.find_case(uow.session, case_no)
    if case is None or not is_visible(user, case):
        raise NotFound(NOT_FOUND)
    events = [
        EventOut(
            seq=event.seq,
            type=event.type,
            name=EVENT_NAMES[cast(EventType, event.type)],
            actor=event.actor,
            at=event.at,
            text=secrets.decrypt(event.text_encrypted) if event.text_encrypted is not None else None,
            data=event.data,
        )
        for event in repository.events_of(uow.session, case.id)
    ]
    values = {name: getattr(shown, name) for shown in [show(uow, secrets, case, now)] for name in CaseOut.model_fields}
    return CaseDetail(**values, events=events)


def list_cases(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    user: StaffUser,
    now: datetime,
    status: Sequence[Status] | None = None,
    department: str | None = None,
    overdue: bool | None = None,
    mine: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> CaseList:
    """One page of the cases that `user` may see: urgent first, then what is due next."""
    cases, total = repository.list_cases(
        uow.session,
        now=now,
        departments=visible_departments(user),
        status=status,
        department=department,
        overdue=overdue,
        assignee=user.name if mine else None,
        limit=limit,
        offset=offset,
    )
    return CaseList(cases=show_all(uow, secrets, cases, now), total=total)


def show(uow: UnitOfWork, secrets: Secrets, case: Case, now: datetime) -> CaseOut:
    return show_all(uow, secrets, [case], now)[0]


def show_all(uow: UnitOfWork, secrets: Secrets, cases: Sequence[Case], now: datetime) -> list[CaseOut]:
    uow.session.flush()
    calendar = calendar_or_none(uow)
    clocks: dict[int, list[CaseClock]] = defaultdict(list)
    for clock in repository.clocks_of(uow.session, [case.id for case in cases]):
        clocks[clock.case_id].append(clock)
    return [_show(secrets, case, clocks[case.id], calendar, now) for case in cases]


def _show(
    secrets: Secrets, case: Case, clocks: list[CaseClock], calendar: WorkingCalendar | None, now: datetime
) -> CaseOut:
    is_open = case.status in OPEN_STATUSES
    return CaseOut(
        case_no=case.case_no,
        kind=cast(Kind, case.kind),
        department=case.department,
        priority=cast(Priority, case.priority),
        status=cast(Status, case.status),
        title=secrets.decrypt(case.title_encrypted),
        channel=case.channel,
        assignee=case.assignee,
        created_at=case.created_at,
        first_response_at=case.first_response_at,
        resolved_at=case.resolved_at,
        clocks=[_show_clock(clock, calendar, now) for clock in clocks],
        next_due_at=case.next_due_at if is_open else None,
        overdue=is_open and case.next_due_at is not None and case.next_due_at < now,
        reopened_count=case.reopened_count,
        conversation_id=case.conversation_id,
        transcript_upto=case.transcript_upto,
    )


def _show_clock(clock: CaseClock, calendar: WorkingCalendar | None, now: datetime) -> ClockOut:
    remaining = None
    if clock.state == "running" and calendar is not None:
        remaining = rules.remaining_minutes(calendar, cast(Unit, clock.unit), clock.due_at, now)
    return ClockOut(
        target=cast(Target, clock.target),
        cycle=clock.cycle,
        due_at=clock.due_at,
        warning_at=clock.warning_at,
        state=rules.state(cast(State, clock.state), clock.due_at, now),
        provisional=clock.provisional,
        source=clock.source,
        policy=clock.policy,
        remaining_minutes=remaining,
    )
