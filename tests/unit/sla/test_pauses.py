"""Pauses, extensions and duty shifts against a slow minute-by-minute oracle."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.clock import SHANGHAI
from services.sla import clocks
from services.sla.calendar import Span, WorkingCalendar
from services.sla.policies import Limit, Policy

OFFICE = WorkingCalendar((Span(9 * 60, 12 * 60), Span(13 * 60 + 30, 17 * 60)))
EVENING = WorkingCalendar((Span(8 * 60, 24 * 60),), every_day=True)
ALWAYS = WorkingCalendar((Span(0, 24 * 60),), every_day=True)
MINUTE = timedelta(minutes=1)

units = st.sampled_from(["minutes", "working_minutes", "working_days"])
calendars = st.sampled_from([OFFICE, EVENING, ALWAYS])
moments = st.datetimes(datetime(2026, 9, 20), datetime(2026, 10, 12)).map(
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=SHANGHAI).astimezone(UTC)
)


@st.composite
def pauses(draw: st.DrawFn) -> list[clocks.Pause]:
    """Up to three pauses, none within another."""
    start = draw(moments)
    found = []
    for _ in range(draw(st.integers(0, 3))):
        begin = start + MINUTE * draw(st.integers(0, 2000))
        end = begin + MINUTE * draw(st.integers(0, 4000))
        found.append((begin, end))
        start = end + MINUTE
    return found


def plan(calendar: WorkingCalendar, limit: Limit, start: datetime, stops: list[clocks.Pause]) -> clocks.Plan:
    return clocks.plan(calendar, Policy("resolution", limit, "s"), start, pauses=stops)


@settings(max_examples=40, deadline=None)
@given(calendars, moments, st.integers(1, 700), pauses())
def test_a_paused_limit_equals_counting_the_minutes_that_are_open_and_not_paused(
    calendar: WorkingCalendar, start: datetime, minutes: int, stops: list[clocks.Pause]
) -> None:
    stops = [(begin, end) for begin, end in stops if begin >= start]
    minute, left = start, minutes
    while left:
        left -= calendar.is_open(minute) and not any(begin <= minute < end for begin, end in stops)
        minute += MINUTE
    assert plan(calendar, Limit(minutes, "working_minutes"), start, stops).due_at == minute


@given(calendars, moments, units, st.integers(1, 20), pauses())
def test_a_pause_never_makes_anything_due_earlier_and_keeps_the_levels_in_order(
    calendar: WorkingCalendar, start: datetime, unit: str, amount: int, stops: list[clocks.Pause]
) -> None:
    limit = Limit(amount, unit)  # type: ignore[arg-type]
    before, after = plan(calendar, limit, start, []), plan(calendar, limit, start, stops)
    assert after.due_at >= before.due_at
    assert after.warning_at >= before.warning_at
    assert after.warning_at <= after.due_at < after.escalate_at


@given(calendars, moments, st.integers(1, 700), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000))
def test_two_pauses_that_touch_are_one(
    calendar: WorkingCalendar, start: datetime, minutes: int, wait: int, first: int, second: int
) -> None:
    limit = Limit(minutes, "working_minutes")
    begin = start + MINUTE * wait
    middle, end = begin + MINUTE * first, begin + MINUTE * (first + second)
    assert (
        plan(calendar, limit, start, [(begin, middle), (middle, end)]).due_at
        == plan(calendar, limit, start, [(begin, end)]).due_at
    )


@given(moments, st.integers(1, 700), st.integers(0, 2000), st.integers(0, 4000))
def test_what_was_left_at_the_pause_is_left_when_it_ends(start: datetime, minutes: int, wait: int, pause: int) -> None:
    limit = Limit(minutes, "working_minutes")
    due = plan(OFFICE, limit, start, []).due_at
    begin, end = start + MINUTE * wait, start + MINUTE * (wait + pause)
    if begin >= due:
        return
    resumed = plan(OFFICE, limit, start, [(begin, end)]).due_at
    assert OFFICE.minutes_between(end, resumed) == OFFICE.minutes_between(begin, due)


@given(moments, st.integers(1, 10), st.integers(1, 10))
def test_an_extension_in_working_days_adds_exactly_its_days(start: datetime, days: int, more: int) -> None:
    policy = Policy("resolution", Limit(days, "working_days"), "s")
    extended = clocks.plan(OFFICE, policy, start, extensions=[Limit(more, "working_days")])
    assert extended.due_at == OFFICE.end_of_working_day(start, days + more)


def test_a_duty_shift_knows_no_holiday_and_is_never_provisional() -> None:
    holiday = datetime(2027, 10, 1, 23, 30, tzinfo=SHANGHAI)
    assert EVENING.is_open(holiday)
    assert EVENING.add_minutes(holiday, 60) == datetime(2027, 10, 2, 8, 30, tzinfo=SHANGHAI)
    assert not EVENING.is_provisional(holiday, holiday + timedelta(days=400))
    assert ALWAYS.add_minutes(holiday, 60) == holiday + timedelta(hours=1)
