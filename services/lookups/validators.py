"""Identifiers citizens type: normalised to their canonical form, or None when they are none. Pure.

Sources: plates GA 36-2018 (letters I and O are not used in serials; new-energy plates have eight characters), plate
kinds as GA/T 16.7 names them (their codes stand in the connector), id cards GB 11643-1999 (check character ISO 7064
MOD 11-2), file numbers of driving licences twelve digits (GA 482).
"""

import re
import unicodedata
from collections.abc import Callable

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
_SERIAL = "A-HJ-NP-Z0-9"
_PLATE = re.compile(rf"[{PROVINCES}][A-Z][{_SERIAL}]{{4}}[{_SERIAL}警学挂港澳试超]")
_NEW_ENERGY = re.compile(rf"[{PROVINCES}][A-Z](?:[A-HJK][{_SERIAL}]\d{{4}}|\d{{5}}[A-HJK])")
_SEPARATORS = re.compile(r"[\s·•・.\-—_]+")

PLATE_KINDS = {
    "小型汽车": ("小型汽车", "小型车", "小车", "小汽车", "轿车", "蓝牌"),
    "大型汽车": ("大型汽车", "大型车", "大车", "大汽车", "货车", "客车", "黄牌"),
    "小型新能源汽车": (
        "小型新能源汽车",
        "小型新能源",
        "新能源小型车",
        "新能源小型汽车",
        "新能源汽车",
        "新能源",
        "新能源车",
        "绿牌",
    ),
    "大型新能源汽车": ("大型新能源汽车", "大型新能源", "新能源大型车", "新能源大型汽车"),
    "普通摩托车": ("普通摩托车", "摩托车", "摩托", "两轮摩托车"),
    "轻便摩托车": ("轻便摩托车", "轻便摩托", "轻摩"),
    "挂车": ("挂车",),
    "教练汽车": ("教练汽车", "教练车"),
    "教练摩托车": ("教练摩托车", "教练摩托"),
    "低速车": ("低速车", "低速货车", "三轮汽车", "农用车", "农用运输车"),
    "拖拉机": ("拖拉机",),
    "使馆汽车": ("使馆汽车", "使馆车"),
    "领馆汽车": ("领馆汽车", "领馆车"),
    "境外汽车": ("境外汽车",),
    "外籍汽车": ("外籍汽车",),
    "试验汽车": ("试验汽车", "试验车"),
    "临时行驶车": ("临时行驶车", "临牌", "临时号牌", "临时牌照"),
    "警用汽车": ("警用汽车", "警车"),
    "警用摩托": ("警用摩托", "警用摩托车"),
    "香港入出境车": ("香港入出境车", "港牌", "粤港两地牌", "粤港车"),
    "澳门入出境车": ("澳门入出境车", "澳牌", "粤澳两地牌", "粤澳车"),
    "其他号牌": ("其他号牌", "其他", "其它", "都不是", "不知道"),
}
BILL_KINDS = {
    "水费": ("水费", "水", "自来水", "用水"),
    "电费": ("电费", "电", "用电"),
    "燃气费": ("燃气费", "燃气", "气费", "煤气", "煤气费", "天然气", "天然气费", "用气"),
    "供暖费": ("供暖费", "供暖", "暖气", "暖气费", "供热", "供热费", "取暖费", "采暖费"),
}

PLACE_KINDS = {
    "公共厕所": ("厕", "卫生间", "洗手间"),
    "停车场": ("停车", "泊车"),
    "充电站": ("充电",),
    "婚姻登记处": ("婚姻", "结婚", "离婚"),
    "车管所": ("车管",),
    "派出所": ("派出所", "公安", "警"),
    "社区卫生服务中心": ("医院", "诊所", "社康", "卫生服务", "卫生院", "医疗"),
    "图书馆": ("图书", "借书"),
    "公园": ("公园",),
    "政务服务大厅": ("政务", "办事大厅", "服务大厅", "办事窗口", "行政服务", "便民服务"),
}
_BILL_WORDS = {
    "水费": ("水费", "自来水", "用水", "水表", "水电"),
    "电费": ("电费", "用电", "电表", "电量", "电网", "水电"),
    "燃气费": ("燃气", "天然气", "煤气", "气费", "气表"),
    "供暖费": ("供暖", "暖气", "供热", "取暖", "采暖"),
}


def _plain(text: str) -> str:
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()


def normalise_plate(text: str) -> str | None:
    """`粤b·7k392` -> `粤B7K392`; the unused letters I and O of a serial are read as 1 and 0."""
    plain = _plain(text)
    if len(plain) < 7:
        return None
    plain = plain[:2] + plain[2:].replace("O", "0").replace("I", "1")
    fits = _PLATE.fullmatch(plain) or _NEW_ENERGY.fullmatch(plain)
    return plain if fits else None


