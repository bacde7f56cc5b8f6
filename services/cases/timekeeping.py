"""The clocks of a case: started, stopped, recomputed, and the levels that they raise."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, cast

import structlog

from services.cases import log as case_log
from services.cases import repository
from services.cases.models import Case, CaseClock
from services.cases.states import EventType
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.notifications import service as notifications
from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.calendar import WorkingCalendar
from services.sla.clocks import Level, Plan
from services.sla.policies import Kind, Policy, Priority, Target

log = structlog.get_logger(__name__)

LEVEL_EVENTS: Final[dict[Level, EventType]] = {
    "warning": "warned",
    "breach": "breached",
    "escalation": "escalated",
}


def moments(clock: CaseClock) -> Plan:
    return Plan(clock.warning_at, clock.due_at, clock.escalate_at, clock.provisional)


def running(clocks: Sequence[CaseClock]) -> list[CaseClock]:
    return [clock for clock in clocks if clock.state == "running"]


def start_clocks(
    uow: UnitOfWork, case: Case, at: datetime, *, cycle: int, targets: Sequence[Target] = sla.TARGETS
) -> None:
    """Start a clock for every target that has a limit. A case without a limit is opened all the same."""
    policies = sla.find_policies(uow)
    if policies is None:
        log.warning("no time-limit policy, the case runs without a clock", case_no=case.case_no)
        return
    calendar = sla.load_calendar(uow)
    for target in targets:
        policy = choose_for(case, target, policies.rows)
        if policy is not None:
            clock = CaseClock(case_id=case.id, target=target, cycle=cycle, started_at=at, state="running")
            set_plan(clock, policy, rules.plan(calendar, policy, at))
            clock.next_check_at = clock.warning_at
            uow.session.add(clock)
    uow.session.flush()
    refresh_next_due(uow, case)


def choose_for(case: Case, target: Target, policies: Sequence[Policy]) -> Policy | None:
    return sla.choose(
        policies,
        target,
        kind=cast(Kind, case.kind),
        department=case.department,
        priority=cast(Priority, case.priority),
        channel=case.channel,
    )


def stop_clocks(uow: UnitOfWork, case: Case, target: Target, at: datetime) -> None:
    """Stop the running clocks of a target. A late stop raises its breach now if no sweep came in between."""
    for clock in running(repository.clocks_of(uow.session, [case.id])):
        if clock.target == target:
            if not rules.in_time(clock.due_at, at):
                raise_levels(uow, case, clock, at, skip_warning=True)
            clock.state = "met" if rules.in_time(clock.due_at, at) else "breached"
            clock.stopped_at, clock.next_check_at = at, None
    uow.session.flush()
    refresh_next_due(uow, case)


def end_clocks(uow: UnitOfWork, case: Case, at: datetime) -> None:
    """The case ends: what still runs is cancelled, but a limit that was already missed stays missed."""
    for clock in running(repository.clocks_of(uow.session, [case.id])):
        if not rules.in_time(clock.due_at, at):
            raise_levels(uow, case, clock, at, skip_warning=True)
            clock.state = "breached"
        else:
            clock.state = "cancelled"
        clock.stopped_at, clock.next_check_at = at, None
    uow.session.flush()
    refresh_next_due(uow, case)


def recompute(uow: UnitOfWork, case: Case, changed_at: datetime, *, raised: bool = False) -> None:
    """Give the running clocks the policy that fits the changed case.

    A new department's limit counts from the clock's own start, so a transfer gains no time that has passed. A case
    raised to urgent gets the urgent limit from the moment it was raised, but is never due later than it was.
    """
    policies = sla.find_policies(uow)
    if policies is None:
        return
    calendar = sla.load_calendar(uow)
    for clock in running(repository.clocks_of(uow.session, [case.id])):
        policy = choose_for(case, cast(Target, clock.target), policies.rows)
        if policy is None or policy.id == clock.policy_id:
            continue
        plan = rules.plan(calendar, policy, changed_at if raised else clock.started_at)
        if raised and clock.due_at < plan.due_at:
            continue
        set_plan(clock, policy, plan)
        _plan_next_check(uow, clock)
    uow.session.flush()
    refresh_next_due(uow, case)


def raise_levels(
    uow: UnitOfWork, case: Case, clock: CaseClock, now: datetime, *, skip_warning: bool = False
) -> list[Level]:
    """Raise the levels whose moment has passed, each once, with its event and its outbox rows.

    `case` must be locked. Returns the levels that were new.
    """
    raised: list[Level] = []
    plan = moments(clock)
    for level in rules.levels_reached(plan, now):
        if level == "warning" and skip_warning:
            continue
        if repository.insert_alert(uow.session, clock, level, plan.at(level), now):
            raised.append(level)
            case_log.append(uow, case, LEVEL_EVENTS[level], actor="system", now=now, data={"target": clock.target})
            for recipient in _recipients(uow, case, level):
                notifications.enqueue(
                    uow,
                    channel="staff",
                    recipient=recipient,
                    kind=f"case_{level}",
                    body={"case_no": case.case_no, "target": clock.target, "due_at": clock.due_at.isoformat()},
                    dedupe_key=f"case-clock:{clock.id}:{level}:{recipient}",
                    now=now,
                )
    _plan_next_check(uow, clock)
    return raised


def refresh_next_due(uow: UnitOfWork, case: Case) -> None:
    due = [clock.due_at for clock in running(repository.clocks_of(uow.session, [case.id]))]
    case.next_due_at = min(due, default=None)


def elapsed(calendar: WorkingCalendar | None, start: datetime, end: datetime) -> tuple[float, float | None]:
    """Minutes from start to end by the wall clock, and in working time when there is a calendar."""
    working = calendar.minutes_between(start, end) if calendar is not None else None
    return (end - start) / timedelta(minutes=1), working


def calendar_or_none(uow: UnitOfWork) -> WorkingCalendar | None:
    try:
        return sla.load_calendar(uow)
    except Conflict:
        return None


def set_plan(clock: CaseClock, policy: Policy, plan: Plan) -> None:
    """Let a clock run by a stored policy row."""
    assert policy.id is not None, "a clock runs by a stored policy row"
    clock.policy_id, clock.policy, clock.source, clock.unit = policy.id, policy.name, policy.source, policy.limit.unit
    clock.warning_at, clock.due_at, clock.escalate_at = plan.warning_at, plan.due_at, plan.escalate_at
    clock.provisional = plan.provisional


def _plan_next_check(uow: UnitOfWork, clock: CaseClock) -> None:
    raised = repository.raised_levels(uow.session, clock.id)
    plan = moments(clock)
    clock.next_check_at = next((plan.at(level) for level in rules.LEVELS if level not in raised), None)


def _recipients(uow: UnitOfWork, case: Case, level: Level) -> list[str]:
    match level:
        case "warning":
            return responsible(uow, case)
        case "breach":
            return ["role:supervisor"]
        case "escalation":
            return ["role:manager"]


def responsible(uow: UnitOfWork, case: Case) -> list[str]:
    """Who has the case in hand: its clerk, else its department, else the departments on duty."""
    if case.assignee is not None:
        return [f"user:{case.assignee}"]
    if case.department != sla.UNASSIGNED:
        return [f"department:{case.department}"]
    return [f"department:{name}" for name in sla.duty_departments(uow)]
