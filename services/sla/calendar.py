"""Working time as pure functions: which minutes count, and what lies a number of them ahead.

    calendar = WorkingCalendar(hours=(Span(540, 720), Span(810, 1020)))
    calendar.add_minutes(start, 30)        # half an hour of working time later
    calendar.end_of_working_day(start, 1)  # close of business of the next working day
    calendar.minutes_between(start, end)   # working minutes, as a float

Moments are aware datetimes; results are in UTC. A day and its hours are those of Asia/Shanghai (DESIGN, Time limits).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from services.core.clock import SHANGHAI
from services.sla.notices import announced_workday, deciding_years, statutory_workday

MINUTES_OF_DAY = 24 * 60
# Longer closed than this is a calendar mistake, not a holiday.
LONGEST_CLOSURE = timedelta(days=400)


@dataclass(frozen=True, order=True)
class Span:
    """Open time within a day, in minutes since midnight; `end` may be 1440."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= MINUTES_OF_DAY:
            raise ValueError("a span of working time starts before it ends, within one day")


@dataclass(frozen=True)
class DayOverride:
    """What the city says about one day; it wins over every other source. `hours` of None means the usual hours."""

    working: bool
    hours: tuple[Span, ...] | None = None


def merged(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The spans in order, overlapping or touching ones joined, so that no minute counts twice."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def common(spans: tuple[Span, ...], others: tuple[Span, ...]) -> tuple[Span, ...]:
    """The time that lies in both, in order."""
    shared = ((max(one.start, other.start), min(one.end, other.end)) for one in spans for other in others)
    return merged(tuple(Span(start, end) for start, end in shared if start < end))


@dataclass(frozen=True)
class WorkingCalendar:
    """Opening hours, the city's overrides and the years whose notice the overrides hold completely.

    `announced` says for a day whether it is a working day, or None while a notice that can decide it is not known. A
    duty shift (`every_day`) has the same hours on every day of the year, holidays included.
    """

    hours: tuple[Span, ...]
    overrides: Mapping[date, DayOverride] = field(default_factory=dict)
    announced_years: frozenset[int] = frozenset()
    announced: Callable[[date], bool | None] = announced_workday
    every_day: bool = False
    _spans: dict[date, tuple[tuple[datetime, datetime], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not self.hours:
            raise ValueError("a calendar needs working hours")
        object.__setattr__(self, "hours", merged(self.hours))

    def is_working_day(self, day: date) -> bool:
        if self.every_day:
            return True
        override = self.overrides.get(day)
        if override is not None:
            return override.working
        known = self.announced(day)
        return statutory_workday(day) if known is None else known

    def is_provisional(self, start: datetime, end: datetime) -> bool:
        """Whether a day between the two moments rests on a notice that is not out yet: that of its year, and for the
        last days of December that of the next one (`notices.deciding_years`)."""
        if self.every_day:
            return False
        day, last = start.astimezone(SHANGHAI).date(), end.astimezone(SHANGHAI).date()
        while day <= last:
            if day not in self.overrides and not all(self._is_announced(year) for year in deciding_years(day)):
                return True
            day += timedelta(days=1)
        return False

    def spans_of(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The open time of a day as pairs of moments in UTC, in order; empty when it is closed."""
        found = self._spans.get(day)
        if found is None:
            found = self._spans[day] = tuple(self._moments(day))
        return found

    def hours_given(self, day: date) -> tuple[Span, ...] | None:
        """The hours that the city gives this working day alone (a half day), or None on a usual or closed one."""
        override = None if self.every_day else self.overrides.get(day)
        return merged(override.hours) if override is not None and override.working and override.hours else None

    def is_open(self, moment: datetime) -> bool:
        return any(start <= moment < end for start, end in self.spans_of(moment.astimezone(SHANGHAI).date()))

    def next_opening(self, moment: datetime) -> datetime:
        """`moment` itself while open, else when working time begins again."""
        for start, _ in self._spans_after(moment):
            return max(start, moment.astimezone(UTC))
        raise ValueError("the calendar has no working time")

    def add_minutes(self, start: datetime, minutes: float) -> datetime:
        """The moment at which `minutes` (more than 0) of working time have passed since `start`.

        The end of a span belongs to it: a limit that is used up at closing time is due then, not next morning.
        Raises ValueError when the calendar has no working time for more than a year.
        """
        if minutes <= 0:
            raise ValueError("working minutes must be more than 0")
        left = timedelta(minutes=minutes)
        for opening, closing in self._spans_after(start):
            begin = max(opening, start)
            if closing - begin >= left:
                return (begin + left).astimezone(UTC)
            left -= closing - begin
        raise ValueError("the calendar has no working time")

    def end_of_working_day(self, start: datetime, days: int) -> datetime:
        """Closing time of the `days`th working day, counted from the next one (DESIGN, Time limits)."""
        if days < 1:
            raise ValueError("working days must be 1 or more")
        day = start.astimezone(SHANGHAI).date()
        last_open = day
        counted = 0
        while counted < days:
            day += timedelta(days=1)
            if self.spans_of(day):
                counted += 1
                last_open = day
            elif day - last_open > LONGEST_CLOSURE:
                raise ValueError("the calendar has no working time")
        return self.spans_of(day)[-1][1]

    def minutes_between(self, start: datetime, end: datetime) -> float:
        """Working minutes from `start` to `end`; 0 when `end` is not later."""
        total = timedelta()
        day, last = start.astimezone(SHANGHAI).date(), end.astimezone(SHANGHAI).date()
        while day <= last:
            for opening, closing in self.spans_of(day):
                overlap = min(closing, end) - max(opening, start)
                if overlap > timedelta():
                    total += overlap
            day += timedelta(days=1)
        return total / timedelta(minutes=1)

    def _is_announced(self, year: int) -> bool:
        if year in self.announced_years:
            return True
        return date.min.year <= year <= date.max.year and self.announced(date(year, 1, 1)) is not None

    def _moments(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if not self.is_working_day(day):
            return
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        for span in self.hours_given(day) or self.hours:
            # Wall-clock arithmetic within one zone, then UTC.
            opening = (midnight + timedelta(minutes=span.start)).astimezone(UTC)
            yield opening, (midnight + timedelta(minutes=span.end)).astimezone(UTC)

    def _spans_after(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = last_open = moment.astimezone(SHANGHAI).date()
        while day - last_open <= LONGEST_CLOSURE:
            for opening, closing in self.spans_of(day):
                last_open = day
                if closing > moment:
                    yield opening, closing
            day += timedelta(days=1)
