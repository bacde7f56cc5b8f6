"""JSON Lines: one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.formats.result import ImportResult
from knowledge_base.formats.rows import COLUMNS, RowCollector, column_name


def read_jsonl(data: bytes) -> ImportResult:
    """Import JSON Lines (UTF-8, with or without a byte order mark). Bad lines are rejected one by one."""
    collector = RowCollector()
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            values = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        except UnicodeDecodeError:
            collector.reject(number, "不是 UTF-8 编码")
            continue
        except (ValueError, RecursionError):
            collector.reject(number, "不是有效的 JSON")
            continue
        if not isinstance(values, dict):
            collector.reject(number, "应为一个 JSON 对象")
            continue
        collector.add(number, _named(values))
    return collector.result


def write_jsonl(entries: Iterable[Entry]) -> bytes:
    """Export as JSON Lines; extra columns stand beside the known ones, empty fields are left out."""
    lines = []
    for entry in entries:
        values = entry.to_dict()
        extra = values.pop("extra")
        row = {name: values[name] for name in COLUMNS if values[name] not in (None, [])}
        lines.append(json.dumps(row | extra, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8")


def _named(values: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, value in values.items():
        named.setdefault(column_name(key), value)
    return named


def _refuse(constant: str) -> None:
    raise ValueError(constant)
