"""How an entry is written into the text cells of CSV and XLSX, and read back without loss."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.formats.rows import COLUMNS, JSON_MARK
from knowledge_base.tables import guard


def header(entries: Iterable[Entry]) -> list[str]:
    """All columns: the known ones, then every extra column in order of first appearance."""
    extras = dict.fromkeys(name for entry in entries for name in entry.extra)
    return [*COLUMNS.fields, *extras]


def to_cells(entry: Entry, columns: list[str]) -> list[str]:
    """The entry as guarded text cells under `columns`."""
    values = entry.to_dict()
    extra = values.pop("extra")
    cells: list[str] = []
    for column in columns:
        if column in ("similar_questions", "keywords"):
            text = _join(values[column], "|｜\n" if column == "similar_questions" else "|｜\n,，、;；")
        elif column in COLUMNS.fields:
            text = values[column] or ""
        else:
            text = _extra_text(extra.get(column))
        cells.append(guard(text))
    return cells


def _join(items: list[str], separators: str) -> str:
    if any(item.startswith("[") or any(mark in item for mark in separators) for item in items):
        return json.dumps(items, ensure_ascii=False)
    return "\n".join(items)


def _extra_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and not value.startswith(JSON_MARK):
        return value
    return JSON_MARK + json.dumps(value, ensure_ascii=False, sort_keys=True)
