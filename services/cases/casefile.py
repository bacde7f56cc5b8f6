"""A case as one object: its row, its clocks and its log, loaded once and changed by appending events.

    file = casefile.lock(uow, case_no)
    file.append("transferred", actor="li", now=now, text=reason, secrets=secrets, department="市民政局")

An event is refused where it does not fit the status. What it does to the case is decided by `life`; here it is written
down: the events (also the end of a wait that comes with it), the audit rows, the row, the clocks, and before all that
the levels whose moment had passed by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from services.cases import alarms, clockrows, life, repository
from services.cases import log as case_log
from services.cases.clockwork import Clock, Hands, Terms
from services.cases.events import CaseNews
from services.cases.life import CaseState, Happening
from services.cases.models import OPEN_STATUSES, Case, CaseClock, CaseEvent
from services.cases.states import EventType
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.sla import service as sla
from services.sla.policies import Kind, Policy, Priority
from services.understanding.case_states import Status

log = structlog.get_logger(__name__)

Changes = list[dict[str, Any]]
# The events that say which limits they moved, and from when to when.
TELLING: tuple[EventType, ...] = ("raised", "reclassified", "recomputed", "transferred", "returned")


class CaseFile:
    """One locked (or new) case. `row` may be changed directly where no event decides it: assignee, title, rating."""

    def __init__(
        self,
        uow: UnitOfWork,
        row: Case,
        clocks: Sequence[CaseClock] = (),
        events: Sequence[CaseEvent] = (),
        alerts: Mapping[int, Mapping[str, datetime]] | None = None,
    ) -> None:
        self.row = row
        self.events = list(events)
        self._uow = uow
        self._rows = {(clock.target, clock.cycle): clock for clock in clocks}
        self._alerts = {clock_id: dict(levels) for clock_id, levels in (alerts or {}).items()}
        self._known: _City | None = None
        self._state: CaseState | None = None

    @property
    def is_open(self) -> bool:
        return self.row.status in OPEN_STATUSES

    @property
    def clock_rows(self) -> list[CaseClock]:
        """In the order of their cycles."""
        return sorted(self._rows.values(), key=lambda clock: (clock.cycle, clock.target))

    @property
    def state(self) -> CaseState:
        """The case as a value."""
        if self._state is None:
            self._state = _state_of(self.row, self.events, self._clocks())
        return self._state

    def last(self, *types: EventType, actor: str | None = None) -> CaseEvent | None:
        """The newest event of these types, by anybody or by `actor`."""
        found = (event for event in reversed(self.events) if event.type in types and actor in (None, event.actor))
        return next(found, None)

    def clock_row(self, clock: Clock) -> CaseClock:
        return self._rows[clock.target, clock.cycle]

    def append(
        self,
        event: EventType,
        *,
        actor: str,
        now: datetime,
        text: str | None = None,
        secrets: Secrets | None = None,
        data: dict[str, Any] | None = None,
        **change: Any,
    ) -> CaseEvent:
        """Append an event with what follows from it; `change` are the fields of `life.Happening` that it sets.

        `text` needs `secrets`; `data` is stored as it is and must hold no personal data. Raises Conflict when the event
        does not fit the status.
        """
        for step in life.steps(self.state, Happening(event, now, **change)):
            if step.event == "resumed" and step.at != now:
                waited: dict[str, Any] = {"waited_until": step.at.isoformat()}
                row = self._step(step, actor, now, None, None, waited)
            elif step.event == event:
                row = self._step(step, actor, now, text, secrets, data)
            else:
                row = self._step(step, actor, now, None, None, None)
        return row

    def recompute(self, why: life.Why, now: datetime) -> Changes:
        """Compute the live clocks anew; appends an event when one changed, and returns what did."""
        before = self.state
        after = life.after(before, Happening("recomputed", now, why=why), self.terms())
        changes = _changes(before.clocks, after.clocks)
        if changes:
            self.append("recomputed", actor="system", now=now, data={"why": why}, why=why)
        else:
            self._take(after)
        return changes

    def raise_due(self, now: datetime, *, skip_warning: bool = False) -> None:
        """Raise the levels of the running clocks whose moment has passed."""
        for clock in self.clock_rows:
            if clock.state == "running":
                alarms.raise_levels(
                    self._uow,
                    self.row,
                    clock,
                    now,
                    before=self._alerts.setdefault(clock.id, {}),
                    hands=self.state.hands,
                    skip_warning=skip_warning,
                    append=self._level,
                )

    def promised(self, now: datetime) -> tuple[Clock, ...]:
        """The clocks that another case takes over when this one is merged into it, a wait of it ended."""
        state = self.state
        for step in life.steps(state, Happening("merged", now)):
            if step.event == "resumed":
                state = life.after(state, step, self.terms())
        return state.clocks

    def tell(self, news: CaseNews) -> None:
        """Tell the citizen of the case, and those of the cases that were merged into it under their own numbers."""
        self._uow.collect(news)
        for number, conversation_id in repository.merged_cases(
            self._uow.session, self.row.case_no, confidential=self.row.confidential
        ):
            self._uow.collect(replace(news, case_no=number, conversation_id=conversation_id, through=self.row.case_no))

    def elapsed(self, now: datetime) -> tuple[float, float | None]:
        """Minutes from where this case is counted to `now`, by the wall clock, and in working time where there is a
        calendar."""
        calendars = self.calendars
        working = calendars.office.minutes_between(self.row.counted_from, now) if calendars is not None else None
        return (now - self.row.counted_from) / timedelta(minutes=1), working

    @property
    def calendars(self) -> sla.Calendars | None:
        """The city's, None without one."""
        return self._city().calendars

    def _city(self) -> "_City":
        if self._known is None:
            self._known = _City(self._uow)
        return self._known

    def terms(self, clocks: Sequence[Clock] = ()) -> Terms:
        """What the limits of this case (and of `clocks` of another) go by."""
        city = self._city()
        named = {promise.policy_id for clock in (*self.state.clocks, *clocks) for promise in clock.promises}
        return Terms(
            kind=cast(Kind, self.row.kind),
            department=self.row.department,
            priority=cast(Priority, self.row.priority),
            channel=self.row.channel,
            current=city.policies,
            stored=city.stored(named),
            calendars=city.calendars,
        )

    def _step(
        self,
        step: Happening,
        actor: str,
        now: datetime,
        text: str | None,
        secrets: Secrets | None,
        data: dict[str, Any] | None,
    ) -> CaseEvent:
        before = self.state
        moves_clocks = life.moves_clocks(step.event)
        # What was missed before an event stays missed; only the city itself takes it back, by its calendar or policies.
        if moves_clocks and step.event != "recomputed":
            self.raise_due(step.at, skip_warning=True)
        after = life.after(before, step, self.terms(step.clocks) if moves_clocks else NO_TERMS)
        changes = _changes(before.clocks, after.clocks) if step.event in TELLING else []
        if changes:
            data = {**(data or {}), "clocks": changes}
        row = case_log.append(
            self._uow, self.row, step.event, actor=actor, now=now, text=text, secrets=secrets, data=data
        )
        self.events.append(row)
        self._take(after)
        return row

    def _level(self, event: EventType, now: datetime, data: dict[str, Any]) -> None:
        self.events.append(case_log.append(self._uow, self.row, event, actor="system", now=now, data=data))

    def _clocks(self) -> tuple[Clock, ...]:
        rows = sorted(self._rows.values(), key=lambda row: row.id)
        if not rows:
            return ()
        named = {policy_id for row in rows for policy_id in clockrows.named(row)}
        return clockrows.clocks_of(rows, self._city().stored(named))

    def _take(self, state: CaseState) -> None:
        """Write the state into the rows."""
        row, before = self.row, self._state
        self._state = state
        row.kind, row.department, row.priority = state.kind, state.department, state.priority
        row.cycle, row.reopened_count = state.cycle, state.round - 1
        row.deciding_cycle, row.counted_from = state.deciding_cycle, state.counted_from
        row.hold_until, row.next_due_at = state.hold_until, state.next_due_at
        old = before.clocks if before is not None else ()
        for clock in state.clocks:
            if any(clock is same for same in old):
                continue
            found = self._rows.get((clock.target, clock.cycle))
            if found is None:
                found = self._rows[clock.target, clock.cycle] = CaseClock(case_id=row.id)
                clockrows.write(found, clock)
                self._uow.session.add(found)
                self._uow.session.flush()
            else:
                clockrows.write(found, clock)
            alarms.plan_next_check(row, found, self._alerts.setdefault(found.id, {}))


