"""Random histories of cases, and a slow oracle that replays their events slot by slot.

The oracle is written from docs/time-limits.md and shares no rule with `services.cases.life`: a limit is a budget of
slots of half an hour that is used up one by one, in open time where the limit runs in working time, and never while the
citizen is waited for. Every moment of a history lies on the half hour.
"""

import contextlib
import random
import time
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.cases import life
from services.cases.clockwork import Terms
from services.cases.life import CaseState, Happening
from services.cases.states import OPEN, next_status
from services.core.clock import SHANGHAI
from services.core.errors import Conflict
from services.sla import service as sla
from services.sla.calendar import DayOverride, Span, WorkingCalendar
from services.sla.policies import TARGETS, Limit, Policy, specificity
from tests.soak.findings import Findings

if TYPE_CHECKING:
    from tests.soak.parts import Soak

AT_ONCE = 10_000
SLOT = timedelta(minutes=30)
PER_DAY = 48
FIRST_DAY = date(2026, 9, 14)
ORIGIN = datetime(2026, 9, 14, tzinfo=SHANGHAI)
DAYS = 400
OFFICE = (Span(9 * 60, 12 * 60), Span(13 * 60 + 30, 17 * 60))
SHIFT = (Span(8 * 60, 24 * 60),)
KINDS = ("consultation", "help", "complaint", "suggestion", "urgent")
PLACES = ("甲局", "乙局", "丙局")
OPEN_DAY = [any(span.start <= slot * 30 < span.end for span in OFFICE) for slot in range(PER_DAY)]
SHIFT_DAY = [any(span.start <= slot * 30 < span.end for span in SHIFT) for slot in range(PER_DAY)]
CLOSED_DAY = [False] * PER_DAY
# Beyond these a history ends: limits reach far ahead of the last event.
LAST_SLOT = (DAYS - 120) * PER_DAY


def moment(slot: int) -> datetime:
    return ORIGIN + SLOT * slot


@dataclass
class World:
    """The city: its days that differ from the week, and its policies in the present version."""

    random: random.Random
    changed: dict[int, bool] = field(default_factory=dict)
    version: int = 1
    policies: tuple[Policy, ...] = ()
    every: dict[int, Policy] = field(default_factory=dict)
    open_slots: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.new_policies()
        self.new_day(None)

    def new_policies(self) -> None:
        draw = self.random
        rows = [self._row("first_response", kind=None), self._row("first_response", priority="urgent")]
        for target in TARGETS:
            for kind in draw.sample(KINDS[:4], draw.randint(0, 2)):
                rows.append(self._row(target, kind=kind))
            if draw.random() < 0.4:
                rows.append(self._row(target, department=draw.choice(PLACES)))
            if target != "first_response" and draw.random() < 0.4:
                rows.append(self._row(target, priority="urgent"))
        made = [replace(row, id=len(self.every) + number) for number, row in enumerate(rows, start=1)]
        self.every |= {row.id: row for row in made if row.id is not None}
        self.policies = tuple(made)

    def _row(self, target: Any, **conditions: Any) -> Policy:
        draw = self.random
        unit = draw.choice(("minutes", "working_minutes", "working_days"))
        amount = draw.randint(1, 5) if unit == "working_days" else 30 * draw.randint(1, 40)
        shift = "shift" if draw.random() < 0.15 else None
        return Policy(target, Limit(amount, unit), "s", name=f"p{len(self.every)}", calendar=shift, **conditions)

    def new_day(self, day: int | None) -> None:
        """A day of the city's calendar becomes closed or open."""
        if day is not None:
            self.changed[day] = not self.is_open(day)
            self.version += 1
        overrides = {FIRST_DAY + timedelta(days=day): DayOverride(works) for day, works in self.changed.items()}
        office = WorkingCalendar(OFFICE, overrides, announced=lambda day: day.weekday() < 5)
        self.calendars = sla.Calendars(self.version, office, {"shift": WorkingCalendar(SHIFT, every_day=True)})
        self.open_slots = [slot for day in range(DAYS) for slot in (OPEN_DAY if self.is_open(day) else CLOSED_DAY)]

    def is_open(self, day: int) -> bool:
        return self.changed.get(day, (FIRST_DAY + timedelta(days=day)).weekday() < 5)

    def counts(self, slot: int, shift: str | None) -> bool:
        return SHIFT_DAY[slot % PER_DAY] if shift else self.open_slots[slot]

    def terms(self, state: CaseState) -> Terms:
        return Terms(
            state.kind, state.department, state.priority, state.channel, self.policies, self.every, self.calendars
        )

    def choose(self, target: str, kind: str, department: str, priority: str) -> Policy | None:
        """The row that names the most, the weightier conditions first."""
        fitting = [
            row
            for row in self.policies
            if row.target == target
            and row.kind in (None, kind)
            and row.department in (None, department)
            and row.priority in (None, priority)
        ]
        return max(fitting, key=specificity, default=None)


