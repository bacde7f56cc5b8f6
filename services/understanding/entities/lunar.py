"""Festivals and lunar dates as days of the solar calendar (borax)."""

from __future__ import annotations

import re
from datetime import date, timedelta

from borax.calendars.lunardate import LunarDate, TermUtils

from services.understanding.numerals import number

# name -> MMDD, "L" before a lunar one; S is a solar term
FESTIVALS = {
    "元旦": "0101",
    "妇女节": "0308",
    "五一": "0501",
    "劳动节": "0501",
    "儿童节": "0601",
    "六一": "0601",
    "教师节": "0910",
    "国庆": "1001",
    "平安夜": "1224",
    "圣诞": "1225",
    "情人节": "0214",
    "植树节": "0312",
    "建军节": "0801",
    "双十一": "1111",
    "双11": "1111",
    "双十二": "1212",
    "腊八": "L1208",
    "除夕": "L-1",
    "春节": "L0101",
    "大年初一": "L0101",
    "过年": "L0101",
    "元宵": "L0115",
    "端午": "L0505",
    "七夕": "L0707",
    "中秋": "L0815",
    "重阳": "L0909",
    "清明": "S",
    # without a fixed day here: found, not resolved
    "小年": "",
    "冬至": "",
    "母亲节": "",
    "父亲节": "",
}
_MONTHS = {"正": 1, "冬": 11, "腊": 12}


def festival(word: str, year: int) -> date | None:
    """The day of a festival ("中秋节前后") in a solar year; None for one that has no day of its own (暑假)."""
    key = next((name for name in sorted(FESTIVALS, key=len, reverse=True) if word.startswith(name)), None)
    code = "1001" if key is None and word.startswith("十一") else FESTIVALS.get(key or "", "")
    if code == "S":
        for day in (4, 5, 6):
            if TermUtils.get_term_info(year, 4, day)[0]:
                return date(year, 4, day)
        return date(year, 4, 5)
    if code == "L-1":
        return _solar(year, 1, 1) - timedelta(days=1)
    if code.startswith("L"):
        return _solar(year, int(code[1:3]), int(code[3:5]))
    return date(year, int(code[:2]), int(code[2:])) if code else None


def lunar_day(text: str, today: date, *, ahead: bool) -> date:
    """The day of a lunar date ("正月十六", "初八", "大年初二"): the next one, or the last one when not `ahead`.

    Raises ValueError when the month has no such day.
    """
    now = LunarDate.from_solar_date(today.year, today.month, today.day)
    named = re.search(r"([正冬腊]|[一二三四五六七八九十]+)月", text)
    day = number(re.sub(r"^.*(?:月|初)|[号日]$", "", text))
    if named or text.startswith("大年"):
        month = 1 if named is None else _MONTHS.get(named[1]) or number(named[1])
        found = [_solar(year, month, day) for year in (now.year - 1, now.year, now.year + 1)]
    else:
        months = [divmod(now.year * 12 + now.month - 1 + step, 12) for step in (-1, 0, 1)]
        found = [_solar(year, month + 1, day) for year, month in months]
    if ahead:
        return next(candidate for candidate in found if candidate >= today)
    return next(candidate for candidate in reversed(found) if candidate <= today)


def _solar(year: int, month: int, day: int) -> date:
    solar: date = LunarDate(year, month, day).to_solar_date()
    return solar
