"""One clock of a case: the promises that it keeps to, and what may happen to it. Pure.

    promise = promised(terms, "first_response", opened_at, "opened")
    clock = started(terms, "first_response", [promise], round=1, cycle=1, at=opened_at)
    clock = resumed(paused(clock, asked_at), asked_at, answered_at, terms)
    clock = stopped(clock, replied_at, hands)

A clock may stand under several promises at once: its limit, the urgent one that counts from the moment at which danger
was found, the one of a duplicate that was merged into its case. Each is counted from its own beginning, with the pauses
and extensions that it has seen itself; the one that is due first is what the clock shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.clocks import Level, Pause, Plan, State
from services.sla.policies import Kind, Limit, Policy, Priority, Target

# Where a limit is counted from: the opening, a reopening, the last news to the citizen, the moment at which danger was
# found, or where a merged duplicate's was.
Since = Literal["opened", "reopened", "news", "raised", "merged"]
LIVE: tuple[State, ...] = ("running", "paused")
# Who had the case in hand from when on, the first at the opening.
Hands = Sequence[tuple[datetime, str]]


@dataclass(frozen=True)
class Promise:
    """A limit and where it is counted from. `pauses` are those since then that are over."""

    policy_id: int
    since: datetime
    why: Since
    pauses: tuple[Pause, ...] = ()
    extensions: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Clock:
    """`policy`, `plan`, `since` and `why` are those of the promise that is due first. `round` counts the opening and
    each reopening, `cycle` the clocks of this target. `department` had the case in hand when the target was met or
    missed; empty until then."""

    target: Target
    round: int
    cycle: int
    started_at: datetime
    state: State
    promises: tuple[Promise, ...]
    policy: Policy
    plan: Plan
    calendar_id: int
    since: datetime
    why: Since
    paused_at: datetime | None = None
    stopped_at: datetime | None = None
    department: str | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def extensions(self) -> int:
        """How often it has been extended."""
        return max(len(promise.extensions) for promise in self.promises)

    def missed(self, at: datetime) -> bool:
        """Whether it runs at `at` although its due moment is over."""
        return self.state == "running" and not rules.in_time(self.plan.due_at, at)


@dataclass(frozen=True)
class Terms:
    """What the limits of a case go by: what it is, the city's policies, and its calendars.

    `current` are the rows in force, `stored` those that promises name, of any version; both belong to the database.
    """

    kind: Kind
    department: str
    priority: Priority
    channel: str
    current: Sequence[Policy]
    stored: Mapping[int, Policy]
    calendars: sla.Calendars | None

    def choose(self, target: Target, priority: Priority | None = None) -> Policy | None:
        """The row in force for the target; `priority` stands in for that of the case."""
        return sla.choose(
            self.current,
            target,
            kind=self.kind,
            department=self.department,
            priority=priority or self.priority,
            channel=self.channel,
        )

    @property
    def version_id(self) -> int:
        """The version of the calendars."""
        return self.calendars.version_id if self.calendars is not None else 0

    def policy(self, policy_id: int) -> Policy:
        found = self.stored.get(policy_id)
        return found if found is not None else next(row for row in self.current if row.id == policy_id)

    def plan(self, promise: Promise) -> Plan:
        assert self.calendars is not None, "a promise was counted by a calendar"
        policy = self.policy(promise.policy_id)
        calendar = self.calendars.of(policy.calendar)
        return rules.plan(calendar, policy, promise.since, pauses=promise.pauses, extensions=promise.extensions)


def promised(terms: Terms, target: Target, since: datetime, why: Since, pauses: Sequence[Pause] = ()) -> Promise | None:
    """The limit in force for the target; None where there is none."""
    policy = terms.choose(target)
    if policy is None or policy.id is None or terms.calendars is None:
        return None
    return Promise(policy.id, since, why, tuple(pauses))


def started(
    terms: Terms, target: Target, promises: Sequence[Promise], *, round: int, cycle: int, at: datetime
) -> Clock:
    """A clock that runs from `at` under these promises (one or more)."""
    first, plan = _earliest(promises, terms)
    return Clock(
        target=target,
        round=round,
        cycle=cycle,
        started_at=at,
        state="running",
        promises=tuple(promises),
        policy=terms.policy(first.policy_id),
        plan=plan,
        calendar_id=terms.version_id,
        since=first.since,
        why=first.why,
    )


def _earliest(promises: Sequence[Promise], terms: Terms) -> tuple[Promise, Plan]:
    return min(((promise, terms.plan(promise)) for promise in promises), key=lambda pair: pair[1].due_at)


def under(clock: Clock, promises: Sequence[Promise], terms: Terms) -> Clock:
    """The clock under these promises (one or more), each computed by today's calendar."""
    first, plan = _earliest(promises, terms)
    return replace(
        clock,
        promises=tuple(promises),
        policy=terms.policy(first.policy_id),
        plan=plan,
        calendar_id=terms.version_id,
        since=first.since,
        why=first.why,
    )


