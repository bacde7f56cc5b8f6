"""How an entry is written into the text cells of CSV and XLSX, and read back without loss."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.formats.rows import COLUMNS

_JSON_MARK = "json:"
# A cell that starts with one of these is run as a formula by spreadsheet programs (OWASP, "CSV Injection").
_FORMULA = "=+\\-@\t\r＝＋－＠"
_NEEDS_GUARD = re.compile(f"^'*[{_FORMULA}]")
_GUARDED = re.compile(f"^'+[{_FORMULA}]")


def guard(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return "'" + text if _NEEDS_GUARD.match(text) else text


def unguard(text: str) -> str:
    """Undo `guard`."""
    return text[1:] if _GUARDED.match(text) else text


def header(entries: Iterable[Entry]) -> list[str]:
    """All columns: the known ones, then every extra column in order of first appearance."""
    extras = dict.fromkeys(name for entry in entries for name in entry.extra)
    return [*COLUMNS, *extras]


def to_cells(entry: Entry, columns: list[str]) -> list[str]:
    """The entry as guarded text cells under `columns`."""
    values = entry.to_dict()
    extra = values.pop("extra")
    cells: list[str] = []
    for column in columns:
        if column in ("similar_questions", "keywords"):
            text = _join(values[column], "|｜\n" if column == "similar_questions" else "|｜\n,，、;；")
        elif column in COLUMNS:
            text = values[column] or ""
        else:
            text = _extra_text(extra.get(column))
        cells.append(guard(text))
    return cells


def from_cell(column: str, text: str) -> Any:
    """The value of a text cell; the inverse of `to_cells` for one column."""
    plain = unguard(text)
    if column not in COLUMNS and plain.startswith(_JSON_MARK):
        try:
            return json.loads(plain[len(_JSON_MARK) :])
        except ValueError:
            return plain
    return plain


def _join(items: list[str], separators: str) -> str:
    if any(item.startswith("[") or any(mark in item for mark in separators) for item in items):
        return json.dumps(items, ensure_ascii=False)
    return "\n".join(items)


def _extra_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and not value.startswith(_JSON_MARK):
        return value
    return _JSON_MARK + json.dumps(value, ensure_ascii=False, sort_keys=True)
