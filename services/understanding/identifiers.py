"""Identifiers citizens type: normalised to their canonical form, or None when they are none. Pure.

Sources: plates GA 36-2018 (letters I and O are not used in serials; new-energy plates have eight characters), plate
kinds as GA/T 16.7 names them (their codes stand in the connector), id cards GB 11643-1999 (check character ISO 7064
MOD 11-2), file numbers of driving licences twelve digits (GA 482).
"""

import re
import unicodedata
from collections.abc import Callable

from services.understanding.folding import compact
from services.understanding.words import BILL_KINDS, PLATE_KINDS, PROVINCES, named_option

_SERIAL = "A-HJ-NP-Z0-9"
_PLATE = re.compile(rf"[{PROVINCES}][A-Z][{_SERIAL}]{{4}}[{_SERIAL}警学挂港澳试超]")
_NEW_ENERGY = re.compile(rf"[{PROVINCES}][A-Z](?:[A-HJK][{_SERIAL}]\d{{4}}|\d{{5}}[A-HJK])")


def normalise_plate(text: str) -> str | None:
    """`粤b·7k392` -> `粤B7K392`; the unused letters I and O of a serial are read as 1 and 0."""
    plain = compact(text)
    if len(plain) < 7:
        return None
    plain = plain[:2] + plain[2:].replace("O", "0").replace("I", "1")
    fits = _PLATE.fullmatch(plain) or _NEW_ENERGY.fullmatch(plain)
    return plain if fits else None


def is_new_energy_plate(plate: str) -> bool:
    """Whether a canonical plate is one of eight characters."""
    return _NEW_ENERGY.fullmatch(plate) is not None


def normalise_plate_kind(text: str) -> str | None:
    """The kind of plate that an answer names (`words.PLATE_KINDS`)."""
    return named_option(PLATE_KINDS, text, asked=True)


def normalise_bill_kind(text: str) -> str | None:
    """The kind of bill that an answer names (`words.BILL_KINDS`); None when it names several."""
    return named_option(BILL_KINDS, text, asked=True, only=True)


def normalise_engine_tail(text: str) -> str | None:
    """The last four to six characters of an engine number; a longer number is cut to six."""
    plain = compact(text)
    return plain[-6:] if re.fullmatch(r"[A-Z0-9]{4,20}", plain) else None


def normalise_license_file_no(text: str) -> str | None:
    plain = compact(text)
    return plain if re.fullmatch(r"[0-9]{12}", plain) else None


def id_card_is_valid(text: str) -> bool:
    """Whether a full id-card number carries the right check character."""
    plain = compact(text)
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", plain):
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(plain[:17]))
    return plain[17] == "10X98765432"[total % 11]


def normalise_id_card_tail(text: str) -> str | None:
    """The last four characters, from a full id-card number or from just those."""
    plain = compact(text)
    if re.fullmatch(r"[0-9]{3}[0-9X]", plain) or id_card_is_valid(plain):
        return plain[-4:]
    return None


def normalise_household_no(text: str) -> str | None:
    """Household numbers of water, electricity, gas and heating suppliers: 6 to 13 digits."""
    plain = compact(text)
    return plain if re.fullmatch(r"[0-9]{6,13}", plain) else None


def normalise_case_no(text: str) -> str | None:
    """`gd 2026-0815-0003` -> `GD202608150003`; own cases begin with GD."""
    plain = compact(text)
    return plain if re.fullmatch(r"[A-Z]{0,4}[0-9]{6,20}", plain) else None


def normalise_phone_tail(text: str) -> str | None:
    """The last four digits of a telephone number, from a mobile number or from just those."""
    plain = compact(text)
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
