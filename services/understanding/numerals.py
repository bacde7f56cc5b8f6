"""Small Chinese numerals, as days, months, hours and places in a list are written with. Standard library only."""

from __future__ import annotations

import re
from typing import Final

DIGITS: Final = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "O": 0,
    "两": 2,
    "日": 7,
    "天": 7,
}
_CHOSEN: Final = re.compile(r"^(?:选|第)?([1-9一二三四五六七八九])(?:个|种|号)?$")
_ORDINAL: Final = re.compile(r"第([一二三四五六七八九十]|\d{1,2})[个条期项家]")


def number(text: str) -> int:
    """Value of a small numeral below 100, ASCII or Chinese ("12", "十二", "二十", "廿三")."""
    if text.isdecimal():
        return int(text)
    text = text.replace("廿", "二十")
    if "十" in text:
        tens, _, ones = text.partition("十")
        return (DIGITS[tens] if tens else 1) * 10 + (DIGITS[ones] if ones else 0)
    value = 0
    for char in text:
        value = value * 10 + DIGITS[char]
    return value


def place_in_list(plain: str) -> int | None:
    """The place that a whole answer names ("2", "第二个"), from 1; None when it says something else."""
    found = _CHOSEN.match(plain)
    return number(found.group(1)) if found else None


def ordinal_in(plain: str) -> tuple[int, str] | None:
    """The first "第三条" of a text as (its number, the words); None without one."""
    found = _ORDINAL.search(plain)
    return (number(found.group(1)), found.group(0)) if found else None
