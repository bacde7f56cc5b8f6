"""Which hours a hall's windows are open and how many places each has: pure functions over rules and calendar.

An hour is one by the clock (9:00, 10:00); where opening begins or ends within one (13:30), the shorter piece has its
share of the places. Days follow the city's calendar with holidays and make-up workdays.

How many places an hour has left is said here and nowhere else: what is shown and what is given away count alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from services.appointments.schemas import AppointmentsFile, Hall, Rules, Service, Windows
from services.core.clock import SHANGHAI
from services.sla.calendar import Span, WorkingCalendar, common, merged

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """A bookable hour (moments in UTC) of a group of windows."""

    hall: Hall
    windows: Windows
    start_at: datetime
    end_at: datetime
    capacity: int

    def has(self, moment: datetime) -> bool:
        return self.start_at <= moment < self.end_at


@dataclass(frozen=True)
class Limits:
    """A service's own limits, the city's where it has none."""

    earliest_days: int
    latest: timedelta
    cancel: timedelta


def limits_of(rules: Rules, service: Service) -> Limits:
    def own(value: int | None, usual: int) -> int:
        return usual if value is None else value

    return Limits(
        own(service.earliest_days, rules.earliest_days),
        timedelta(minutes=own(service.latest_minutes, rules.latest_minutes)),
        timedelta(minutes=own(service.cancel_minutes, rules.cancel_minutes)),
    )


def hours_of_day(hall: Hall, windows: Windows, calendar: WorkingCalendar, day: date) -> list[Hour]:
    """The hours of a day (Asia/Shanghai) in order; empty when the windows are closed."""
    if day in hall.closed_days:
        return []
    extra = day in hall.extra_days
    if windows.days == "working_days" and not extra and not calendar.is_working_day(day):
        return []
    result = []
    for opening, closing in _open_time(windows, calendar, day, extra=extra):
        start = opening
        while start < closing:
            # Full hours are full ones of the clock on the wall.
            end = min(start.replace(minute=0, second=0, microsecond=0) + HOUR, closing)
            capacity = windows.count * windows.per_hour * (end - start) // HOUR
            if capacity:
                result.append(Hour(hall, windows, start.astimezone(UTC), end.astimezone(UTC), capacity))
            start = end
    return result


def find_hour(hall: Hall, windows: Windows, calendar: WorkingCalendar, start_at: datetime) -> Hour | None:
    """The hour that begins at `start_at`, or None when there is none."""
    day = start_at.astimezone(SHANGHAI).date()
    return next((hour for hour in hours_of_day(hall, windows, calendar, day) if hour.start_at == start_at), None)


def hour_at(hall: Hall, windows: Windows, calendar: WorkingCalendar, moment: datetime) -> Hour | None:
    """The hour within which `moment` lies, or None when the windows are closed then."""
    day = moment.astimezone(SHANGHAI).date()
    return next((hour for hour in hours_of_day(hall, windows, calendar, day) if hour.has(moment)), None)


def free_places(hour: Hour, booked: Mapping[datetime, int]) -> int:
    """The places that an hour has left when so many are `booked` by when their time begins.

    Who booked before the opening hours were changed may begin within the hour (13:30, since it has opened at 13:00).
    """
    return max(hour.capacity - sum(count for start_at, count in booked.items() if hour.has(start_at)), 0)


def bookable_days(limits: Limits, now: datetime) -> tuple[date, date]:
    """First and last day (Asia/Shanghai) that can be booked now."""
    today = now.astimezone(SHANGHAI).date()
    return (now + limits.latest).astimezone(SHANGHAI).date(), today + timedelta(days=limits.earliest_days)


def bookable_hours(
    rules: AppointmentsFile, service: Service, hall: Hall, calendar: WorkingCalendar, now: datetime
) -> Iterator[Hour]:
    """Every hour that a citizen may book now, places or not, in order."""
    windows = hall.windows_for(service.code)
    if windows is None:
        return
    limits = limits_of(rules.rules, service)
    day, last = bookable_days(limits, now)
    while day <= last:
        for hour in hours_of_day(hall, windows, calendar, day):
            if hour.start_at >= now + limits.latest:
                yield hour
        day += timedelta(days=1)


def reminder_for(start_at: datetime, remind_at: int, now: datetime) -> datetime | None:
    """When to remind: the day before at `remind_at` minutes after midnight; None when that has gone by."""
    eve = start_at.astimezone(SHANGHAI).date() - timedelta(days=1)
    moment = datetime(eve.year, eve.month, eve.day, tzinfo=SHANGHAI) + timedelta(minutes=remind_at)
    return moment.astimezone(UTC) if moment > now else None


def _open_time(
    windows: Windows, calendar: WorkingCalendar, day: date, *, extra: bool
) -> list[tuple[datetime, datetime]]:
    given = calendar.hours_given(day)
    if windows.hours is None:
        # An extra day, or windows that open every day, have the usual hours.
        spans = given or calendar.hours
    else:
        spans = merged(tuple(Span(span.start, span.end) for span in windows.hours))
        if given is not None and not extra and windows.half_days == "city":
            spans = common(spans, given)
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    return [(midnight + timedelta(minutes=span.start), midnight + timedelta(minutes=span.end)) for span in spans]
