"""Days as people write them into tables."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import Any

from knowledge_base.tables.cells import Cell

# Words for a date that is not limited.
OPEN = frozenset({
    "长期", "长期有效", "永久", "永久有效", "无", "无期限", "无限期", "不限", "不限期", "暂无",
    "-", "--", "—", "——", "/",
})  # fmt: skip
_WRITTEN = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?(?:[ T]\s*\d{1,2}:\d{2}(?::\d{2}(?:\.0+)?)?)?"
)
_MOMENT = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?"
    r"(?:\s*[ T]?\s*(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2}))?\s*[分秒]?)?"
)
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})")
# Days since the epoch of spreadsheets, of the years 1927 to 2173: shorter numbers are years, longer ones written days.
SERIAL = re.compile(r"[1-9]\d{4}(?:\.\d+)?")
EPOCH = datetime(1899, 12, 30)
LAST_SERIAL = 2_958_465  # 9999-12-31, which many write for "without an end"


def day_of(value: Any) -> date | None:
    """The day that a value means: a Cell, text, a number or a date; None for nothing, 长期, 永久, 无.

    Understood are 2026-09-30, 2026/9/30, 2026.9.30, 2026年9月30日, 20260930, and the serial numbers of spreadsheets.
    Raises ValueError for anything else.
    """
    if isinstance(value, Cell):
        if value.moment is not None:
            return value.moment.date()
        value = value.text
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no date")
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if not text or text in OPEN:
        return None
    if text.endswith(".0"):
        text = text[:-2]
    found = _DIGITS.fullmatch(text) or _WRITTEN.fullmatch(text)
    if found is not None:
        year, month, day = (int(part) for part in found.groups())
        return date(year, month, day)
    if SERIAL.fullmatch(text) or text == str(LAST_SERIAL):
        return (EPOCH + timedelta(days=int(float(text)))).date()
    raise ValueError("no date")


def moment_of(value: Any) -> datetime | None:
    """The moment that a value means, to the second, with a zone only where one is written; None for nothing.

    Understood are ISO 8601, 2026/9/30 8:05, 2026年9月30日 8时5分, date cells. Raises ValueError for anything else.
    """
    if isinstance(value, Cell):
        if value.moment is not None:
            return value.moment
        value = value.text
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("no time")
    text = unicodedata.normalize("NFKC", value).strip()
    found = _MOMENT.fullmatch(text)
    if found is not None:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        return datetime(year, month, day, hour, minute, second)
    return datetime.fromisoformat(text)
