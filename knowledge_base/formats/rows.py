"""Turn one row of any format into an Entry: the rules that all importers share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.errors import ImportRejected
from knowledge_base.formats.result import ImportResult, Note, Rejection

COLUMNS = (
    "id", "question", "similar_questions", "answer", "department", "region",
    "valid_from", "valid_to", "source", "keywords",
)  # fmt: skip
REQUIRED = ("question", "answer")
# Headings that editors use in their sheets.
_ALIASES = {
    "编号": "id", "序号": "id", "问题": "question", "标准问题": "question", "标准问": "question",
    "相似问题": "similar_questions", "相似问": "similar_questions", "答案": "answer", "回答": "answer",
    "答复": "answer", "部门": "department", "责任部门": "department", "地区": "region", "区域": "region",
    "生效日期": "valid_from", "失效日期": "valid_to", "来源": "source", "关键词": "keywords",
}  # fmt: skip
LONGEST = {"id": 128, "question": 2_000, "answer": 100_000, "department": 200, "region": 200, "source": 2_000}
_LONGEST_ITEM = 2_000
_MOST_ITEMS = 500
_LONGEST_EXTRA = 100_000
_NAMES = {name: alias for alias, name in reversed(_ALIASES.items())}
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|[\ud800-\udfff]")
_DATE = re.compile(
    r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.0+)?)?)?$"
)


class RowError(ValueError):
    """The row cannot become an entry; the message says why, in Chinese."""


def column_name(heading: object) -> str:
    """Map a heading to the field it means; an unknown one is kept as it is (an extra column)."""
    text = str(heading if heading is not None else "").strip().lstrip("\ufeff")
    lowered = text.lower()
    return lowered if lowered in COLUMNS else _ALIASES.get(text, text)


def missing_columns(columns: Iterable[str]) -> list[str]:
    """The required columns that are not among `columns`, by their Chinese names."""
    present = set(columns)
    return [_NAMES[name] for name in REQUIRED if name not in present]


def make_entry(values: Mapping[str, Any]) -> Entry:
    """The entry that a single row {column: value} means, by the rules of an import. ImportRejected says why not."""
    try:
        return _entry(values, [])[0]
    except RowError as error:
        raise ImportRejected(str(error)) from None


class RowCollector:
    """Gathers rows into an ImportResult, minding ids and duplicates over the whole file."""

    def __init__(self) -> None:
        self.result = ImportResult()
        self._rows: dict[str, int] = {}
        self._entries: dict[str, Entry] = {}

    def reject(self, row: int, reason: str) -> None:
        """Record that `row` was not taken."""
        self.result.rejected.append(Rejection(row, reason))

    def note(self, row: int, note: str) -> None:
        """Record that `row` was taken and why it deserves a look."""
        self.result.reported.append(Note(row, note))

    def add(self, row: int, values: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
        """Take a row of {column: value}; a bad one is rejected with its reason, never raised."""
        found = list(notes)
        try:
            entry, derived = _entry(values, found)
        except RowError as error:
            self.reject(row, str(error))
            return
        if derived:
            entry = self._with_free_id(row, entry, found)
        first = self._rows.get(entry.id)
        if first is not None:
            same = self._entries[entry.id].content_hash == entry.content_hash
            self.reject(row, f"与第 {first} 行完全重复" if same else f"编号 {entry.id} 与第 {first} 行重复")
            return
        self._rows[entry.id] = row
        self._entries[entry.id] = entry
        self.result.entries.append(entry)
        for note in found:
            self.note(row, note)

    def _with_free_id(self, row: int, entry: Entry, notes: list[str]) -> Entry:
        twin = self._entries.get(entry.id)
        if twin is None or twin.answer == entry.answer:
            return entry
        notes.append(f"问题与第 {self._rows[entry.id]} 行相同而答案不同")
        return _replace_id(entry, _derived_id(entry.question + "\0" + entry.answer))


def _replace_id(entry: Entry, new: str) -> Entry:
    return Entry.from_dict({**entry.to_dict(), "id": new})


def _derived_id(text: str) -> str:
    return "q-" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _entry(values: Mapping[str, Any], notes: list[str]) -> tuple[Entry, bool]:
    question = _text(values, "question", notes)
    answer = _text(values, "answer", notes)
    if not question:
        raise RowError("缺少问题")
    if not answer:
        raise RowError("缺少答案")
    department = _text(values, "department", notes)
    if not department:
        notes.append("部门为空")
    valid_from, valid_to = _day(values, "valid_from"), _day(values, "valid_to")
    if valid_from and valid_to and valid_from > valid_to:
        raise RowError("生效日期晚于失效日期")
    similar = tuple(dict.fromkeys(text for text in _list(values, "similar_questions", "\n|｜") if text != question))
    identifier = _text(values, "id", notes)
    extra = _extra(values)
    entry = Entry(
        id=identifier or _derived_id(question),
        question=question,
        answer=answer,
        similar_questions=similar,
        department=department or None,
        region=_text(values, "region", notes) or None,
        valid_from=valid_from,
        valid_to=valid_to,
        source=_text(values, "source", notes) or None,
        keywords=tuple(dict.fromkeys(_list(values, "keywords", "\n|｜,，、;；"))),
        extra=extra,
    )
    return entry, not identifier


def _text(values: Mapping[str, Any], name: str, notes: list[str]) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError(f"{_NAMES[name]}应为文字")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = _clean(text, _NAMES[name], LONGEST[name], notes)
    return text


def _clean(text: str, name: str, longest: int, notes: list[str] | None = None) -> str:
    if "\0" in text:
        raise RowError(f"{name}含有空字符（NUL）")
    if len(text) > longest:
        raise RowError(f"{name}过长（{len(text)} 字，上限 {longest} 字）")
    cleaned = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if notes is not None and len(cleaned) < len(text) - text.count("\r\n"):
        notes.append(f"{name}含有控制字符，已去除")
    return cleaned.strip()


def _list(values: Mapping[str, Any], name: str, separators: str) -> list[str]:
    value = values.get(name)
    if value is None:
        return []
    items: list[Any]
    if isinstance(value, list | tuple):
        items = list(value)
    elif isinstance(value, str):
        items = _split(value, separators)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        items = [str(value)]
    else:
        raise RowError(f"{_NAMES[name]}应为文字或列表")
    if len(items) > _MOST_ITEMS:
        raise RowError(f"{_NAMES[name]}过多（{len(items)} 条，上限 {_MOST_ITEMS} 条）")
    if not all(isinstance(item, str) for item in items):
        raise RowError(f"{_NAMES[name]}中有不是文字的内容")
    cleaned = [_clean(item, _NAMES[name], _LONGEST_ITEM) for item in items]
    return [item for item in cleaned if item]


def _split(text: str, separators: str) -> list[str]:
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            parsed = json.loads(stripped)
        except ValueError:
            parsed = None
        if isinstance(parsed, list):
            return parsed
    return re.split(f"[{re.escape(separators)}]", text)


def _day(values: Mapping[str, Any], name: str) -> date | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if not text:
        return None
    match = _DATE.match(text)
    if match:
        year, month, day = (int(part) for part in match.groups())
        try:
            return date(year, month, day)
        except ValueError:
            pass
    raise RowError(f"{_NAMES[name]}不是有效日期")


def _extra(values: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for name, value in values.items():
        if name in COLUMNS or value is None:
            continue
        if isinstance(value, str):
            if value == "":
                continue
            # Kept as written; only what no format can store is refused.
            if "\0" in value or _CONTROLS.search(value):
                value = _clean(value, f"“{name}”列", _LONGEST_EXTRA)
            elif len(value) > _LONGEST_EXTRA:
                raise RowError(f"“{name}”列过长（上限 {_LONGEST_EXTRA} 字）")
        elif isinstance(value, datetime | date):
            value = value.isoformat()
        extra[name] = value
    return extra
