"""Working time against a slow minute-by-minute oracle, and by example."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.clock import SHANGHAI
from services.sla.calendar import DayOverride, Span, WorkingCalendar
from services.sla.notices import announced_workday, notice_is_known, statutory_holidays

HOURS = (Span(9 * 60, 12 * 60), Span(13 * 60 + 30, 17 * 60))
DEMO = WorkingCalendar(HOURS)
MINUTE = timedelta(minutes=1)
LAST_ANNOUNCED_YEAR = max(year for year in range(2001, 2100) if notice_is_known(year))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    edges = draw(st.lists(st.integers(0, 1440), min_size=2, max_size=6, unique=True))
    edges = sorted(edges)[: len(edges) // 2 * 2]
    return tuple(Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True))


@st.composite
def calendars(draw: st.DrawFn) -> WorkingCalendar:
    days = st.dates(date(2026, 9, 20), date(2027, 2, 20))
    overrides = draw(st.dictionaries(days, st.builds(DayOverride, st.booleans(), st.none() | spans()), max_size=8))
    return WorkingCalendar(draw(spans()), overrides)


moments = st.datetimes(datetime(2026, 9, 25), datetime(2027, 2, 10)).map(
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=SHANGHAI)
)


def oracle_open(calendar: WorkingCalendar, minute: datetime) -> bool:
    """Whether the minute that begins here is working time, told without the calendar's own span arithmetic."""
    local = minute.astimezone(SHANGHAI)
    override = calendar.overrides.get(local.date())
    if override is not None:
        working = override.working
    elif announced_workday(local.date()) is not None:
        working = bool(announced_workday(local.date()))
    else:
        working = local.weekday() < 5 and local.date() not in statutory_holidays(local.year)
    hours = override.hours if override is not None and override.hours else calendar.hours
    return working and any(span.start <= local.hour * 60 + local.minute < span.end for span in hours)


@settings(max_examples=40, deadline=None)
@given(calendars(), moments, st.integers(1, 900))
def test_adding_minutes_equals_counting_them_one_by_one(
    calendar: WorkingCalendar, start: datetime, minutes: int
) -> None:
    minute, left = start.astimezone(UTC), minutes
    for _ in range(60 * 24 * 40):
        left -= oracle_open(calendar, minute)
        minute += MINUTE
        if left == 0:
            break
    else:
        return  # hardly any working time: the oracle would count for ever
    assert calendar.add_minutes(start, minutes) == minute


@settings(max_examples=40, deadline=None)
@given(calendars(), moments, st.integers(0, 60 * 24 * 12))
def test_minutes_between_equals_counting_them_one_by_one(
    calendar: WorkingCalendar, start: datetime, length: int
) -> None:
    expected = sum(oracle_open(calendar, start + MINUTE * offset) for offset in range(length))
    assert calendar.minutes_between(start, start + MINUTE * length) == expected


@given(calendars(), moments, st.integers(1, 2000))
def test_a_due_moment_never_lies_inside_closed_time(calendar: WorkingCalendar, start: datetime, minutes: int) -> None:
    due = calendar.add_minutes(start, minutes)
    assert oracle_open(calendar, due - MINUTE)


@given(calendars(), moments, st.integers(1, 800), st.integers(1, 800))
def test_adding_minutes_is_additive(calendar: WorkingCalendar, start: datetime, first: int, second: int) -> None:
    assert calendar.add_minutes(calendar.add_minutes(start, first), second) == calendar.add_minutes(
        start, first + second
    )


@given(calendars(), moments, st.integers(0, 50_000), st.integers(1, 800), st.integers(0, 300))
def test_due_moments_are_monotone_in_start_and_amount(
    calendar: WorkingCalendar, start: datetime, later: int, minutes: int, more: int
) -> None:
    due = calendar.add_minutes(start, minutes)
    assert due > start
    assert calendar.add_minutes(start + MINUTE * later, minutes) >= due
    assert calendar.add_minutes(start, minutes + more) >= due


@given(calendars(), moments, st.integers(1, 12), st.integers(1, 12), st.integers(0, 50_000))
def test_working_days_are_additive_monotone_and_end_at_closing_time(
    calendar: WorkingCalendar, start: datetime, first: int, second: int, later: int
) -> None:
    due = calendar.end_of_working_day(start, first)
    assert oracle_open(calendar, due - MINUTE)
    assert not oracle_open(calendar, due) or due.astimezone(SHANGHAI).hour == 0
    assert due.astimezone(SHANGHAI) - MINUTE > start
    assert calendar.end_of_working_day(due - MINUTE, second) == calendar.end_of_working_day(start, first + second)
    assert calendar.end_of_working_day(start + MINUTE * later, first) >= due


