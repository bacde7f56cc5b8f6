"""Turn one row of any format into an Entry: the rules that all importers share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.errors import ImportRejected
from knowledge_base.formats.result import ImportResult, Note, Origin, Rejection
from knowledge_base.tables import Cell, Columns, Row, day_of, parse_json, plain

# Each field with the headings that editors use in their sheets.
COLUMNS = Columns(
    {
        "id": ("编号", "条目编号", "序号"),
        "question": ("问题", "标准问题", "标准问"),
        "similar_questions": ("相似问题", "相似问", "相似问法"),
        "answer": ("答案", "回答", "答复"),
        "department": ("部门", "责任部门"),
        "region": ("地区", "区域"),
        "valid_from": ("生效日期", "生效时间"),
        "valid_to": ("失效日期", "失效时间", "有效期至"),
        "source": ("来源",),
        "keywords": ("关键词", "关键字"),
    },
    required=("question", "answer"),
    keys=("id", "question"),
)
# Before a value of an extra column that is no text, in a cell.
JSON_MARK = "json:"
LONGEST = {"id": 128, "question": 2_000, "answer": 100_000, "department": 200, "region": 200, "source": 2_000}
_LONGEST_ITEM = 2_000
_MOST_ITEMS = 500
_LONGEST_EXTRA = 100_000
_LONGEST_NAME = 200
NO_DEPARTMENT = "部门为空"
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|[\ud800-\udfff]")


class RowError(ValueError):
    """The row cannot become an entry; the message says why, in Chinese. `column` is the one at fault."""

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


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
        self._entries: dict[str, Entry] = {}
        self._columns: dict[frozenset[str], frozenset[str]] = {}

    def add(self, row: Row) -> None:
        """Take a row; a bad one is rejected with its reason, never raised."""
        if row.problem is not None:
            self._reject(row, row.problem, row.column)
            return
        found = list(row.notes)
        try:
            entry, derived = _entry(row.values, found)
        except RowError as error:
            self._reject(row, str(error), error.column)
            return
        if derived:
            entry = self._with_free_id(row, entry, found)
        first = self.result.origins.get(entry.id)
        if first is not None:
            same = self._entries[entry.id].content_hash == entry.content_hash
            there = _place(first, row.sheet)
            self._reject(row, f"与{there}完全重复" if same else f"编号 {entry.id} 与{there}重复", COLUMNS.title("id"))
            return
        columns = frozenset(row.values)
        # One set for all rows of a sheet.
        columns = self._columns.setdefault(columns, columns) if len(self._columns) < 1000 else columns
        self.result.origins[entry.id] = Origin(row.number, row.sheet, columns)
        self._entries[entry.id] = entry
        self.result.entries.append(entry)
        self.result.reported.extend(Note(row.number, note, row.sheet) for note in found)

    def _reject(self, row: Row, reason: str, column: str | None = None) -> None:
        self.result.rejected.append(Rejection(row.number, reason, row.sheet, column))

    def _with_free_id(self, row: Row, entry: Entry, notes: list[str]) -> Entry:
        twin = self._entries.get(entry.id)
        if twin is None or twin.answer == entry.answer:
            return entry
        notes.append(f"问题与{_place(self.result.origins[entry.id], row.sheet)}相同而答案不同")
        return _replace_id(entry, _derived_id(entry.question + "\0" + entry.answer))


def _place(origin: Origin, sheet: str | None) -> str:
    return f"“{origin.sheet}”第 {origin.row} 行" if origin.sheet != sheet else f"第 {origin.row} 行"


def _replace_id(entry: Entry, new: str) -> Entry:
    return Entry.from_dict({**entry.to_dict(), "id": new})


def _derived_id(text: str) -> str:
    return "q-" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _entry(values: Mapping[str, Any], notes: list[str]) -> tuple[Entry, bool]:
    question = _text(values, "question", notes)
    answer = _text(values, "answer", notes)
    if not question:
        raise RowError("缺少问题", COLUMNS.title("question"))
    if not answer:
        raise RowError("缺少答案", COLUMNS.title("answer"))
    department = _text(values, "department", notes)
    if not department and "department" in values:
        notes.append(NO_DEPARTMENT)
    valid_from, valid_to = _day(values, "valid_from"), _day(values, "valid_to")
    _check_days(valid_from, valid_to)
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


def onto(old: Entry, new: Entry, columns: frozenset[str]) -> Entry:
    """`old` with what a row that speaks of `columns` says of it: everything else stays. Both have the same id.

    Raises RowError when the two make no entry together.
    """
    before, after = old.to_dict(), new.to_dict()
    extra = {name: value for name, value in old.extra.items() if name not in columns} | dict(new.extra)
    values = {name: after[name] if name in columns else before[name] for name in after if name != "extra"}
    merged = Entry.from_dict({**values, "id": new.id, "extra": extra})
    _check_days(merged.valid_from, merged.valid_to)
    if merged.question in merged.similar_questions:
        others = [text for text in merged.similar_questions if text != merged.question]
        merged = Entry.from_dict({**merged.to_dict(), "similar_questions": others})
    return merged


def emptied(old: Entry, new: Entry) -> list[str]:
    """What `old` has and `new` lacks, by the columns' Chinese names."""
    before, after = old.to_dict(), new.to_dict()
    gone = [name for name in COLUMNS.fields if before[name] and not after[name]]
    return [COLUMNS.title(name) for name in gone] + [name for name in old.extra if name not in new.extra]


