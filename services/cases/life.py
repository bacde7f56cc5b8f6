"""What an event does to a case: its status, who has it, its rounds and its clocks. Pure, and every event is decided.

    state = after(state, Happening("held", at, until=until), terms)

A round begins with the opening and with each reopening. The first round that saw an answer, or in which the limit of
the first response was missed, decides about it; one that ended in time without an answer does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from services.cases import clockwork
from services.cases.clockwork import Clock, Promise, Terms
from services.cases.states import OPEN, EventType, next_status
from services.sla.clocks import Pause
from services.sla.policies import TARGETS, Kind, Limit, Priority, Target
from services.understanding.case_states import Status

# The city's calendar changed, or its policies were put on running clocks on purpose.
Why = Literal["calendar", "policy"]


@dataclass(frozen=True)
class CaseState:
    """A case at one moment. `hands` says which department had it from when on. `round` began at `round_at`; in it the
    case waited from when to when (`waits`, and since `held_at` if it waits now), and was `answered` or not. `cycle` is
    that of the newest clocks; `deciding_cycle` and `counted_from` belong to the round that decides about the first
    response."""

    status: Status | None
    kind: Kind
    department: str
    priority: Priority
    channel: str
    hands: tuple[tuple[datetime, str], ...]
    clocks: tuple[Clock, ...]
    cycle: int
    round: int
    round_at: datetime
    deciding_cycle: int
    counted_from: datetime
    waits: tuple[Pause, ...] = ()
    held_at: datetime | None = None
    hold_until: datetime | None = None
    answered: bool = False
    first_response_at: datetime | None = None

    @property
    def next_due_at(self) -> datetime | None:
        return min((clock.plan.due_at for clock in self.clocks if clock.state == "running"), default=None)


@dataclass(frozen=True)
class Happening:
    """An event at its moment, with what it changes. `clocks` are those of a case that is merged into this one."""

    event: EventType
    at: datetime
    kind: Kind | None = None
    department: str | None = None
    priority: Priority | None = None
    until: datetime | None = None
    target: Target | None = None
    more: Limit | None = None
    why: Why | None = None
    clocks: tuple[Clock, ...] = ()


def steps(state: CaseState, what: Happening) -> Iterator[Happening]:
    """The happening with what must come before it: whatever takes a case out of waiting ends its wait first, and a wait
    ends at the latest when that was promised, however late anybody looks. Raises Conflict as `next_status` does."""
    then = next_status(state.status, what.event)
    if state.status == "waiting" and then != "waiting":
        ends = what.at if state.hold_until is None else min(what.at, state.hold_until)
        yield Happening("resumed", ends)
    if what.event != "resumed":
        yield what


def moves_clocks(event: EventType) -> bool:
    """Whether the clocks follow the event."""
    match event:
        case (
            "opened" | "raised" | "reclassified" | "recomputed" | "replied" | "transferred" | "returned" | "held"
            | "resumed" | "extended" | "resolved" | "withdrawn" | "closed" | "reopened" | "merged" | "absorbed"
        ):  # fmt: skip
            return True
        case (
            "asked_again" | "alarmed" | "acknowledged" | "assigned" | "claimed" | "released" | "noted" | "added"
            | "pressed" | "extension_asked" | "extension_refused" | "access_changed" | "retitled" | "revealed"
            | "confirmed" | "rated" | "drafted" | "warned" | "breached" | "escalated"
        ):  # fmt: skip
            return False
    assert_never(event)


def after(state: CaseState, what: Happening, terms: Terms) -> CaseState:
    """The case after one step (see `steps`); `terms` are those of the case before it. Raises Conflict for an event that
    does not fit the status."""
    was_open = state.status in OPEN
    state = replace(state, status=next_status(state.status, what.event))
    at = what.at
    match what.event:
        case "opened":
            return _begun(state, terms, at, "opened", TARGETS)
        case "replied":
            state = _told(_stopped(state, "first_response", at), terms, at)
            return replace(state, first_response_at=state.first_response_at or at, answered=True)
        case "held":
            state = _told(state, terms, at)
            clocks = tuple(clockwork.paused(clock, at) for clock in state.clocks)
            return replace(state, clocks=clocks, held_at=at, hold_until=what.until)
        case "resumed":
            return _went_on(state, terms, at)
        case "resolved":
            return _ended(_stopped(state, "resolution", at), at)
        case "withdrawn" | "closed" | "merged":
            return _ended(state, at) if was_open else state
        case "reopened":
            return _reopened(state, terms, at)
        case "raised":
            return _raised(state, terms, at)
        case "transferred" | "returned" | "reclassified":
            return _changed(state, what, terms)
        case "recomputed":
            return _recomputed(state, what, terms)
        case "extended":
            more = what.more
            assert more is not None, "an extension says by how much"
            return _each_live(state, lambda clock: clockwork.extended(clock, more, terms), what.target)
        case "absorbed":
            return _absorbed(state, what, terms)
        case _:
            return state


def _begun(state: CaseState, terms: Terms, at: datetime, why: clockwork.Since, targets: Sequence[Target]) -> CaseState:
    """The state with a clock for each of the targets that has a limit, counted from `at`."""
    for target in targets:
        promise = clockwork.promised(terms, target, at, why)
        if promise is not None:
            state = _with(state, terms, target, [promise], at)
    return state


def _with(state: CaseState, terms: Terms, target: Target, promises: Sequence[Promise], at: datetime) -> CaseState:
    """The state with a new clock. Update clocks are counted by themselves: each news ends one and begins the next."""
    used = [clock.cycle for clock in state.clocks if clock.target == target]
    cycle = state.cycle
    if target == "update":
        cycle = max(used, default=0) + 1
    elif cycle in used:
        cycle += 1
        state = replace(state, cycle=cycle)
    clock = clockwork.started(terms, target, promises, round=state.round, cycle=cycle, at=at)
    return replace(state, clocks=(*state.clocks, clock))


def _stopped(state: CaseState, target: Target, at: datetime) -> CaseState:
    clocks = [clockwork.stopped(clock, at, state.hands) if clock.target == target else clock for clock in state.clocks]
    return replace(state, clocks=tuple(clocks))


def _told(state: CaseState, terms: Terms, at: datetime) -> CaseState:
    """News reached the citizen: the update clock that ran is stopped, and the next one begins."""
    if not any(clock.target == "update" and clock.state == "running" for clock in state.clocks):
        return state
    return _begun(_stopped(state, "update", at), terms, at, "news", ("update",))


def _went_on(state: CaseState, terms: Terms, at: datetime) -> CaseState:
    begun = state.held_at if state.held_at is not None else at
    clocks = tuple(clockwork.resumed(clock, begun, at, terms) for clock in state.clocks)
    return replace(state, clocks=clocks, waits=(*state.waits, (begun, at)), held_at=None, hold_until=None)


def _ended(state: CaseState, at: datetime) -> CaseState:
    return replace(state, clocks=tuple(clockwork.ended(clock, at, state.hands) for clock in state.clocks))


def _reopened(state: CaseState, terms: Terms, at: datetime) -> CaseState:
    """A new round. It decides about the first response when none before it saw an answer or a missed limit."""
    undecided = state.first_response_at is None and not any(
        clock.target == "first_response" and clock.state == "breached" for clock in state.clocks
    )
    state = replace(
        state, cycle=state.cycle + 1, round=state.round + 1, round_at=at, waits=(), held_at=None, answered=False
    )
    if undecided:
        state = replace(state, deciding_cycle=state.cycle, counted_from=at)
    return _begun(state, terms, at, "reopened", TARGETS)


def _raised(state: CaseState, terms: Terms, at: datetime) -> CaseState:
    """Danger was found: the urgent limits count from now, but nothing is ever due later than it was. An answer that was
    given before the danger was known does not settle it."""
    terms = replace(terms, priority="urgent")
    missing = [target for target in TARGETS if _is_missing(state, target)]
    if state.answered and not any(clock.target == "first_response" and clock.is_live for clock in state.clocks):
        state = replace(state, cycle=state.cycle + 1)
        missing.insert(0, "first_response")
    state = _each_live(replace(state, priority="urgent"), lambda clock: clockwork.raised(clock, at, terms))
    return _begun(state, terms, at, "raised", missing)


def _changed(state: CaseState, what: Happening, terms: Terms) -> CaseState:
    """Another department, kind or priority: the limits that fit count from where each was counted before, so what has
    passed has passed. A limit that was missed stays missed; a target that had none counts from the round's start."""
    state = replace(
        state,
        kind=what.kind or state.kind,
        department=what.department or state.department,
        priority=what.priority or state.priority,
    )
    if state.department != state.hands[-1][1]:
        state = replace(state, hands=(*state.hands, (what.at, state.department)))
    terms = replace(terms, kind=state.kind, department=state.department, priority=state.priority)
    return _put_on(state, what.at, terms, missed=False)


