"""What the package knows of the State Council's notices, and which days a notice can touch."""

from datetime import date, timedelta
from functools import cache

import pytest

from services.sla.notices import (
    FIRST_TOUCHED_IN_DECEMBER,
    announced_workday,
    deciding_years,
    notice_is_known,
    statutory_holidays,
    statutory_workday,
)

FIRST = 2001


@cache
def known_years() -> list[int]:
    return [year for year in range(1900, 2200) if notice_is_known(year)]


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]


def test_the_known_notices_are_an_unbroken_row_that_reaches_2026() -> None:
    assert known_years() == list(range(FIRST, known_years()[-1] + 1))
    assert known_years()[-1] >= 2026


def test_every_known_notice_makes_weekends_working_days_and_no_other_year_does() -> None:
    for year in range(1990, 2060):
        weekends = [day for day in days_of(year) if day.weekday() >= 5 and day < date(year, 12, 29)]
        assert any(announced_workday(day) for day in weekends) is (year in known_years()), year


def test_a_notice_touches_no_day_of_the_december_before_it_earlier_than_the_one_that_is_written_down() -> None:
    touched = [
        day
        for year in known_years()[:-1]
        for day in days_of(year)
        if day.month == 12 and announced_workday(day) is not (day.weekday() < 5)
    ]
    assert min(day.day for day in touched) == FIRST_TOUCHED_IN_DECEMBER
    assert {day.year for day in touched} == {2001, 2005, 2006, 2007, 2011, 2018} | {
        day.year for day in touched if day.year > 2025
    }
    assert all(deciding_years(day) == (day.year, day.year + 1) for day in touched)


def test_a_day_is_announced_only_when_every_notice_that_can_decide_it_is_known() -> None:
    last = known_years()[-1]
    assert announced_workday(date(last, 12, 28)) is not None
    assert [announced_workday(date(last, 12, day)) for day in (29, 30, 31)] == [None] * 3
    assert announced_workday(date(last + 1, 1, 4)) is None
    assert announced_workday(date(last - 1, 12, 31)) is not None


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2018-12-29", True),  # a Saturday worked for the Monday after it
        ("2018-12-31", False),
        ("2020-01-31", False),  # the spring holiday was made longer
        ("2026-02-14", True),
        ("2026-02-23", False),
        ("2026-04-06", False),  # 清明 fell on a Sunday
        ("2026-10-10", True),
        ("2026-10-11", False),
        ("2026-12-28", True),
    ],
)
def test_announced_days(day: str, working: bool) -> None:
    assert announced_workday(date.fromisoformat(day)) is working


def test_every_year_without_a_notice_has_the_thirteen_statutory_days_until_2100() -> None:
    for year in range(known_years()[-1] + 1, 2101):
        days = statutory_holidays(year)
        assert len(days) == 13 or date(year, 10, 1) <= _mid_autumn(days) <= date(year, 10, 3), year
        assert not any(statutory_workday(day) for day in days)
    assert sorted(statutory_holidays(2027)) == [
        date(2027, month, day)
        for month, day in (
            (1, 1),
            *((2, day) for day in (5, 6, 7, 8)),
            (4, 5),
            (5, 1),
            (5, 2),
            (6, 9),
            (9, 15),
            *((10, day) for day in (1, 2, 3)),
        )
    ]


def _mid_autumn(days: dict[date, str]) -> date:
    return next(day for day, name in days.items() if "中秋" in name)