@given(calendars(), moments, st.integers(1, 2000))
def test_minutes_between_takes_back_what_was_added(calendar: WorkingCalendar, start: datetime, minutes: int) -> None:
    assert calendar.minutes_between(start, calendar.add_minutes(start, minutes)) == minutes


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-20 10:00", 1, "2026-11-23 17:00"),  # Friday: the weekend does not count
        ("2026-11-21 10:00", 1, "2026-11-23 17:00"),  # Saturday: Monday is the next working day
        ("2026-11-20 23:59", 1, "2026-11-23 17:00"),
        ("2026-09-30 16:30", 1, "2026-10-08 17:00"),  # the National Day week
        ("2026-09-30 16:30", 3, "2026-10-10 17:00"),  # its make-up workday is a Saturday
        ("2026-09-18 09:00", 2, "2026-09-21 17:00"),  # Sunday 20 September 2026 is a make-up workday
    ],
)
def test_working_days_skip_holidays_and_count_make_up_days(start: str, days: int, due: str) -> None:
    assert DEMO.end_of_working_day(at(start), days) == at(due)


def test_lunch_hours_are_not_counted() -> None:
    assert DEMO.add_minutes(at("2026-11-23 11:50"), 20) == at("2026-11-23 13:40")
    assert DEMO.minutes_between(at("2026-11-23 11:50"), at("2026-11-23 13:40")) == 20


def test_an_override_wins_over_the_announced_days_and_may_bring_its_own_hours() -> None:
    monday, saturday = date(2026, 11, 23), date(2026, 11, 21)
    calendar = WorkingCalendar(
        HOURS, {monday: DayOverride(False), saturday: DayOverride(True, (Span(9 * 60, 10 * 60),))}
    )
    assert calendar.end_of_working_day(at("2026-11-20 10:00"), 1) == at("2026-11-21 10:00")
    assert calendar.end_of_working_day(at("2026-11-20 10:00"), 2) == at("2026-11-24 17:00")


def test_a_year_without_a_notice_is_provisional_until_the_city_enters_it() -> None:
    start, end = at(f"{LAST_ANNOUNCED_YEAR}-12-28 10:00"), at(f"{LAST_ANNOUNCED_YEAR + 1}-01-05 10:00")
    assert DEMO.is_provisional(start, end)
    assert not WorkingCalendar(HOURS, announced_years=frozenset({LAST_ANNOUNCED_YEAR + 1})).is_provisional(start, end)
    beyond = at(f"{LAST_ANNOUNCED_YEAR + 1}-12-30 10:00")
    assert WorkingCalendar(HOURS, announced_years=frozenset({LAST_ANNOUNCED_YEAR + 1})).is_provisional(start, beyond)


@pytest.mark.parametrize(("day", "provisional"), [(28, False), (29, True), (30, True), (31, True)])
def test_the_end_of_december_is_provisional_until_the_notice_of_the_next_year_is_there(
    day: int, provisional: bool
) -> None:
    year = LAST_ANNOUNCED_YEAR
    start, end = at(f"{year}-12-25 10:00"), at(f"{year}-12-{day} 17:00")
    assert DEMO.is_provisional(start, end) is provisional
    entered = WorkingCalendar(HOURS, announced_years=frozenset({year + 1}))
    assert not entered.is_provisional(start, end)
    settled = {date(year, 12, one): DayOverride(True) for one in (29, 30, 31)}
    assert not WorkingCalendar(HOURS, settled).is_provisional(start, end)
    assert not DEMO.is_provisional(at("2025-12-25 10:00"), at(f"2025-12-{day} 17:00"))


def test_the_last_day_of_the_calendar_has_no_next_year_to_wait_for() -> None:
    last = datetime(9999, 12, 30, 10, tzinfo=SHANGHAI)
    assert DEMO.is_provisional(last, last)
    assert not DEMO.is_working_day(date(9999, 12, 25))
    assert DEMO.is_working_day(date(9999, 12, 31))


def test_the_statutory_days_of_a_later_year_are_closed() -> None:
    days = statutory_holidays(2027)
    assert len(days) == 13
    assert [day for day in days if day.month == 2] == [date(2027, 2, day) for day in (5, 6, 7, 8)]
    calendar = WorkingCalendar(HOURS, announced=lambda day: None)
    assert calendar.end_of_working_day(at("2027-02-04 10:00"), 1) == at("2027-02-09 17:00")


def test_overlapping_hours_count_once() -> None:
    calendar = WorkingCalendar((Span(540, 720), Span(600, 780)))
    assert calendar.minutes_between(at("2026-11-23 00:00"), at("2026-11-24 00:00")) == 240


def test_a_calendar_that_never_opens_is_refused_instead_of_searched_for_ever() -> None:
    with pytest.raises(ValueError, match="working hours"):
        WorkingCalendar(())
    closed = WorkingCalendar(HOURS, announced=lambda day: False)
    with pytest.raises(ValueError, match="no working time"):
        closed.add_minutes(at("2026-11-23 10:00"), 1)
    with pytest.raises(ValueError, match="no working time"):
        closed.end_of_working_day(at("2026-11-23 10:00"), 1)


def test_next_opening_is_now_while_open_and_the_next_span_otherwise() -> None:
    assert DEMO.next_opening(at("2026-11-23 10:00")) == at("2026-11-23 10:00")
    assert DEMO.next_opening(at("2026-11-23 12:30")) == at("2026-11-23 13:30")
    assert DEMO.next_opening(at("2026-11-21 10:00")) == at("2026-11-23 09:00")
    assert DEMO.is_open(at("2026-11-23 11:59"))
    assert not DEMO.is_open(at("2026-11-23 12:00"))
