"""What the staff hears of a case: the levels of its clocks, each raised once, and the news of everything else."""

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.cases import access, clockwork, flooding, repository
from services.cases import log as case_log
from services.cases.clockwork import Hands
from services.cases.models import Case, CaseClock
from services.cases.states import EventType
from services.core.database import UnitOfWork
from services.notifications import service as notifications
from services.sla import service as sla
from services.sla.clocks import Level, Plan

LEVEL_EVENTS: Final[dict[Level, EventType]] = {"warning": "warned", "breach": "breached", "escalation": "escalated"}

# Appends the event of a level: its type, its moment and its data.
Append = Callable[[EventType, datetime, dict[str, Any]], None]


def raise_levels(
    uow: UnitOfWork,
    case: Case,
    clock: CaseClock,
    now: datetime,
    *,
    before: MutableMapping[str, datetime],
    hands: Hands,
    skip_warning: bool = False,
    away: Collection[str] | None = None,
    append: Append | None = None,
) -> list[Level]:
    """Raise the levels of a running clock whose moment has passed, each once, with its event and its news.

    `case` must be locked. `before` are the levels that this clock has raised, with the moments they were planned for;
    the new ones are added. `away`: who is absent, looked up when not given. Returns the levels that were new.
    """
    plan = moments(clock)
    raised: list[Level] = []
    for level in clockwork.levels_due(plan, before, now):
        if level == "warning" and skip_warning:
            continue
        before[level] = plan.at(level)
        if level == "breach":
            # The miss is that of whoever had the case in hand at its moment, whoever has it now.
            clock.department = clockwork.in_hand(hands, clock.due_at)
        if repository.insert_alert(uow.session, clock, level, plan.at(level), now):
            raised.append(level)
            data = {"target": clock.target}
            if append is None:
                case_log.append(uow, case, LEVEL_EVENTS[level], actor="system", now=now, data=data)
            else:
                append(LEVEL_EVENTS[level], now, data)
            for recipient in access.recipients(
                uow, case, _recipients(uow, case, level, now, away), late=level != "warning"
            ):
                notifications.tell_staff(
                    uow,
                    recipient=recipient,
                    kind=f"case_{level}",
                    body={**about(case), "target": clock.target, "due_at": clock.due_at.isoformat()},
                    dedupe_key=f"case-clock:{flooding.level_key(case, clock.id, level, now)}:{recipient}",
                    now=now,
                )
    plan_next_check(case, clock, before)
    return raised


def plan_next_check(case: Case, clock: CaseClock, raised: Mapping[str, datetime]) -> None:
    """When a sweep must look at the clock again: never while it stands still or once it has ended, and never at the
    first round of an imported case, which is history."""
    if clock.state != "running" or (case.source_no is not None and clock.round == 1):
        clock.next_check_at = None
        return
    plan = moments(clock)
    clock.next_check_at = next((plan.at(level) for level in clockwork.levels_left(plan, raised)), None)


def moments(clock: CaseClock) -> Plan:
    return Plan(clock.warning_at, clock.due_at, clock.escalate_at, clock.provisional)


def _recipients(uow: UnitOfWork, case: Case, level: Level, now: datetime, away: Collection[str] | None) -> list[str]:
    match level:
        case "warning":
            return responsible(uow, case, now, away)
        case "breach":
            return notifications.everybody_who("hears.breaches")
        case "escalation":
            return notifications.everybody_who("hears.escalations")


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


def tell_named(uow: UnitOfWork, case: Case, now: datetime) -> None:
    """Tell everybody who is named for a confidential case that it is there, each person once."""
    for recipient in access.recipients(uow, case, []):
        notifications.tell_staff(
            uow,
            recipient=recipient,
            kind="case_confidential",
            body=about(case),
            dedupe_key=f"case-confidential:{case.case_no}:{recipient}",
            now=now,
        )


def inform(uow: UnitOfWork, case: Case, kind: str, recipients: Sequence[str], now: datetime, **body: object) -> None:
    """Tell staff that something happened to the case; the event's number makes it once."""
    for recipient in access.recipients(uow, case, recipients):
        notifications.tell_staff(
            uow,
            recipient=recipient,
            kind=kind,
            body={**about(case), **body},
            dedupe_key=f"{kind}:{case.case_no}:{case.event_seq}:{recipient}",
            now=now,
        )