def _recomputed(state: CaseState, what: Happening, terms: Terms) -> CaseState:
    """By the city's decision, so also what was missed is computed anew."""
    match what.why:
        case "calendar":
            return _each_live(state, lambda clock: clockwork.recalculated(clock, terms))
        case "policy":
            return _put_on(state, what.at, terms, missed=True)
        case None:
            raise ValueError("a recomputation says why")
    assert_never(what.why)


def _put_on(state: CaseState, at: datetime, terms: Terms, *, missed: bool) -> CaseState:
    """The live clocks under the limits in force, without those that were missed unless `missed`; and a clock for each
    target that has a limit now and had none."""

    def chosen(clock: Clock) -> Clock:
        if clock.missed(at) and not missed:
            return clock
        found = clockwork.rechosen(clock, terms)
        if found is not None:
            return found
        held_at = state.held_at
        running = clockwork.resumed(clock, held_at, at, terms) if held_at is not None else clock
        return clockwork.ended(running, at, state.hands)

    state = _each_live(state, chosen)
    for target in TARGETS:
        if not _is_missing(state, target):
            continue
        # One that lost its limit in this round runs on under the new one.
        lost = _newest(state, target)
        since, why = (lost.started_at, lost.why) if lost is not None else (state.round_at, _why(state))
        waits = [(max(begin, since), end) for begin, end in state.waits if end > since]
        promise = clockwork.promised(terms, target, since, why, waits)
        if promise is None:
            continue
        if lost is None:
            state = _with(state, terms, target, [promise], since)
            lost = state.clocks[-1]
        again = clockwork.under(replace(lost, state="running", stopped_at=None), [promise], terms)
        again = clockwork.standing(again, state.held_at)
        state = replace(state, clocks=tuple(again if clock is lost else clock for clock in state.clocks))
    return state


