"""A clock as a row and as a value."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from services.cases.clockwork import Clock, Promise, Since
from services.cases.models import CaseClock
from services.sla.clocks import Plan, State
from services.sla.policies import Limit, Policy, Target, Unit


def clocks_of(rows: Sequence[CaseClock], policies: Mapping[int, Policy]) -> tuple[Clock, ...]:
    """The rows as values, in their order; `policies` are all that they name."""
    return tuple(
        Clock(
            target=cast(Target, row.target),
            round=row.round,
            cycle=row.cycle,
            started_at=row.started_at,
            state=cast(State, row.state),
            promises=tuple(_promise(kept) for kept in row.promises),
            policy=policies[row.policy_id],
            plan=Plan(row.warning_at, row.due_at, row.escalate_at, row.provisional),
            calendar_id=row.calendar_id,
            since=row.counted_from,
            why=cast(Since, row.counted_why),
            paused_at=row.paused_at,
            stopped_at=row.stopped_at,
            department=row.department,
        )
        for row in rows
    )


def named(row: CaseClock) -> set[int]:
    """The policy rows that a clock speaks of."""
    return {row.policy_id, *(int(kept["policy_id"]) for kept in row.promises)}


def write(row: CaseClock, clock: Clock) -> None:
    """Let the row say what the value says; when a sweep must look at it is not the value's."""
    policy, plan = clock.policy, clock.plan
    assert policy.id is not None, "a clock runs by a stored policy row"
    row.target, row.round, row.cycle, row.started_at, row.state = (
        clock.target, clock.round, clock.cycle, clock.started_at, clock.state,
    )  # fmt: skip
    row.policy_id, row.policy, row.source, row.unit = policy.id, policy.name, policy.source, policy.limit.unit
    row.calendar, row.calendar_id = policy.calendar, clock.calendar_id
    row.warning_at, row.due_at, row.escalate_at = plan.warning_at, plan.due_at, plan.escalate_at
    row.provisional, row.counted_from, row.counted_why = plan.provisional, clock.since, clock.why
    row.paused_at, row.stopped_at = clock.paused_at, clock.stopped_at
    # A miss that was noted while the clock ran on stays that department's.
    row.department = clock.department or row.department
    row.promises = [_kept(promise) for promise in clock.promises]


def _kept(promise: Promise) -> dict[str, Any]:
    return {
        "policy_id": promise.policy_id,
        "since": promise.since.isoformat(),
        "why": promise.why,
        "pauses": [[begin.isoformat(), end.isoformat()] for begin, end in promise.pauses],
        "extensions": [[more.amount, more.unit] for more in promise.extensions],
    }


def _promise(kept: Mapping[str, Any]) -> Promise:
    return Promise(
        policy_id=int(kept["policy_id"]),
        since=datetime.fromisoformat(kept["since"]),
        why=cast(Since, kept["why"]),
        pauses=tuple((datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in kept["pauses"]),
        extensions=tuple(Limit(int(amount), cast(Unit, unit)) for amount, unit in kept["extensions"]),
    )