def _check_days(valid_from: date | None, valid_to: date | None) -> None:
    if valid_from and valid_to and valid_from > valid_to:
        raise RowError("生效日期晚于失效日期", COLUMNS.title("valid_from"))


def _text(values: Mapping[str, Any], name: str, notes: list[str]) -> str:
    value = plain(values.get(name))
    if value is None:
        return ""
    title = COLUMNS.title(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError(f"{title}应为文字", title)
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return _clean(text, title, LONGEST[name], notes)


def _clean(text: str, name: str, longest: int, notes: list[str] | None = None) -> str:
    if "\0" in text:
        raise RowError(f"{name}含有空字符（NUL）", name)
    if len(text) > longest:
        raise RowError(f"{name}过长（{len(text)} 字，上限 {longest} 字）", name)
    cleaned = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if notes is not None and len(cleaned) < len(text) - text.count("\r\n"):
        notes.append(f"{name}含有控制字符，已去除")
    return cleaned.strip()


def _list(values: Mapping[str, Any], name: str, separators: str) -> list[str]:
    value, title = plain(values.get(name)), COLUMNS.title(name)
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
        raise RowError(f"{title}应为文字或列表", title)
    if len(items) > _MOST_ITEMS:
        raise RowError(f"{title}过多（{len(items)} 条，上限 {_MOST_ITEMS} 条）", title)
    if not all(isinstance(item, str) for item in items):
        raise RowError(f"{title}中有不是文字的内容", title)
    cleaned = [_clean(item, title, _LONGEST_ITEM) for item in items]
    return [item for item in cleaned if item]


def _split(text: str, separators: str) -> list[str]:
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            parsed = parse_json(stripped)
        except ValueError:
            parsed = None
        if isinstance(parsed, list):
            return parsed
    return re.split(f"[{re.escape(separators)}]", text)


def _day(values: Mapping[str, Any], name: str) -> date | None:
    try:
        return day_of(values.get(name))
    except (ValueError, OverflowError):
        title = COLUMNS.title(name)
        raise RowError(f"{title}不是有效日期", title) from None


def _extra(values: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for name, given in values.items():
        if name in COLUMNS.fields or given is None:
            continue
        value = _marked(given.text) if isinstance(given, Cell) else given
        if value is None or value == "":
            continue
        if isinstance(value, str):
            # Kept as written; only what no format can store is refused or taken out.
            value = value.replace("\r\n", "\n").replace("\r", "\n")
            if "\0" in value or _CONTROLS.search(value):
                value = _clean(value, f"“{name}”列", _LONGEST_EXTRA)
            elif len(value) > _LONGEST_EXTRA:
                raise RowError(f"“{name}”列过长（上限 {_LONGEST_EXTRA} 字）", name)
        elif isinstance(value, datetime | date):
            value = value.isoformat()
        elif isinstance(value, dict | list) and len(json.dumps(value)) > _LONGEST_EXTRA:
            raise RowError(f"“{name}”列过长（上限 {_LONGEST_EXTRA} 字）", name)
        if len(name) > _LONGEST_NAME:
            raise RowError(f"列名过长（上限 {_LONGEST_NAME} 字）")
        extra[name] = value
    return extra


def _marked(text: str) -> Any:
    """The value of a cell of an extra column; the inverse of `cells.to_cells`."""
    if text.startswith(JSON_MARK):
        try:
            return parse_json(text[len(JSON_MARK) :])
        except ValueError:
            return text
    return text
