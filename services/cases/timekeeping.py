"""The clocks of a case: started, stopped, paused, recomputed, and the levels that they raise."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

import structlog

from services.cases import access, repository
from services.cases import log as case_log
from services.cases.models import Case, CaseClock
from services.cases.states import EventType
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.notifications import service as notifications
from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.calendar import WorkingCalendar
from services.sla.clocks import Level, Plan
from services.sla.policies import Kind, Limit, Policy, Priority, Target, Unit

log = structlog.get_logger(__name__)

# Why clocks are recomputed: the case changed, danger was found, the city's calendar changed, or its policies were
# put on running clocks on purpose.
Why = Literal["changed", "raised", "calendar", "policy"]

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
    """Start a clock for every target that has a limit. A case without a limit is opened all the same.

    The cycles of an update clock are its own: each news to the citizen ends one and begins the next.
    """
    policies = sla.find_policies(uow)
    if policies is None:
        log.warning("no time-limit policy, the case runs without a clock", case_no=case.case_no)
        return
    calendars = sla.load_calendars(uow)
    for target in targets:
        policy = choose_for(case, target, policies.rows)
        if policy is None:
            continue
        number = repository.next_cycle(uow.session, case.id, target) if target == "update" else cycle
        clock = CaseClock(
            case_id=case.id, target=target, cycle=number, started_at=at, state="running", pauses=[], extensions=[]
        )
        set_plan(clock, policy, rules.plan(calendars.of(policy.calendar), policy, at), calendars.version_id)
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


def told_the_citizen(uow: UnitOfWork, case: Case, at: datetime) -> None:
    """News reached the citizen: the update clock that ran is stopped, and the next one begins."""
    if not any(one.target == "update" for one in running(repository.clocks_of(uow.session, [case.id]))):
        return
    stop_clocks(uow, case, "update", at)
    start_clocks(uow, case, at, cycle=case.cycle, targets=("update",))


def end_clocks(uow: UnitOfWork, case: Case, at: datetime) -> None:
    """The case ends: what still runs is cancelled, but a limit that was already missed stays missed."""
    resume_clocks(uow, case, at)
    for clock in running(repository.clocks_of(uow.session, [case.id])):
        if not rules.in_time(clock.due_at, at):
            raise_levels(uow, case, clock, at, skip_warning=True)
            clock.state = "breached"
        else:
            clock.state = "cancelled"
        clock.stopped_at, clock.next_check_at = at, None
    uow.session.flush()
    refresh_next_due(uow, case)


def pause_clocks(uow: UnitOfWork, case: Case, at: datetime) -> None:
    """Let the clocks stand still. One that is overdue already runs on: waiting does not undo a missed limit."""
    for clock in running(repository.clocks_of(uow.session, [case.id])):
        if not rules.in_time(clock.due_at, at):
            raise_levels(uow, case, clock, at, skip_warning=True)
            continue
        clock.state, clock.paused_at, clock.next_check_at = "paused", at, None
    uow.session.flush()
    refresh_next_due(uow, case)


def resume_clocks(uow: UnitOfWork, case: Case, at: datetime) -> None:
    """Let paused clocks run on: what was left of a limit when it was paused is left now."""
    paused = [clock for clock in repository.clocks_of(uow.session, [case.id]) if clock.state == "paused"]
    if not paused:
        return
    calendars = sla.load_calendars(uow)
    policies = sla.policies_by_id(uow, {clock.policy_id for clock in paused})
    for clock in paused:
        assert clock.paused_at is not None, "a paused clock knows since when"
        clock.pauses = [*clock.pauses, [clock.paused_at.isoformat(), max(at, clock.paused_at).isoformat()]]
        clock.state, clock.paused_at = "running", None
        policy = policies[clock.policy_id]
        set_plan(clock, policy, planned(calendars, clock, policy, clock.started_at), calendars.version_id)
        plan_next_check(uow, case, clock)
    uow.session.flush()
    refresh_next_due(uow, case)


def extend_clock(uow: UnitOfWork, case: Case, clock: CaseClock, days: int) -> None:
    """Add working days to the limit of a running or paused clock."""
    calendars = sla.load_calendars(uow)
    clock.extensions = [*clock.extensions, [days, "working_days"]]
    policy = sla.policies_by_id(uow, {clock.policy_id})[clock.policy_id]
    set_plan(clock, policy, planned(calendars, clock, policy, clock.started_at), calendars.version_id)
    if clock.state == "running":
        plan_next_check(uow, case, clock)
    uow.session.flush()
    refresh_next_due(uow, case)


def recompute(uow: UnitOfWork, case: Case, at: datetime, why: Why) -> list[dict[str, Any]]:
    """Compute the running and paused clocks anew; returns what changed, for the event that tells of it.

    changed: the policy that fits the changed case counts from the clock's own start, so no time that has passed is
    gained; a limit that was missed already stays missed; a target that the case has no limit for any more is cancelled.
    raised: the urgent limit counts from `at`, but nothing is ever due later than it was. calendar: the clock's own
    policy by the new calendar. policy: the current policies, also for clocks that began under an older version.
    """
    policies = sla.find_policies(uow)
    if policies is None:
        return []
    calendars = sla.load_calendars(uow)
    live = [c for c in repository.clocks_of(uow.session, [case.id]) if c.state in ("running", "paused")]
    own = sla.policies_by_id(uow, {clock.policy_id for clock in live}) if why == "calendar" else {}
    changes: list[dict[str, Any]] = []
    for clock in live:
        before = (clock.policy, clock.due_at)
        missed = clock.state == "running" and not rules.in_time(clock.due_at, at)
        if missed and why in ("changed", "raised"):
            raise_levels(uow, case, clock, at, skip_warning=True)
            continue
        policy = (
            own[clock.policy_id] if why == "calendar" else choose_for(case, cast(Target, clock.target), policies.rows)
        )
        if policy is None:
            clock.state, clock.stopped_at, clock.next_check_at = "cancelled", at, None
        elif policy.id != clock.policy_id or why in ("calendar", "policy"):
            plan = planned(calendars, clock, policy, at if why == "raised" else clock.started_at)
            if why == "raised" and clock.due_at < plan.due_at:
                continue
            set_plan(clock, policy, plan, calendars.version_id)
            if clock.state == "running":
                plan_next_check(uow, case, clock)
        if policy is None or (clock.policy, clock.due_at) != before:
            changes.append(_change(clock, *before))
    if why != "calendar":
        _start_missing(uow, case, live, policies.rows, at)
    uow.session.flush()
    refresh_next_due(uow, case)
    return changes


def _start_missing(
    uow: UnitOfWork, case: Case, live: Sequence[CaseClock], policies: Sequence[Policy], at: datetime
) -> None:
    """A changed case may have a limit for a target that had none; it counts from the start of the cycle."""
    there = {(clock.target, clock.cycle) for clock in repository.clocks_of(uow.session, [case.id])}
    began = min((clock.started_at for clock in live), default=case.created_at if case.cycle == 1 else at)
    done = case.first_response_at is not None
    missing: list[Target] = [
        target
        for target in sla.TARGETS
        if choose_for(case, target, policies) is not None
        and (target, case.cycle) not in there
        and not (target == "first_response" and done)
        and not (target == "update" and any(name == "update" for name, _ in there))
    ]
    if missing:
        start_clocks(uow, case, began, cycle=case.cycle, targets=missing)


def _change(clock: CaseClock, policy_before: str, due_before: datetime) -> dict[str, Any]:
    return {
        "target": clock.target,
        "policy_before": policy_before,
        "policy": clock.policy if clock.state != "cancelled" else None,
        "due_before": due_before.isoformat(),
        "due": clock.due_at.isoformat() if clock.state != "cancelled" else None,
    }


def planned(calendars: sla.Calendars, clock: CaseClock, policy: Policy, start: datetime) -> Plan:
    """The moments of a clock that starts at `start`, with its pauses and extensions."""
    pauses = [(datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in clock.pauses or []]
    more = [Limit(int(amount), cast(Unit, unit)) for amount, unit in clock.extensions or []]
    return rules.plan(calendars.of(policy.calendar), policy, start, pauses=pauses, extensions=more)


def raise_levels(
    uow: UnitOfWork,
    case: Case,
    clock: CaseClock,
    now: datetime,
    *,
    skip_warning: bool = False,
    before: Mapping[str, datetime] | None = None,
    away: Collection[str] | None = None,
) -> list[Level]:
    """Raise the levels whose moment has passed, each once, with its event and its outbox rows.

    `case` must be locked. Whoever raises many looks up at once `before`, the levels that this clock has raised already,
    and `away`, who is absent. Returns the levels that were new.
    """
    raised: list[Level] = []
    known = dict(before if before is not None else _raised(uow, clock))
    plan = moments(clock)
    left = _levels_left(clock, known)
    for level in rules.levels_reached(plan, now):
        if level not in left or (level == "warning" and skip_warning):
            continue
        known[level] = plan.at(level)
        if repository.insert_alert(uow.session, clock, level, plan.at(level), now):
            raised.append(level)
            case_log.append(uow, case, LEVEL_EVENTS[level], actor="system", now=now, data={"target": clock.target})
            for recipient in access.recipients(uow, case, _recipients(uow, case, level, now, away)):
                notifications.enqueue(
                    uow,
                    channel="staff",
                    recipient=recipient,
                    kind=f"case_{level}",
                    body={**about(case), "target": clock.target, "due_at": clock.due_at.isoformat()},
                    dedupe_key=f"case-clock:{clock.id}:{level}:{recipient}",
                    now=now,
                )
    plan_next_check(uow, case, clock, known)
    return raised


def refresh_next_due(uow: UnitOfWork, case: Case) -> None:
    due = [clock.due_at for clock in running(repository.clocks_of(uow.session, [case.id]))]
    case.next_due_at = min(due, default=None)


def elapsed(calendar: WorkingCalendar | None, start: datetime, end: datetime) -> tuple[float, float | None]:
    """Minutes from start to end by the wall clock, and in working time when there is a calendar."""
    working = calendar.minutes_between(start, end) if calendar is not None else None
    return (end - start) / timedelta(minutes=1), working


def calendar_or_none(uow: UnitOfWork) -> WorkingCalendar | None:
    calendars = calendars_or_none(uow)
    return calendars.office if calendars is not None else None


def calendars_or_none(uow: UnitOfWork) -> sla.Calendars | None:
    try:
        return sla.load_calendars(uow)
    except Conflict:
        return None


def set_plan(clock: CaseClock, policy: Policy, plan: Plan, calendar_id: int) -> None:
    """Let a clock run by a stored policy row."""
    assert policy.id is not None, "a clock runs by a stored policy row"
    clock.policy_id, clock.policy, clock.source, clock.unit = policy.id, policy.name, policy.source, policy.limit.unit
    clock.warning_at, clock.due_at, clock.escalate_at = plan.warning_at, plan.due_at, plan.escalate_at
    clock.provisional, clock.calendar, clock.calendar_id = plan.provisional, policy.calendar, calendar_id


def plan_next_check(
    uow: UnitOfWork, case: Case, clock: CaseClock, raised: Mapping[str, datetime] | None = None
) -> None:
    """When the sweep must look at a running clock again; `raised` are its levels so far, looked up when not given. The
    first cycle of an imported case is history: never."""
    if case.source_no is not None and clock.cycle == 1:
        clock.next_check_at = None
        return
    plan = moments(clock)
    left = _levels_left(clock, raised if raised is not None else _raised(uow, clock))
    clock.next_check_at = next((plan.at(level) for level in left), None)


def _raised(uow: UnitOfWork, clock: CaseClock) -> dict[str, datetime]:
    return repository.raised_levels_of(uow.session, [clock.id])[clock.id]


def _levels_left(clock: CaseClock, raised: Mapping[str, datetime]) -> list[Level]:
    """The levels that may still be raised; `raised` with their planned moments. One is overtaken when a later one was
    raised for the same moment without it: who has heard of a breach is not warned of it."""
    plan = moments(clock)
    return [
        level
        for position, level in enumerate(rules.LEVELS)
        if level not in raised and not any(raised.get(later) == plan.at(later) for later in rules.LEVELS[position:])
    ]


def _recipients(uow: UnitOfWork, case: Case, level: Level, now: datetime, away: Collection[str] | None) -> list[str]:
    match level:
        case "warning":
            return responsible(uow, case, now, away)
        case "breach":
            return ["role:supervisor"]
        case "escalation":
            return ["role:manager"]


def responsible(uow: UnitOfWork, case: Case, now: datetime, away: Collection[str] | None = None) -> list[str]:
    """Who has the case in hand: its clerk, else its department, else the departments on duty. While the clerk is away
    (`away`: the names of those who are, looked up when not given) the department hears of it too."""
    queue = [f"department:{case.department}"]
    if case.department == sla.UNASSIGNED:
        queue = [f"department:{name}" for name in sla.duty_departments(uow)]
    if case.assignee is None:
        return queue
    absent = case.assignee in away if away is not None else repository.is_absent(uow.session, case.assignee, now)
    return [f"user:{case.assignee}", *(queue if absent else [])]


def about(case: Case) -> dict[str, object]:
    """What a notice to staff says of its case; of a confidential one that it is, which keeps the rest in this house."""
    if case.confidential:
        return {"case_no": case.case_no, "confidential": True}
    return {"case_no": case.case_no, "department": case.department}


def inform(uow: UnitOfWork, case: Case, kind: str, recipients: Sequence[str], now: datetime, **body: object) -> None:
    """Tell staff that something happened to the case; the event's number makes it once."""
    for recipient in access.recipients(uow, case, recipients):
        notifications.enqueue(
            uow,
            channel="staff",
            recipient=recipient,
            kind=kind,
            body={**about(case), **body},
            dedupe_key=f"{kind}:{case.case_no}:{case.event_seq}:{recipient}",
            now=now,
        )
