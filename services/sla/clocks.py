"""When a limit is due, when to warn and to escalate, and whether an answer was in time. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.sla.calendar import WorkingCalendar
from services.sla.policies import Limit, Policy, Unit

State = Literal["running", "paused", "met", "breached", "cancelled"]
Level = Literal["warning", "breach", "escalation"]
LEVELS: tuple[Level, ...] = ("warning", "breach", "escalation")
# From when to when a clock stood still.
Pause = tuple[datetime, datetime]


@dataclass(frozen=True)
class Plan:
    """The moments of one clock, all in UTC, in the order warning <= due < escalate."""

    warning_at: datetime
    due_at: datetime
    escalate_at: datetime
    provisional: bool

    def at(self, level: Level) -> datetime:
        match level:
            case "warning":
                return self.warning_at
            case "breach":
                return self.due_at
            case "escalation":
                return self.escalate_at


def due_at(calendar: WorkingCalendar, limit: Limit, start: datetime) -> datetime:
    """When a limit that starts at `start` has been used up, in UTC."""
    match limit.unit:
        case "minutes":
            return start.astimezone(UTC) + timedelta(minutes=limit.amount)
        case "working_minutes":
            return calendar.add_minutes(start, limit.amount)
        case "working_days":
            return calendar.end_of_working_day(start, limit.amount)


def warning_at(calendar: WorkingCalendar, policy: Policy, start: datetime, due: datetime) -> datetime:
    """When `policy.warning_share` of the time from `start` to `due` has passed.

    For working limits only working time counts, so a warning never comes while nobody is there.
    """
    if policy.limit.unit == "minutes":
        return (start + (due - start) * policy.warning_share).astimezone(UTC)
    minutes = calendar.minutes_between(start, due) * policy.warning_share
    return min(due, calendar.add_minutes(start, minutes)) if minutes > 0 else due


def postponed(calendar: WorkingCalendar, unit: Unit, moment: datetime, pauses: Sequence[Pause]) -> datetime:
    """`moment` pushed back by the pauses that began before it, each by its own length in the limit's measure.

    A pause in closed time gives nothing; what was left at the pause is left when it ends, to the minute.
    """
    for start, end in sorted(pauses):
        if start >= moment or end <= start:
            continue
        if unit == "minutes":
            moment += end - start
        else:
            minutes = calendar.minutes_between(start, end)
            moment = calendar.add_minutes(moment, minutes) if minutes > 0 else moment
    return moment.astimezone(UTC)


def plan(
    calendar: WorkingCalendar,
    policy: Policy,
    start: datetime,
    *,
    pauses: Sequence[Pause] = (),
    extensions: Sequence[Limit] = (),
) -> Plan:
    """All moments of a clock that starts at `start`; the manager hears one limit after the breach.

    `extensions` are added to the limit one after the other, each counted from the due moment before it.
    """
    due = due_at(calendar, policy.limit, start)
    for more in extensions:
        due = due_at(calendar, more, due)
    warning = warning_at(calendar, policy, start, due)
    due = postponed(calendar, policy.limit.unit, due, pauses)
    # A wall-clock limit needs no calendar, so it is never provisional.
    by_calendar = policy.limit.unit != "minutes" or any(more.unit != "minutes" for more in extensions)
    provisional = by_calendar and calendar.is_provisional(start, due)
    return Plan(
        warning_at=min(due, postponed(calendar, policy.limit.unit, warning, pauses)),
        due_at=due,
        escalate_at=due_at(calendar, policy.limit, due),
        provisional=provisional,
    )


def in_time(due: datetime, stopped_at: datetime) -> bool:
    """An answer at the due moment itself is in time."""
    return stopped_at <= due


def state(stored: State, due: datetime, now: datetime) -> State:
    """What to show: a clock that still runs past its due moment is breached, whether or not a sweep has seen it."""
    return "breached" if stored == "running" and not in_time(due, now) else stored


def remaining_minutes(calendar: WorkingCalendar, unit: Unit, due: datetime, now: datetime) -> int:
    """Whole minutes left until `due`, negative once it has passed; working minutes for working limits."""
    if unit == "minutes":
        return int((due - now) / timedelta(minutes=1))
    if now <= due:
        return int(calendar.minutes_between(now, due))
    return -int(calendar.minutes_between(due, now))


def levels_reached(moments: Plan, now: datetime) -> list[Level]:
    """The levels whose moment has passed, in order."""
    return [level for level in LEVELS if moments.at(level) < now]