@dataclass
class Vow:
    """A limit of the oracle; `own` are waits of a duplicate before it was merged, `days` extensions."""

    policy: Policy
    since: int
    why: str
    days: list[int] = field(default_factory=list)
    own: list[tuple[int, int]] = field(default_factory=list)
    joined: int = 0


@dataclass
class Watch:
    """A clock of the oracle."""

    target: str
    round: int
    cycle: int
    vows: list[Vow]
    begun: int
    end: str | None = None
    ended: int = 0
    department: str | None = None


@dataclass
class Oracle:
    """One case, as its events tell it. Slots are whole numbers."""

    world: World
    kind: str
    department: str
    priority: str
    opened: int
    round: int = 1
    cycle: int = 1
    deciding: int = 1
    counted: int = 0
    round_at: int = 0
    status: str = "new"
    answered_ever: bool = False
    answered: bool = False
    waits: list[tuple[int, int]] = field(default_factory=list)
    held: int | None = None
    until: int = 0
    hands: list[tuple[int, str]] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    # Due moments stand until something computes them anew; a change of the city's calendar alone does not.
    known: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counted = self.round_at = self.opened
        self.hands = [(self.opened, self.department)]
        for target in TARGETS:
            self._begin(target, self.opened, "opened", self.opened)

    # What the events do.

    def replied(self, at: int) -> None:
        self._wait_over(at)
        self._reach("first_response", at)
        self._news(at)
        self.answered = self.answered_ever = True

    def held_up(self, at: int, until: int) -> None:
        self._news(at)
        self.held, self.until = at, until

    def resumed(self, at: int) -> None:
        self._wait_over(at)

    def resolved(self, at: int) -> None:
        self._wait_over(at)
        self._reach("resolution", at)
        self._finish(at)

    def finished(self, at: int) -> None:
        self._wait_over(at)
        self._finish(at)

    def reopened(self, at: int) -> None:
        missed = any(watch.end == "breached" for watch in self._all("first_response"))
        self.round, self.cycle, self.round_at = self.round + 1, self.cycle + 1, at
        self.answered = False
        if not self.answered_ever and not missed:
            self.deciding, self.counted = self.cycle, at
        for target in TARGETS:
            self._begin(target, at, "reopened", at)

    def raised(self, at: int) -> None:
        self._wait_over(at)
        self.priority = "urgent"
        missing = [target for target in TARGETS if self._lacks(target)]
        fresh = self.answered and not self._live("first_response")
        for watch in self._running(at):
            row = self._row(watch.target, "urgent")
            if row is not None:
                watch.vows.append(Vow(row, at, "raised", joined=at))
                self._compute(watch)
        if fresh:
            self.cycle += 1
            missing.insert(0, "first_response")
        for target in missing:
            self._begin(target, at, "raised", at)

    def changed(self, at: int, kind: str | None, department: str | None, priority: str | None, ends_wait: bool) -> None:
        if ends_wait:
            self._wait_over(at)
        self.kind, self.priority = kind or self.kind, priority or self.priority
        if department is not None and department != self.department:
            self.department = department
            self.hands.append((at, department))
        self._choose_again(at, also_missed=False)

    def policies(self, at: int) -> None:
        self._choose_again(at, also_missed=True)

    def calendar(self) -> None:
        for watch in self.watches:
            if watch.end is None:
                self._compute(watch)

    def extended(self, target: str, days: int) -> None:
        for watch in self._live(target):
            for vow in watch.vows:
                vow.days.append(days)
            self._compute(watch)

    def absorbed(self, at: int, other: "Oracle") -> None:
        """`other` is the duplicate just before it ends, its wait over."""
        self._wait_over(at)
        for watch in other.watches:
            if watch.end is not None or other.due(watch) < at:
                continue
            vows = [Vow(vow.policy, vow.since, "merged", list(vow.days), other.waits_of(vow), at) for vow in watch.vows]
            mine = self._live(watch.target)
            if not mine:
                self._add(watch.target, vows, at)
            elif self.due(mine[0]) >= at:
                mine[0].vows += vows
                self._compute(mine[0])

    # What is shown.

    def due(self, watch: Watch) -> int:
        return self.known[id(watch)]

    def state(self, watch: Watch) -> str:
        if watch.end is not None:
            return watch.end
        return "paused" if self.held is not None and self.due(watch) >= self.held else "running"

    def in_hand(self, slot: int) -> str:
        return [place for since, place in self.hands if since <= max(slot, self.opened)][-1]

    def rows(self) -> list[tuple[Any, ...]]:
        return [
            (
                watch.target,
                watch.round,
                watch.cycle,
                self.state(watch),
                moment(self.due(watch)),
                moment(watch.ended) if watch.end is not None else None,
                watch.department,
            )
            for watch in self.watches
        ]

    def waits_of(self, vow: Vow) -> list[tuple[int, int]]:
        found = [*vow.own, *(wait for wait in self.waits if wait[1] > max(vow.since, vow.joined))]
        return [(max(begin, vow.since, vow.joined if (begin, end) not in vow.own else 0), end) for begin, end in found]

    # How.

    def _wait_over(self, at: int) -> None:
        if self.held is None:
            return
        wait = (self.held, min(at, self.until))
        paused = [watch for watch in self.watches if self.state(watch) == "paused"]
        self.held = None
        if wait[1] > wait[0]:
            self.waits.append(wait)
        for watch in paused:
            self._compute(watch)

    def _reach(self, target: str, at: int) -> None:
        for watch in self._live(target):
            self._stop(watch, "breached" if self.due(watch) < at else "met", at)

    def _finish(self, at: int) -> None:
        for watch in self.watches:
            if watch.end is None:
                self._stop(watch, "breached" if self.due(watch) < at else "cancelled", at)

    def _stop(self, watch: Watch, how: str, at: int) -> None:
        watch.end, watch.ended = how, at
        if how != "cancelled":
            watch.department = self.in_hand(at if how == "met" else self.due(watch))

    def _news(self, at: int) -> None:
        if self._live("update"):
            self._reach("update", at)
            self._begin("update", at, "news", at)

    def _all(self, target: str) -> list[Watch]:
        return [watch for watch in self.watches if watch.target == target]

    def _live(self, target: str) -> list[Watch]:
        return [watch for watch in self._all(target) if watch.end is None]

    def _running(self, at: int) -> list[Watch]:
        return [watch for watch in self.watches if watch.end is None and self.due(watch) >= at]

    def _lacks(self, target: str) -> bool:
        mine = [watch for watch in self._all(target) if watch.round == self.round]
        return not (target == "first_response" and self.answered) and (not mine or mine[-1].end == "cancelled")

    def _row(self, target: str, priority: str) -> Policy | None:
        priority = "urgent" if self.kind == "urgent" else priority
        return self.world.choose(target, self.kind, self.department, priority)

    def _begin(self, target: str, since: int, why: str, at: int) -> None:
        row = self._row(target, self.priority)
        if row is not None:
            self._add(target, [Vow(row, since, why)], at)

    def _add(self, target: str, vows: list[Vow], at: int) -> Watch:
        used = [watch.cycle for watch in self._all(target)]
        cycle = self.cycle
        if target == "update":
            cycle = max(used, default=0) + 1
        elif cycle in used:
            self.cycle = cycle = cycle + 1
        watch = Watch(target, self.round, cycle, vows, at)
        self.watches.append(watch)
        self._compute(watch)
        return watch

    def _choose_again(self, at: int, *, also_missed: bool) -> None:
        for watch in [watch for watch in self.watches if watch.end is None]:
            if self.state(watch) == "running" and self.due(watch) < at and not also_missed:
                continue
            self._vow_again(watch, at)
        for target in TARGETS:
            row = self._row(target, self.priority)
            if row is None or not self._lacks(target):
                continue
            mine = [watch for watch in self._all(target) if watch.round == self.round]
            if mine:
                watch = mine[-1]
                watch.end, watch.vows = None, [Vow(row, watch.begun, watch.vows[0].why)]
                self._compute(watch)
            else:
                why = "opened" if self.round == 1 else "reopened"
                self._add(target, [Vow(row, self.round_at, why)], self.round_at)

    def _vow_again(self, watch: Watch, at: int) -> None:
        urgent = self.priority == "urgent"
        danger = any(vow.why == "raised" for vow in watch.vows)
        kept = []
        for vow in watch.vows:
            if vow.why == "raised" and not urgent and len(watch.vows) > 1:
                continue
            if vow.why != "merged":
                as_urgent = urgent and (vow.why == "raised" or not danger)
                if self.kind != "urgent" or as_urgent:
                    row = self._row(watch.target, "urgent" if as_urgent else "normal")
                    if row is None:
                        continue
                    vow.policy = row
            kept.append(vow)
        if kept:
            watch.vows = kept
            self._compute(watch)
            return
        # Its limit is gone: as the case stands now, with the wait up to now.
        held, waits = self.held, list(self.waits)
        if self.state(watch) == "paused" and held is not None:
            self.waits.append((held, at))
            self._compute(watch)
            self.waits = waits
        self._stop(watch, "breached" if self.due(watch) < at else "cancelled", at)

    def _compute(self, watch: Watch) -> None:
        self.known[id(watch)] = min(self._walk(vow) for vow in watch.vows)

    def _walk(self, vow: Vow) -> int:
        """The slot at whose beginning the vow's budget is used up."""
        policy, world = vow.policy, self.world
        end = self._plain(policy.limit, vow.since, policy.calendar)
        for days in vow.days:
            end = self._closing(end, days, policy.calendar)
        by_clock = policy.limit.unit == "minutes"
        left = sum(by_clock or world.counts(slot, policy.calendar) for slot in range(vow.since, end))
        waits, slot = self.waits_of(vow), vow.since
        while left:
            if (by_clock or world.counts(slot, policy.calendar)) and not any(a <= slot < b for a, b in waits):
                left -= 1
            slot += 1
        return slot

    def _plain(self, limit: Limit, since: int, shift: str | None) -> int:
        if limit.unit == "minutes":
            return since + limit.amount // 30
        if limit.unit == "working_days":
            return self._closing(since, limit.amount, shift)
        slot, left = since, limit.amount // 30
        while left:
            left -= self.world.counts(slot, shift)
            slot += 1
        return slot

    def _closing(self, since: int, days: int, shift: str | None) -> int:
        # A moment at midnight already belongs to the day that begins.
        day = since // PER_DAY
        while days:
            day += 1
            days -= any(self.world.counts(day * PER_DAY + slot, shift) for slot in range(PER_DAY))
        last = max(slot for slot in range(PER_DAY) if self.world.counts(day * PER_DAY + slot, shift))
        return day * PER_DAY + last + 1


