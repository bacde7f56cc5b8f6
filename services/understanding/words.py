"""What things are called: provinces on plates, kinds of plate and of bill. Standard library only.

One vocabulary each for the dialogue's forms (`options: plate_kinds` in bot/forms), bindings and lookups; the titles are
those that the connectors translate (GA/T 16.7 for plates).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.understanding.numerals import place_in_list
from services.understanding.placeholders import MARKS, normalise

PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""First characters of plates and of offices' numbers (GA 36-2018)."""

_BRIEF: Final = 4
"""Up to so many characters one character is enough to name an option that says so ("【户号1】 水")."""
_OTHER: Final = re.compile(r"^(其他|其它|别的|都不是|另外的).{0,6}$")


@dataclass(frozen=True)
class Option:
    """A value of a slot: patterns that name it, other names that count alone, and whether it is offered as a button.

    `brief` are characters that name it in a very short answer; `other` takes what is none of the rest.
    """

    title: str
    words: tuple[str, ...] = ()
    brief: str = ""
    shown: bool = True
    other: bool = False
    also: tuple[str, ...] = ()


def _rare(title: str, *also: str) -> Option:
    return Option(title, also=also, shown=False)


PLATE_KINDS: Final = (
    Option(
        "小型汽车",
        (
            *(
                "小型",
                "小车",
                "小汽车",
                "轿车",
                "蓝牌",
                "蓝色牌",
                "私家车",
                "面包车",
                "越野",
                "suv",
                "家用车",
                "小货车",
            ),
            *("轻卡", "皮卡"),
        ),
    ),
    Option("大型汽车", ("大型", "大车", "大汽车", "货车", "客车", "黄牌", "黄色牌", "卡车", "大巴", "重卡", "中巴")),
    Option(
        "小型新能源汽车",
        ("新能源(小型)?", "小型新能源", "绿牌", "绿色牌", "电动汽车", "电动轿车", "纯电", "混动", "电车"),
    ),
    Option("普通摩托车", ("摩托", "机车$")),
    Option("挂车", ("挂车", "半挂", "拖挂")),
    Option("其他号牌", other=True),
    Option("大型新能源汽车", ("大型新能源", "新能源(大型|大巴|货车|客车|大货车)"), shown=False),
    Option("轻便摩托车", ("轻便摩托", "轻摩"), shown=False),
    Option("教练汽车", ("教练(小?汽?车)?",), shown=False),
    _rare("教练摩托车", "教练摩托"),
    _rare("低速车", "低速货车", "三轮汽车", "农用车", "农用运输车"),
    _rare("拖拉机"),
    _rare("使馆汽车", "使馆车"),
    _rare("领馆汽车", "领馆车"),
    _rare("境外汽车"),
    _rare("外籍汽车"),
    _rare("试验汽车", "试验车"),
    _rare("临时行驶车", "临牌", "临时号牌", "临时牌照"),
    _rare("警用汽车", "警车"),
    _rare("警用摩托", "警用摩托车"),
    _rare("香港入出境车", "港牌", "粤港两地牌", "粤港车"),
    _rare("澳门入出境车", "澳牌", "粤澳两地牌", "粤澳车"),
)
BILL_KINDS: Final = (
    Option("水费", ("水费", "用水", "自来水", "水表", "吨水", "water", "水账单", "(欠|交|查)水(?!电)"), "水"),
    Option("电费", ("(?<!水)电费", "用电", "电表", "度电", "电量", "electric", "电账单", "(欠|交|查)电"), "电"),
    Option("燃气费", ("燃气", "天然气", "煤气", "气费", "气表", "用气", "方气", "gas"), "气"),
    Option("供暖费", ("暖气", "供暖", "取暖", "采暖", "供热", "热力"), "暖热"),
)
VOCABULARIES: Final = {"plate_kinds": PLATE_KINDS, "bill_kinds": BILL_KINDS}


def named_option(options: Sequence[Option], text: str, *, asked: bool = False, only: bool = False) -> str | None:
    """The title of the option that a text names, None for none; when it was asked for, also by its number in the list.

    The option with the longest word found wins, of equals the first; with `only` nothing is taken when several are
    named ("水电费").

    >>> named_option(PLATE_KINDS, "绿牌的"), named_option(BILL_KINDS, "查水电费", only=True)
    ('小型新能源汽车', None)
    """
    plain = MARKS.sub("", normalise(text)).strip(" 。.!,，、")
    if asked:
        place = place_in_list(plain)
        if place is not None:
            shown = [option.title for option in options if option.shown]
            return shown[place - 1] if place <= len(shown) else None
        if _OTHER.match(plain):
            other = next((option.title for option in options if option.other), None)
            if other is not None:
                return other
    # A title always names its own option, without a word in the file.
    whole = next((option.title for option in options if plain == option.title or plain in option.also), None)
    if whole is not None:
        return whole
    if len(plain) <= _BRIEF:
        short = plain.replace("暖气", "暖")
        briefly = [option.title for option in options if any(char in short for char in option.brief)]
        if briefly:
            return briefly[0] if len(briefly) == 1 or not only else None
    found: list[tuple[int, str]] = []
    for option in options:
        lengths = [len(match.group(0)) for word in option.words for match in re.finditer(word, plain)]
        if lengths:
            found.append((max(lengths), option.title))
    if not found or (only and len(found) > 1):
        return None
    return max(found, key=lambda one: one[0])[1]