def is_new_energy_plate(plate: str) -> bool:
    """Whether a canonical plate is one of eight characters."""
    return _NEW_ENERGY.fullmatch(plate) is not None


def _by_alias(kinds: dict[str, tuple[str, ...]]) -> Callable[[str], str | None]:
    aliases = {alias: kind for kind, names in kinds.items() for alias in names}

    def normalise(text: str) -> str | None:
        return aliases.get(_plain(text))

    return normalise


normalise_plate_kind = _by_alias(PLATE_KINDS)
normalise_bill_kind = _by_alias(BILL_KINDS)


def place_kind_in(text: str) -> str | None:
    """The kind of place a sentence asks for, the first in the order of PLACE_KINDS; None when it names none."""
    return next((kind for kind, words in PLACE_KINDS.items() if any(word in text for word in words)), None)


def bill_kind_in(text: str) -> str | None:
    """The kind of bill a sentence asks for; None when it names none or several."""
    named = [kind for kind, words in _BILL_WORDS.items() if any(word in text for word in words)]
    return named[0] if len(named) == 1 else None


def normalise_engine_tail(text: str) -> str | None:
    """The last four to six characters of an engine number; a longer number is cut to six."""
    plain = _plain(text)
    return plain[-6:] if re.fullmatch(r"[A-Z0-9]{4,20}", plain) else None


def normalise_license_file_no(text: str) -> str | None:
    plain = _plain(text)
    return plain if re.fullmatch(r"[0-9]{12}", plain) else None


def id_card_is_valid(text: str) -> bool:
    """Whether a full id-card number carries the right check character."""
    plain = _plain(text)
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", plain):
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(plain[:17]))
    return plain[17] == "10X98765432"[total % 11]


def normalise_id_card_tail(text: str) -> str | None:
    """The last four characters, from a full id-card number or from just those."""
    plain = _plain(text)
    if re.fullmatch(r"[0-9]{3}[0-9X]", plain) or id_card_is_valid(plain):
        return plain[-4:]
    return None


def normalise_household_no(text: str) -> str | None:
    """Household numbers of water, electricity, gas and heating suppliers: 6 to 13 digits."""
    plain = _plain(text)
    return plain if re.fullmatch(r"[0-9]{6,13}", plain) else None


def normalise_case_no(text: str) -> str | None:
    """`gd 2026-0815-0003` -> `GD202608150003`; own cases begin with GD."""
    plain = _plain(text)
    return plain if re.fullmatch(r"[A-Z]{0,4}[0-9]{6,20}", plain) else None


def normalise_phone_tail(text: str) -> str | None:
    """The last four digits of a telephone number, from a mobile number or from just those."""
    plain = _plain(text)
    return plain[-4:] if re.fullmatch(r"[0-9]{4}|1[3-9][0-9]{9}", plain) else None


def normalise_place(text: str) -> str | None:
    """A typed place, or `lat,lng` with an optional `;wgs84` or `;gcj02` behind it."""
    plain = unicodedata.normalize("NFKC", text).strip()
    return plain if 0 < len(plain) <= 100 else None


FREE_TEXT = "text_"
"""How a parameter begins that is plain text or a word from a form's options."""


def normaliser_of(name: str) -> Callable[[str], str | None]:
    """The check of a parameter; KeyError for an unknown one."""
    return normalise_place if name.startswith(FREE_TEXT) else NORMALISERS[name]


NORMALISERS: dict[str, Callable[[str], str | None]] = {
    "plate": normalise_plate,
    "plate_kind": normalise_plate_kind,
    "engine_tail": normalise_engine_tail,
    "license_file_no": normalise_license_file_no,
    "id_card": normalise_id_card_tail,
    "household_no": normalise_household_no,
    "bill_kind": normalise_bill_kind,
    "case_no": normalise_case_no,
    "phone_tail": normalise_phone_tail,
    "location": normalise_place,
    "service": normalise_place,
}

NAMES = {
    "plate": "车牌号",
    "plate_kind": "号牌种类",
    "engine_tail": "发动机号后四至六位",
    "license_file_no": "驾驶证档案编号（12 位数字）",
    "id_card": "身份证号后四位",
    "household_no": "户号（6 至 13 位数字）",
    "bill_kind": "缴费类型",
    "case_no": "办件编号",
    "phone_tail": "手机号后四位",
    "location": "位置",
    "service": "要找的服务",
}


def mask(value: str) -> str:
    """`粤B7K392` -> `粤B7**92`: the first three and last two characters stay, of short ones less."""
    if len(value) <= 4:
        return "*" * (len(value) - 1) + value[-1:]
    head = 3 if len(value) >= 7 else 1
    return value[:head] + "*" * (len(value) - head - 2) + value[-2:]