@dataclass
class Pair:
    """A case twice: as the product sees it and as the oracle does."""

    state: CaseState
    oracle: Oracle
    events: list[str] = field(default_factory=list)

    def differences(self) -> list[str]:
        product = [
            (c.target, c.round, c.cycle, c.state, c.plan.due_at, c.stopped_at, c.department) for c in self.state.clocks
        ]
        found = [
            f"{mine} != {other}" for mine, other in zip(product, self.oracle.rows(), strict=False) if mine != other
        ]
        if len(product) != len(self.oracle.watches):
            found.append(f"{len(product)} clocks, not {len(self.oracle.watches)}")
        mine = (self.state.deciding_cycle, self.state.counted_from, self.state.cycle, self.state.hands[-1][1])
        other = (self.oracle.deciding, moment(self.oracle.counted), self.oracle.cycle, self.oracle.department)
        return found + ([f"{mine} != {other}"] if mine != other else [])


def soak_histories(the: "Soak") -> Findings:
    """Histories for as long as the part lasts; `cases` counts them, `acts` their events."""
    began = time.monotonic()
    seed = the.random.randrange(1_000_000)
    print(f"histories: events of seed {seed}", flush=True)
    findings = Findings("histories")
    while time.monotonic() - began < the.seconds and not findings.wrong:
        played = play(seed, AT_ONCE)
        findings.cases += played.histories
        findings.acts += played.events
        findings.wrong += played.differences
        seed += 1
    findings.seconds = time.monotonic() - began
    return findings