class _City:
    """The policies and calendars that a case goes by, each loaded once."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._stored: dict[int, Policy] = {}
        found = sla.find_policies(uow)
        self.policies = found.rows if found is not None else ()
        self.calendars = calendars_or_none(uow)
        if found is None:
            log.warning("no time-limit policy, cases run without a clock")

    def stored(self, ids: set[int]) -> Mapping[int, Policy]:
        current = {row.id: row for row in self.policies if row.id is not None}
        missing = {policy_id for policy_id in ids if policy_id not in current and policy_id not in self._stored}
        if missing:
            self._stored |= sla.policies_by_id(self._uow, missing)
        return {**self._stored, **current}


NO_TERMS = Terms("consultation", sla.UNASSIGNED, "normal", "", (), {}, None)


def calendars_or_none(uow: UnitOfWork) -> sla.Calendars | None:
    try:
        return sla.load_calendars(uow)
    except Conflict:
        return None


def lock(uow: UnitOfWork, case_no: str) -> CaseFile | None:
    """The case as it is now, its row locked until the end of the transaction."""
    row = repository.lock_case(uow.session, case_no)
    return load(uow, [row])[0] if row is not None else None


def lock_open(uow: UnitOfWork, conversation_id: str) -> CaseFile | None:
    """The open case of a conversation, locked."""
    row = repository.lock_open_case_of(uow.session, conversation_id)
    return load(uow, [row])[0] if row is not None else None


def load(uow: UnitOfWork, rows: Sequence[Case]) -> list[CaseFile]:
    """The files of rows that are locked, in their order; three queries for all of them."""
    ids = [row.id for row in rows]
    clocks = repository.clocks_of(uow.session, ids)
    events = repository.events_of_all(uow.session, ids)
    raised = repository.raised_levels_of(uow.session, [clock.id for clock in clocks])
    return [
        CaseFile(
            uow,
            row,
            [clock for clock in clocks if clock.case_id == row.id],
            [event for event in events if event.case_id == row.id],
            raised,
        )
        for row in rows
    ]


def hands_of_all(uow: UnitOfWork, rows: Sequence[Case]) -> dict[int, Hands]:
    """Who had each of the cases in hand from when on, by case id; one query."""
    moves = repository.moves_of(uow.session, [row.id for row in rows])
    return {row.id: _hands(row, [move for move in moves if move.case_id == row.id]) for row in rows}


def _hands(row: Case, events: Sequence[CaseEvent]) -> tuple[tuple[datetime, str], ...]:
    moves = [(event.at, *move) for event in events if (move := _move(event)) is not None]
    first = moves[0][1] if moves else row.department
    return ((row.created_at, first), *((at, into) for at, _, into in moves))


def _state_of(row: Case, events: Sequence[CaseEvent], clocks: tuple[Clock, ...]) -> CaseState:
    """What the rows say. Waits, and whether the round saw an answer, follow from the log."""
    waits: list[tuple[datetime, datetime]] = []
    held_at: datetime | None = None
    answered, round_at = False, row.created_at
    for event in events:
        match event.type:
            case "opened" | "reopened":
                waits, held_at, answered, round_at = [], None, False, event.at
            case "replied":
                answered = True
            case "held":
                held_at = event.at
            case "resumed" if held_at is not None:
                until = event.data.get("waited_until")
                waits.append((held_at, datetime.fromisoformat(until) if until else event.at))
                held_at = None
    return CaseState(
        status=cast(Status, row.status) if events else None,
        kind=cast(Kind, row.kind),
        department=row.department,
        priority=cast(Priority, row.priority),
        channel=row.channel,
        hands=_hands(row, events),
        clocks=clocks,
        cycle=row.cycle,
        round=row.reopened_count + 1,
        round_at=round_at,
        deciding_cycle=row.deciding_cycle,
        counted_from=row.counted_from,
        waits=tuple(waits),
        held_at=held_at if row.status == "waiting" else None,
        hold_until=row.hold_until,
        answered=answered,
        first_response_at=row.first_response_at,
    )


def _move(event: CaseEvent) -> tuple[str, str] | None:
    """From which department to which an event moved the case."""
    match event.type:
        case "transferred" | "returned":
            return str(event.data["from"]), str(event.data["to"])
        case "reclassified" if "department" in event.data:
            return event.data["department"][0], event.data["department"][1]
        case _:
            return None


def _changes(before: Sequence[Clock], after: Sequence[Clock]) -> Changes:
    """What became of the clocks that were there before, for the event that tells of it."""
    now = {(clock.target, clock.cycle): clock for clock in after}
    found: Changes = []
    for old in before:
        new = now[old.target, old.cycle]
        gone = new.state == "cancelled" != old.state
        if not gone and (new.policy.name, new.plan.due_at) == (old.policy.name, old.plan.due_at):
            continue
        found.append(
            {
                "target": old.target,
                "policy_before": old.policy.name,
                "policy": None if gone else new.policy.name,
                "due_before": old.plan.due_at.isoformat(),
                "due": None if gone else new.plan.due_at.isoformat(),
            }
        )
    return found
