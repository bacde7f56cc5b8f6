"""Which days are working days in China: the announced ones, and for later years the statutory ones.

Announced days come from the package `chinesecalendar`, which carries the State Council's yearly notice with its
make-up workdays. For a year without a notice only the statutory days are known (全国年节及纪念日放假办法, 2024
revision, article 2: thirteen days); how they are joined with weekends is not, so whatever rests on them is provisional.
"""

from datetime import date, timedelta
from functools import cache

from chinese_calendar import is_workday
from chinese_calendar.constants import holidays as announced_holidays

FIRST_ANNOUNCED_YEAR: int = min(announced_holidays).year
LAST_ANNOUNCED_YEAR: int = max(announced_holidays).year

# 春节 (1/1 of the lunar calendar), 清明 (solar term), 端午 (5/5), 中秋 (8/15) as month-day. Computed, and equal in two
# independent packages (cnlunar 0.2.5 and holidays 0.108).
_LUNAR_DAYS: dict[int, tuple[str, str, str, str]] = {
    2027: ("02-06", "04-05", "06-09", "09-15"),
    2028: ("01-26", "04-04", "05-28", "10-03"),
    2029: ("02-13", "04-04", "06-16", "09-22"),
    2030: ("02-03", "04-05", "06-05", "09-12"),
    2031: ("01-23", "04-05", "06-24", "10-01"),
    2032: ("02-11", "04-04", "06-12", "09-19"),
    2033: ("01-31", "04-04", "06-01", "09-08"),
    2034: ("02-19", "04-05", "06-20", "09-27"),
    2035: ("02-08", "04-05", "06-10", "09-16"),
    2036: ("01-28", "04-04", "05-30", "10-04"),
    2037: ("02-15", "04-04", "06-18", "09-24"),
    2038: ("02-04", "04-05", "06-07", "09-13"),
    2039: ("01-24", "04-05", "05-27", "10-02"),
    2040: ("02-12", "04-04", "06-14", "09-20"),
    2041: ("02-01", "04-04", "06-03", "09-10"),
    2042: ("01-22", "04-04", "06-22", "09-28"),
    2043: ("02-10", "04-05", "06-11", "09-17"),
    2044: ("01-30", "04-04", "05-31", "10-05"),
    2045: ("02-17", "04-04", "06-19", "09-25"),
    2046: ("02-06", "04-04", "06-08", "09-15"),
    2047: ("01-26", "04-05", "05-29", "10-04"),
    2048: ("02-14", "04-04", "06-15", "09-22"),
    2049: ("02-02", "04-04", "06-04", "09-11"),
    2050: ("01-23", "04-04", "06-23", "09-30"),
    2051: ("02-11", "04-05", "06-13", "09-19"),
    2052: ("02-01", "04-04", "06-01", "09-07"),
    2053: ("02-19", "04-04", "06-20", "09-26"),
    2054: ("02-08", "04-04", "06-10", "09-16"),
    2055: ("01-28", "04-05", "05-30", "10-05"),
    2056: ("02-15", "04-04", "06-17", "09-24"),
    2057: ("02-04", "04-04", "06-06", "09-13"),
    2058: ("01-24", "04-04", "06-25", "10-02"),
    2059: ("02-12", "04-05", "06-14", "09-21"),
    2060: ("02-02", "04-04", "06-03", "09-09"),
}

_FIXED_DAYS = (
    (1, 1, "元旦"),
    (5, 1, "劳动节"),
    (5, 2, "劳动节"),
    (10, 1, "国庆节"),
    (10, 2, "国庆节"),
    (10, 3, "国庆节"),
)


def announced_workday(day: date) -> bool | None:
    """Whether `day` is a working day by the published notices; None when no notice is known for its year."""
    if not FIRST_ANNOUNCED_YEAR <= day.year <= LAST_ANNOUNCED_YEAR:
        return None
    return bool(is_workday(day))


@cache
def statutory_holidays(year: int) -> dict[date, str]:
    """The statutory holidays of `year` with their names; the lunar ones are known from 2027 to 2060."""
    days = {date(year, month, day): name for month, day, name in _FIXED_DAYS}
    if year in _LUNAR_DAYS:
        spring, tomb, dragon, moon = (date.fromisoformat(f"{year}-{text}") for text in _LUNAR_DAYS[year])
        days |= {spring + timedelta(days=offset): "春节" for offset in range(-1, 3)}
        days |= {tomb: "清明节", dragon: "端午节", moon: "中秋节"}
    return days


def statutory_workday(day: date) -> bool:
    """Monday to Friday unless a statutory holiday: the best that can be said before the notice arrives."""
    return day.weekday() < 5 and day not in statutory_holidays(day.year)