def _why(state: CaseState) -> clockwork.Since:
    return "opened" if state.round == 1 else "reopened"


def _newest(state: CaseState, target: Target) -> Clock | None:
    found = [clock for clock in state.clocks if clock.target == target and clock.round == state.round]
    return found[-1] if found else None


def _is_missing(state: CaseState, target: Target) -> bool:
    """Whether nothing of this round says that the target is reached, or by when."""
    if target == "first_response" and state.answered:
        return False
    newest = _newest(state, target)
    return newest is None or newest.state == "cancelled"


def _absorbed(state: CaseState, what: Happening, terms: Terms) -> CaseState:
    """What was promised to a duplicate's citizen goes on here, unless it was missed there; what this case has missed
    itself stays missed."""
    for other in what.clocks:
        if not other.is_live or other.missed(what.at):
            continue
        mine = next((clock for clock in state.clocks if clock.target == other.target and clock.is_live), None)
        promises = clockwork.taken_over(other)
        if mine is None:
            state = _with(state, terms, other.target, promises, what.at)
        elif not mine.missed(what.at):
            more = clockwork.under(mine, [*mine.promises, *promises], terms)
            state = replace(state, clocks=tuple(more if clock is mine else clock for clock in state.clocks))
    return state


def _each_live(state: CaseState, change: Callable[[Clock], Clock], target: Target | None = None) -> CaseState:
    """The state with its live clocks (of a target) changed, standing still or running as the case waits or not."""
    clocks = [
        clockwork.standing(change(clock), state.held_at) if clock.is_live and target in (None, clock.target) else clock
        for clock in state.clocks
    ]
    return replace(state, clocks=tuple(clocks))