@dataclass
class Played:
    """`counts` are the events that were driven, by their type."""

    histories: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        return sum(self.counts.values())


def play(seed: int, events: int) -> Played:
    """Histories of some thirty events each, of two cases side by side, until `events` have happened; stops at the first
    that product and oracle see differently."""
    played, number = Played(), 0
    while played.events < events and not played.differences:
        number += 1
        _History(random.Random(seed * 1_000_003 + number), played).run()
    return played


class _History:
    def __init__(self, draw: random.Random, played: Played) -> None:
        self.draw, self.played = draw, played
        self.world = World(draw)
        self.slot = draw.randrange(0, 20 * PER_DAY)
        self.pairs: list[Pair] = []
        played.histories += 1

    def run(self) -> None:
        for _ in range(2):
            self._open()
        for _ in range(self.draw.randint(10, 50)):
            self.slot += self.draw.choice((0, 1, 2, 5, 20, 48, 100, 300))
            if self.slot > LAST_SLOT or self.played.differences:
                return
            self._something()
            for pair in self.pairs:
                found = pair.differences()
                if found:
                    told = ", ".join(pair.events)
                    self.played.differences.append(f"history {self.played.histories}: {told}: {'; '.join(found)}")

    def _open(self) -> None:
        draw = self.draw
        kind, place = draw.choice(KINDS), draw.choice(PLACES)
        priority = "urgent" if kind == "urgent" or draw.random() < 0.1 else "normal"
        at = moment(self.slot)
        state = CaseState(
            None, kind, place, priority, "web", ((at, place),), (), cycle=1, round=1, round_at=at, deciding_cycle=1,
            counted_from=at,
        )  # type: ignore[arg-type]  # fmt: skip
        state = life.after(state, Happening("opened", at), self.world.terms(state))
        self.pairs.append(Pair(state, Oracle(self.world, kind, place, priority, self.slot), [f"opened {self.slot}"]))
        self._count("opened")

    def _count(self, event: str) -> None:
        self.played.counts[event] = self.played.counts.get(event, 0) + 1

    def _something(self) -> None:
        draw = self.draw
        if draw.random() < 0.08:
            self._city_changes()
            return
        pair = draw.choice(self.pairs)
        acts = [
            (5, self._reply), (8, self._hold), (5, self._resume), (3, self._raise), (3, self._transfer),
            (4, self._reclassify), (4, self._extend), (2, self._resolve), (2, self._end), (5, self._reopen),
            (2, self._merge), (1, self._note),
        ]  # fmt: skip
        _, act = draw.choices(acts, [weight for weight, _ in acts])[0]
        # What does not fit the status is left.
        with contextlib.suppress(Conflict):
            act(pair)

    def _step(self, pair: Pair, event: Any, **change: Any) -> None:
        what = Happening(event, moment(self.slot), **change)
        for step in life.steps(pair.state, what):
            pair.state = life.after(pair.state, step, self.world.terms(pair.state))
            self._count(step.event)
        pair.events.append(f"{event} {self.slot}")

    def _claim(self, pair: Pair) -> None:
        if pair.state.status in ("new", "transferred"):
            self._step(pair, "claimed")

    def _reply(self, pair: Pair) -> None:
        self._claim(pair)
        self._step(pair, "replied")
        pair.oracle.replied(self.slot)

    def _note(self, pair: Pair) -> None:
        self._step(pair, "noted")

    def _hold(self, pair: Pair) -> None:
        if pair.state.priority == "urgent":
            return
        self._claim(pair)
        until = self.slot + self.draw.choice((1, 10, 100, 500))
        self._step(pair, "held", until=moment(until))
        pair.oracle.held_up(self.slot, until)

    def _resume(self, pair: Pair) -> None:
        self._step(pair, "resumed")
        pair.oracle.resumed(self.slot)

    def _raise(self, pair: Pair) -> None:
        if pair.state.priority == "normal":
            self._step(pair, "raised")
            pair.oracle.raised(self.slot)

    def _transfer(self, pair: Pair) -> None:
        place = self.draw.choice([name for name in PLACES if name != pair.state.department])
        self._step(pair, self.draw.choice(("transferred", "returned")), department=place)
        pair.oracle.changed(self.slot, None, place, None, ends_wait=True)

    def _reclassify(self, pair: Pair) -> None:
        next_status(pair.state.status, "reclassified")
        kind, place = self.draw.choice(KINDS), self.draw.choice(PLACES)
        urgent = kind == "urgent" or (pair.state.priority == "urgent" and self.draw.random() < 0.5)
        if urgent:
            self._raise(pair)
        priority = "urgent" if urgent else "normal"
        self._step(pair, "reclassified", kind=kind, department=place, priority=priority)
        pair.oracle.changed(self.slot, kind, place, priority, ends_wait=False)

    def _extend(self, pair: Pair) -> None:
        live = [clock for clock in pair.state.clocks if clock.is_live and not clock.missed(moment(self.slot))]
        if live and self.draw.choice(live).extensions < 2:
            clock, days = self.draw.choice(live), self.draw.randint(1, 3)
            self._step(pair, "extended", target=clock.target, more=Limit(days, "working_days"))
            pair.oracle.extended(clock.target, days)

    def _resolve(self, pair: Pair) -> None:
        if pair.state.first_response_at is not None:
            self._step(pair, "resolved")
            pair.oracle.resolved(self.slot)

    def _end(self, pair: Pair) -> None:
        was_open = pair.state.status in OPEN
        self._step(pair, self.draw.choice(("withdrawn", "closed")))
        if was_open:
            pair.oracle.finished(self.slot)

    def _reopen(self, pair: Pair) -> None:
        self._step(pair, "reopened")
        pair.oracle.reopened(self.slot)

    def _merge(self, pair: Pair) -> None:
        other = next(one for one in self.pairs if one is not pair)
        next_status(pair.state.status, "merged")
        next_status(other.state.status, "absorbed")
        at = moment(self.slot)
        for step in life.steps(pair.state, Happening("merged", at)):
            if step.event == "merged":
                promised = pair.state.clocks
            pair.state = life.after(pair.state, step, self.world.terms(pair.state))
            self._count(step.event)
        pair.events.append(f"merged {self.slot}")
        self._step(other, "absorbed", clocks=promised)
        pair.oracle.resumed(self.slot)
        other.oracle.absorbed(self.slot, pair.oracle)
        pair.oracle.finished(self.slot)
        if self.draw.random() < 0.7:
            # Somebody else's case comes in its place.
            self.pairs.remove(pair)
            self._open()

    def _city_changes(self) -> None:
        at = moment(self.slot)
        if self.draw.random() < 0.5:
            for _ in range(self.draw.randint(1, 3)):
                self.world.new_day(self.slot // PER_DAY + self.draw.randint(-5, 15))
            why = "calendar"
        else:
            self.world.new_policies()
            why = "policy"
        for pair in self.pairs:
            if pair.state.status in OPEN:
                what = Happening("recomputed", at, why=why)  # type: ignore[arg-type]
                pair.state = life.after(pair.state, what, self.world.terms(pair.state))
                pair.events.append(f"{why} {self.slot}")
                pair.oracle.calendar() if why == "calendar" else pair.oracle.policies(self.slot)
                self._count("recomputed")
