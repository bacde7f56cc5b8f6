"""JSON Lines: one object per line, in UTF-8."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from knowledge_base.tables.cells import UNSTORABLE
from knowledge_base.tables.csv_text import as_utf8
from knowledge_base.tables.limits import Budget, in_megabytes

DEEPEST = 50
_LINES_BETWEEN_CHECKS = 1000
_TOO_DEEP = f"JSON 嵌套过深（上限 {DEEPEST} 层）"


@dataclass(frozen=True, slots=True)
class Line:
    """The object of one line, or why there is none."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


def read_lines(data: bytes, budget: Budget) -> Iterator[Line]:
    """The lines that are not blank."""
    for number, raw in enumerate(io.BytesIO(as_utf8(data)), start=1):
        if number % _LINES_BETWEEN_CHECKS == 0:
            budget.time()
        if not raw.strip():
            continue
        if len(raw) > budget.limits.line:
            yield Line(number, problem=f"这一行超过 {in_megabytes(budget.limits.line)}的上限")
            continue
        yield _line(number, raw)


def parse_json(text: str) -> Any:
    """What a JSON text says, if it can be stored: at most 50 deep, only finite numbers, no NUL and no half characters
    below the first level. Raises ValueError, with the reason in Chinese where it is more than bad grammar.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise _Unstorable(_TOO_DEEP) from None
    reason = _unstorable(value)
    if reason is not None:
        raise _Unstorable(reason)
    return value


class _Unstorable(ValueError):
    """JSON that a database does not take."""


def _line(number: int, raw: bytes) -> Line:
    try:
        values = parse_json(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Line(number, problem="不是 UTF-8 编码")
    except _Unstorable as error:
        return Line(number, problem=str(error))
    except ValueError:
        return Line(number, problem="不是有效的 JSON")
    if not isinstance(values, dict):
        return Line(number, problem="应为一个 JSON 对象")
    return Line(number, values)


def _unstorable(root: Any) -> str | None:
    """Why nested values cannot be kept. Text directly under a name is left to who knows what the name means."""
    waiting: list[tuple[Any, int]] = []
    for value in root.values() if isinstance(root, dict) else root if isinstance(root, list) else ():
        if isinstance(value, dict | list):
            waiting.append((value, 2))
    if isinstance(root, dict) and any(UNSTORABLE.search(name) for name in root):
        return "列名含有空字符（NUL）或残缺的字符"
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            return _TOO_DEEP
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            if isinstance(part, dict | list):
                waiting.append((part, depth + 1))
            elif isinstance(part, str) and UNSTORABLE.search(part):
                return "列表或对象里有空字符（NUL）或残缺的字符"
    return None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)