def stopped(clock: Clock, at: datetime, hands: Hands) -> Clock:
    """A running clock whose target was reached at `at`, in time or not."""
    if clock.state != "running":
        return clock
    if clock.missed(at):
        return replace(clock, state="breached", stopped_at=at, department=in_hand(hands, clock.plan.due_at))
    return replace(clock, state="met", stopped_at=at, department=in_hand(hands, at))


def ended(clock: Clock, at: datetime, hands: Hands) -> Clock:
    """A running clock whose case ends: a limit that was missed by then stays missed, another is cancelled."""
    if clock.state != "running":
        return clock
    if clock.missed(at):
        return stopped(clock, at, hands)
    return replace(clock, state="cancelled", stopped_at=at)


def paused(clock: Clock, at: datetime) -> Clock:
    """The clock standing still. One that is overdue runs on: waiting does not undo a missed limit."""
    if clock.state != "running" or clock.missed(at):
        return clock
    return replace(clock, state="paused", paused_at=at)


def standing(clock: Clock, held_at: datetime | None) -> Clock:
    """A live clock as it must be while its case waits since `held_at`, or does not wait (None)."""
    if not clock.is_live:
        return clock
    running = replace(clock, state="running", paused_at=None)
    return paused(running, held_at) if held_at is not None else running


def resumed(clock: Clock, held_at: datetime, at: datetime, terms: Terms) -> Clock:
    """A live clock after the wait from `held_at` to `at`: what was left of each promise then is left now.

    One that was overdue then has run on, and only takes note: should the city correct its calendar, the wait counts.
    """
    if not clock.is_live:
        return clock
    promises = tuple(_waited(promise, held_at, at) for promise in clock.promises)
    if clock.state == "running":
        return replace(clock, promises=promises)
    return under(replace(clock, state="running", paused_at=None), promises, terms)


def _waited(promise: Promise, begin: datetime, end: datetime) -> Promise:
    # A promise that was given in the middle of the pause has waited only since then.
    begin = max(begin, promise.since)
    return replace(promise, pauses=(*promise.pauses, (begin, end))) if end > begin else promise


def extended(clock: Clock, more: Limit, terms: Terms) -> Clock:
    """More time for a live clock, on top of every promise that it stands under."""
    promises = [replace(promise, extensions=(*promise.extensions, more)) for promise in clock.promises]
    return under(clock, promises, terms)


def raised(clock: Clock, at: datetime, terms: Terms) -> Clock:
    """A running clock under the urgent limit as well, counted from `at`; nothing is ever due later by that."""
    promise = promised(terms, clock.target, at, "raised")
    if clock.state != "running" or clock.missed(at) or promise is None:
        return clock
    return under(clock, [*clock.promises, promise], terms)


def rechosen(clock: Clock, terms: Terms) -> Clock | None:
    """A live clock under the rows in force for what its case is now, each counted from where it was before.

    None where it has no limit any more. The promise to a merged duplicate's citizen stays as it was given.
    """
    danger = any(promise.why == "raised" for promise in clock.promises)
    urgent = terms.priority == "urgent"
    promises = []
    for promise in clock.promises:
        if promise.why == "merged":
            promises.append(promise)
            continue
        if promise.why == "raised" and not urgent and len(clock.promises) > 1:
            continue
        priority: Priority = "urgent" if urgent and (promise.why == "raised" or not danger) else "normal"
        if terms.kind == "urgent" and priority == "normal":
            # Of this kind there is no other limit than the urgent one, and what was promised before stays.
            promises.append(promise)
            continue
        policy = terms.choose(clock.target, priority)
        if policy is not None and policy.id is not None:
            promises.append(replace(promise, policy_id=policy.id))
    return under(clock, promises, terms) if promises else None


def recalculated(clock: Clock, terms: Terms) -> Clock:
    """A live clock by the present calendar, under the policy rows that it was promised."""
    return under(clock, clock.promises, terms)


def taken_over(other: Clock) -> list[Promise]:
    """The promises of a merged duplicate's clock, for that of the case that it goes on as."""
    return [replace(promise, why="merged") for promise in other.promises]


def in_hand(hands: Hands, at: datetime) -> str:
    """Who had the case in hand at a moment; the first for one before it was opened."""
    found = hands[0][1]
    for since, department in hands:
        if since <= at:
            found = department
    return found


def levels_left(plan: Plan, raised: Mapping[str, datetime]) -> list[Level]:
    """The levels that may still be raised; `raised` with the moments that they were planned for. One is overtaken when
    a later one was raised for the same moment without it: who has heard of a breach is not warned of it."""
    return [
        level
        for position, level in enumerate(rules.LEVELS)
        if level not in raised and not any(raised.get(later) == plan.at(later) for later in rules.LEVELS[position:])
    ]


def levels_due(plan: Plan, raised: Mapping[str, datetime], now: datetime) -> list[Level]:
    """The levels whose moment has passed and that are to be raised, in order."""
    return [level for level in rules.levels_reached(plan, now) if level in levels_left(plan, raised)]
