"""CSV as spreadsheets write it: UTF-8 or UTF-16 with or without its mark, or GB18030; commas, tabs or semicolons."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge_base.errors import ImportRejected
from knowledge_base.tables.columns import HEADING_WITHIN, Columns
from knowledge_base.tables.limits import Budget, in_megabytes

# What `surrogateescape` makes of bytes that do not decode; no valid text holds it, unlike U+FFFD.
BROKEN = re.compile("[\udc80-\udcff]")
# A file counts as UTF-8 when at least this share of its lines beyond ASCII decodes as UTF-8.
_UTF8_SHARE = 0.5
# Excel reads the separator from such a first line and does not show it.
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_DELIMITERS = ",\t;"
_LINES_BETWEEN_CHECKS = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its number, and its cells or why there are none."""

    number: int
    cells: list[str] | None
    problem: str | None = None


class CsvText:
    """The records of a file, and which of them is the heading.

    Raises ImportRejected when the bytes are no text, or no heading with the required columns is found.
    """

    def __init__(self, data: bytes, columns: Columns, budget: Budget) -> None:
        self._budget = budget
        self._lines = _decode(data, budget)
        self._start = 0
        delimiters: Sequence[str] = _DELIMITERS
        said = _SEPARATOR.fullmatch(self._lines[0].strip("\n")) if self._lines else None
        if said is not None:
            self._start, delimiters = 1, said[1]
        self._delimiter, self.heading = self._find(columns, delimiters)

    def records(self) -> Iterator[Record]:
        """The records after the heading; blank ones come with empty cells."""
        yield from (record for record in self._records(self._delimiter) if record.number > self.heading.number)

    def _find(self, columns: Columns, delimiters: Sequence[str]) -> tuple[str, Record]:
        """The delimiter and the heading. A title and empty lines above the heading are passed over."""
        lacking: list[str] | None = None
        trouble = ""
        for delimiter in delimiters:
            for record in self._records(delimiter):
                if record.number > HEADING_WITHIN:
                    break
                cells = record.cells or []
                if record.problem:
                    trouble = trouble or f"第 {record.number} 行：{record.problem}"
                if not any(cell.strip() for cell in cells):
                    continue
                self._budget.columns(max(index for index, cell in enumerate(cells, 1) if cell.strip()))
                missing = columns.missing(cells)
                if not missing:
                    if any(BROKEN.search(cell) for cell in cells):
                        raise ImportRejected("表头有无法识别的字节，请另存为 UTF-8 的 CSV")
                    return delimiter, record
                if any(BROKEN.search(cell) for cell in cells):
                    trouble = trouble or "有无法识别的字节，请另存为 UTF-8 的 CSV"
                if lacking is None or len(missing) < len(lacking):
                    lacking = missing
        if lacking is None:
            raise ImportRejected(trouble or "文件是空的")
        raise ImportRejected(f"表头缺少列：{'、'.join(lacking)}{'；' if trouble else ''}{trouble}")

    def _records(self, delimiter: str) -> Iterator[Record]:
        """All records, counted from 1 as a spreadsheet shows them.

        After an error reading starts again on the line after the one where the broken record began, so that a quote
        that never closes costs one row and not the rest of the file.
        """
        start, number = self._start, 0
        while start < len(self._lines):
            lines = _From(self._lines, start, self._budget)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            consumed = start
            while True:
                number += 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Record(number, None, _reason(error))
                    start = consumed + 1
                    break
                except _TooLong:
                    limit = in_megabytes(self._budget.limits.line)
                    yield Record(number, None, f"这一行超过 {limit}的上限")
                    start = consumed + 1
                    break
                consumed = lines.at
                yield Record(number, cells)


class _TooLong(Exception):
    """A line is longer than any row may be."""


class _From:
    """The lines from a place on; `at` is the index of the next one."""

    def __init__(self, lines: Sequence[str], at: int, budget: Budget) -> None:
        self._lines = lines
        self._budget = budget
        self.at = at

    def __iter__(self) -> _From:
        return self

    def __next__(self) -> str:
        if self.at >= len(self._lines):
            raise StopIteration
        line = self._lines[self.at]
        self.at += 1
        if self.at % _LINES_BETWEEN_CHECKS == 0:
            self._budget.time()
        if len(line) > self._budget.limits.line:
            raise _TooLong
        return line


def as_utf8(data: bytes) -> bytes:
    """The bytes without a byte order mark; UTF-16 becomes UTF-8. Raises ImportRejected for a broken one."""
    encoding = None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(data) >= 4 and len(data) % 2 == 0 and b"\0" in data[:2] and data[:2] != b"\0\0":
        # Text begins with a letter of ASCII in nearly every file: its other byte is zero.
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    if encoding is None:
        return data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode(encoding).encode("utf-8")
    except UnicodeError:
        raise ImportRejected("文件是 UTF-16 编码但有损坏，请另存为 UTF-8 的 CSV") from None


def _decode(data: bytes, budget: Budget) -> list[str]:
    """The lines, each with its end."""
    raw = as_utf8(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    budget.lines(raw.count(b"\n"))
    beyond = good = 0
    for number, line in enumerate(io.BytesIO(raw)):
        if number % _LINES_BETWEEN_CHECKS == 0:
            budget.time()
        if not line.isascii():
            beyond += 1
            good += _decodes(line, "utf-8")
    encoding = "utf-8" if good >= _UTF8_SHARE * beyond else "gb18030"
    if encoding == "gb18030" and sum(_decodes(line, encoding) for line in io.BytesIO(raw)) < _UTF8_SHARE * beyond:
        raise ImportRejected("文件编码无法识别，请另存为 UTF-8 的 CSV")
    lines = [line.decode(encoding, errors="surrogateescape") for line in io.BytesIO(raw)]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "limit" in text:
        return f"字段过长（上限 {csv.field_size_limit()} 字）"
    if "NUL" in text:
        return "含有空字符（NUL）"
    return "引号不成对，无法读取这一行"
