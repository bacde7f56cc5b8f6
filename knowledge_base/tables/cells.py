"""One cell: what it shows, and the number or moment behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# A cell that starts with one of these is run as a formula by spreadsheet programs (OWASP, "CSV Injection").
_FORMULA = "=+\\-@\t\r＝＋－＠"
_NEEDS_GUARD = re.compile(f"^'*[{_FORMULA}]")
_GUARDED = re.compile(f"^'+[{_FORMULA}]")
# Spreadsheets keep this many digits of a number (IEEE 754 double; ECMA-376 part 1, 18.18.11).
DIGITS = 15
# PostgreSQL takes no NUL, and UTF-8 no half of a character beyond the first plane.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?[Ee]\+(\d{2,3})")


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` is what a reader of the sheet sees. `number` and `moment` (without a zone) are what a number or a date
    cell holds. `problem` says why the content cannot be had (a failed formula); `remark` why it deserves a look.
    """

    text: str
    number: float | None = None
    moment: datetime | None = None
    problem: str | None = None
    remark: str | None = None


def plain(value: Any) -> Any:
    """The text of a Cell; any other value as it is."""
    return value.text if isinstance(value, Cell) else value


def guard(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return "'" + text if _NEEDS_GUARD.match(text) else text


def unguard(text: str) -> str:
    """Undo `guard`."""
    return text[1:] if _GUARDED.match(text) else text


def text_cell(text: str) -> Cell | None:
    """The cell of a text file; None when it is empty."""
    if not text:
        return None
    written = _SCIENTIFIC.fullmatch(text.strip())
    if written is not None and int(written[1]) >= DIGITS:
        return Cell(text, remark="是科学计数法写的长数字，末尾几位已经丢失，请核对")
    return Cell(unguard(text))
