"""Which days are working days in China: the announced ones, and where no notice is out the statutory ones.

Both come from the package `holidays` (China), which carries the yearly notice of the State Council's General Office
(国务院办公厅关于部分节假日安排的通知) with its make-up workdays (调休) from 2001 on, and computes the statutory days
(全国年节及纪念日放假办法) of other years from 1950 to 2100. A year without a notice has only the latter; how they are
joined with weekends is not known then, so whatever rests on them is provisional.
"""

from datetime import date
from functools import cache
from typing import NamedTuple

from holidays import HolidayBase, country_holidays
from holidays.version import __version__

# The release of the package, in the order of releases: what a newer one knows may decide days that were open before.
RELEASE: tuple[int, ...] = tuple(int(part) for part in __version__.split(".") if part.isdigit())

# The notice of a year also rules the last days of the year before, when 1 January is joined with a weekend. In the
# notices of 2002 to 2026 that were 29 and 30 December 2001, the 31st of 2005, the 30th and 31st of 2006, the 29th and
# 31st of 2007, the 31st of 2011, and the 29th and 31st of 2018: never a day before the 29th.
FIRST_TOUCHED_IN_DECEMBER = 29


class _Year(NamedTuple):
    days_off: frozenset[date]
    make_up_days: frozenset[date]


def notice_is_known(year: int) -> bool:
    """Whether the notice of `year` is in the package: only a notice makes days of a weekend working days.

    Those of late December do not count, as they come with the notice of the next year. Every notice has some: the long
    holidays of spring and October are made of days taken from weekends.
    """
    return any(not _is_late_december(day) for day in _announced(year).make_up_days)


def deciding_years(day: date) -> tuple[int, ...]:
    """The years whose notices can make `day` a day off or a working day: its own, at the end of December the next too.

    The last day of the calendar, 31 December 9999, is decided by a year that never comes.
    """
    return (day.year, day.year + 1) if _is_late_december(day) else (day.year,)


def announced_workday(day: date) -> bool | None:
    """Whether `day` is a working day by the published notices; None while one that can decide it is not known."""
    if not all(notice_is_known(year) for year in deciding_years(day)):
        return None
    known = _announced(day.year)
    return day in known.make_up_days if day.weekday() >= 5 else day not in known.days_off


@cache
def statutory_holidays(year: int) -> dict[date, str]:
    """The statutory holidays of a year without a notice with their names, as far as they can be computed (1950 to
    2100), else none; of a year with a notice also the days off that it adds."""
    return dict(sorted(_china(year, observed=False).items()))


def statutory_workday(day: date) -> bool:
    """Monday to Friday unless a statutory holiday: the best that can be said before the notice arrives."""
    return day.weekday() < 5 and day not in statutory_holidays(day.year)


def _is_late_december(day: date) -> bool:
    return day.month == 12 and day.day >= FIRST_TOUCHED_IN_DECEMBER


@cache
def _announced(year: int) -> _Year:
    found = _china(year, observed=True)
    return _Year(frozenset(found), frozenset(day for day in found.weekend_workdays if day.year == year))


def _china(year: int, *, observed: bool) -> HolidayBase:
    """`observed` adds the working days that are off instead of holidays on a weekend."""
    return country_holidays("CN", years=year, expand=False, observed=observed, language="zh_CN")
