"""Slot values that plain words name: kinds of plates, of bills, of places."""

from __future__ import annotations

import re
from typing import Final

from components.text import normalise

_PLATE_KINDS: Final = (
    ("大型新能源汽车", r"大型新能源|新能源(大型|大巴|货车|客车)"),
    ("新能源小型车", r"新能源|绿牌|绿色牌|电动汽车|电动轿车|纯电|混动|电车"),
    ("轻便摩托车", r"轻便摩托|轻摩"),
    ("摩托车", r"摩托|机车$"),
    ("挂车", r"挂车|半挂|拖挂"),
    ("教练汽车", r"教练"),
    ("小型汽车", r"小型|小车|小汽车|轿车|蓝牌|蓝色牌|私家车|面包车|越野|suv|家用车|小货车|轻卡|皮卡"),
    ("大型汽车", r"大型|大车|货车|客车|黄牌|黄色牌|卡车|大巴|重卡|中巴"),
)
_BILL_KINDS: Final = (
    ("水费", "水", r"水费|用水|自来水|水表|吨水|water|水账单|(欠|交|查)水(?!电)"),
    ("电费", "电", r"(?<!水)电费|用电|电表|度电|电量|electric|电账单|(欠|交|查)电"),
    ("燃气费", "气", r"燃气|天然气|煤气|气费|方气|gas"),
    ("供暖费", "暖热", r"暖气|供暖|取暖|采暖|供热|热力"),
)
_BRIEF: Final = 4
"""Up to so many characters one character is enough to name a kind of bill ("【户号1】 水")."""
_PLACES: Final = re.compile(
    r"母婴室|无障碍厕所|公共厕所|公厕|厕所|卫生间|洗手间|停车场|停车位|充电桩|充电站|换电站|换电柜|加油站|加气站|派出所|警务室|"
    r"交警队|车管所|出入境大厅|政务服务大厅|政务大厅|办事大厅|服务大厅|便民服务中心|社区服务中心|社区卫生服务中心|卫生服务中心|"
    r"社区医院|卫生院|卫生所|诊所|医院|急诊|药店|药房|图书馆|博物馆|体育馆|公园|婚姻登记处|民政局|公积金中心|税务局|税务大厅|"
    r"不动产登记中心|公证处|法院|法律援助中心|营业厅|自助机|银行|邮局|地铁站|公交站|避难场所|菜市场|老年食堂|养老服务站|幼儿园|小学"
)
_MARKS: Final = re.compile("[\ue000-\ue0ff]")
_NUMBERED: Final = re.compile(r"^(?:选|第)?([1-6一二三四五六])(?:个|种|号)?$")
_OTHER: Final = re.compile(r"^(其他|其它|别的|都不是|另外的).{0,6}$")
_DIGITS: Final = "一二三四五六"
PLATE_OPTIONS: Final = ("小型汽车", "大型汽车", "新能源小型车", "摩托车", "挂车", "其他")
BILL_OPTIONS: Final = ("水费", "电费", "燃气费", "供暖费")
"""What the forms offer, in the order of domain/responses_forms.yml."""


def plate_kind(text: str, asked: bool = False) -> str | None:
    """The plate kind that a text names; when it was asked for, also a number of the list or "其他"."""
    plain = _plain(text)
    if asked:
        numbered = _option(plain, PLATE_OPTIONS)
        if numbered or _OTHER.match(plain):
            return numbered or "其他"
    return next((kind for kind, pattern in _PLATE_KINDS if re.search(pattern, plain)), None)


def bill_kind(text: str, asked: bool = False) -> str | None:
    """The one kind of bill that a text names, None for none or several ("水电费")."""
    plain = _plain(text)
    numbered = _option(plain, BILL_OPTIONS) if asked else None
    if numbered:
        return numbered
    if len(plain) <= _BRIEF:
        found = [
            kind for kind, characters, _ in _BILL_KINDS if any(c in plain.replace("暖气", "暖") for c in characters)
        ]
    else:
        found = [kind for kind, _, pattern in _BILL_KINDS if re.search(pattern, plain)]
    return found[0] if len(found) == 1 else None


def place_kind(text: str) -> str | None:
    """The kind of place that a text asks for, in its own words."""
    found = _PLACES.search(normalise(text))
    return found.group(0) if found else None


def _plain(text: str) -> str:
    return _MARKS.sub("", normalise(text)).strip(" 。.!,，、")


def _option(plain: str, options: tuple[str, ...]) -> str | None:
    numbered = _NUMBERED.match(plain)
    if numbered is None:
        return None
    digit = numbered.group(1)
    index = _DIGITS.index(digit) if digit in _DIGITS else int(digit) - 1
    return options[index] if index < len(options) else None
