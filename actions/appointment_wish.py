"""When a citizen would like to come: days and hours out of their words, and the free hours that fit. Pure functions."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from services.appointments.schemas import Opening
from services.core.clock import SHANGHAI
from services.understanding.entities import resolve_datetime

DAY = timedelta(days=1)
LATEST = time(23, 59)


class Wish(NamedTuple):
    """Inclusive days and the times of day between which an hour begins; equal times mean the hour that holds them."""

    days: tuple[date, date] | None = None
    hours: tuple[time, time] | None = None

    def fits(self, opening: Opening) -> bool:
        start, end = opening.start_at.astimezone(SHANGHAI), opening.end_at.astimezone(SHANGHAI)
        if self.days is not None and not self.days[0] <= start.date() <= self.days[1]:
            return False
        if self.hours is None:
            return True
        first, last = self.hours
        if first == last:
            return start.time() <= first < end.time()
        return first <= start.time() < last

    def span(self) -> tuple[datetime, datetime] | None:
        """The moments between which an hour may begin, for the waiting list; None without days."""
        if self.days is None:
            return None
        first, last = self.hours or (time(0), LATEST)
        if first == last:
            first, last = time(first.hour), (time(first.hour + 1) if first.hour < 23 else LATEST)
        return (
            datetime.combine(self.days[0], first, SHANGHAI),
            datetime.combine(self.days[1], last, SHANGHAI),
        )


def wish_in(text: str, before: Wish, now: datetime) -> Wish:
    """What a text says about days and hours; an hour on its own keeps the days that were said before."""
    found = resolve_datetime(text, now)
    if found is None:
        return before
    first, _, last = found.partition("/")
    last = last or first
    days, start = _parts(first)
    until, end = _parts(last)
    hours = None if start is None or end is None else (start, end)
    if days is None:
        return Wish(before.days, hours or before.hours)
    return Wish((days[0], (until or days)[1]), hours)


def _parts(text: str) -> tuple[tuple[date, date] | None, time | None]:
    day, _, clock = text.partition("T")
    at = time.fromisoformat(clock) if clock else None
    if not day:
        return None, at
    if len(day) == 4:
        return (date(int(day), 1, 1), date(int(day), 12, 31)), at
    if len(day) == 7:
        first = date.fromisoformat(f"{day}-01")
        following = (first + 31 * DAY).replace(day=1)
        return (first, following - DAY), at
    return (date.fromisoformat(day), date.fromisoformat(day)), at


def spread(free: Sequence[Opening], count: int) -> list[Opening]:
    """A few of many: of one day all in order, of several the first of each half day."""
    days = {one.start_at.astimezone(SHANGHAI).date() for one in free}
    if len(days) <= 1:
        return list(free)[:count]
    seen: set[tuple[date, bool]] = set()
    chosen = []
    for one in sorted(free, key=lambda opening: opening.start_at):
        local = one.start_at.astimezone(SHANGHAI)
        half = (local.date(), local.hour < 12)
        if half not in seen:
            seen.add(half)
            chosen.append(one)
    return chosen[:count]
