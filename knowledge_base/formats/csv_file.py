"""CSV as spreadsheets write it: UTF-8 with or without a byte order mark, or GB18030."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from knowledge_base.entry import Entry
from knowledge_base.errors import ImportRejected
from knowledge_base.formats.cells import from_cell, header, to_cells
from knowledge_base.formats.result import ImportResult
from knowledge_base.formats.rows import RowCollector, column_name, missing_columns

# What `surrogateescape` makes of bytes that do not decode; no valid text holds it, unlike U+FFFD.
_BROKEN = re.compile("[\udc80-\udcff]")
# A file counts as UTF-8 when at least this share of its lines beyond ASCII decodes as UTF-8.
_UTF8_SHARE = 0.5


def read_csv(data: bytes) -> ImportResult:
    """Import CSV with a header row. A broken row (quotes, columns, bytes) is rejected and reading goes on after it.

    Raises ImportRejected when there is no header with 问题 and 答案, or the bytes are no text.
    """
    lines = _decode(data)
    delimiter = _delimiter(lines[0]) if lines else ","
    records = _records(lines, delimiter)
    try:
        _, heading, _ = next(records)
    except StopIteration:
        raise ImportRejected("文件是空的") from None
    if any(_BROKEN.search(cell) for cell in heading or []):
        raise ImportRejected("表头有无法识别的字节，请另存为 UTF-8 的 CSV")
    columns = [column_name(cell) for cell in heading or []]
    missing = missing_columns(columns)
    if missing:
        raise ImportRejected(f"表头缺少列：{'、'.join(missing)}")
    collector = RowCollector()
    for row, cells, problem in records:
        if problem or cells is None:
            collector.reject(row, problem or "无法读取")
        elif any(cell.strip() for cell in cells):
            _add(collector, row, columns, cells)
    return collector.result


def write_csv(entries: Sequence[Entry]) -> bytes:
    """Export as CSV in UTF-8 with a byte order mark (Excel needs it), formulas guarded."""
    columns = header(entries)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(to_cells(entry, columns) for entry in entries)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def _add(collector: RowCollector, row: int, columns: list[str], cells: list[str]) -> None:
    if any(_BROKEN.search(cell) for cell in cells):
        collector.reject(row, "有无法识别的字节，编码与文件其余部分不同")
        return
    if any(cell.strip() for cell in cells[len(columns) :]):
        collector.reject(row, f"有 {len(cells)} 列，表头只有 {len(columns)} 列，可能是引号或逗号错位")
        return
    notes = [] if len(cells) >= len(columns) else [f"只有 {len(cells)} 列，表头有 {len(columns)} 列"]
    values: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=False):
        if column:
            values.setdefault(column, from_cell(column, cell))
    collector.add(row, values, notes)


def _decode(data: bytes) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportRejected("文件是 UTF-16 编码，请另存为 UTF-8 的 CSV")
    data = data.removeprefix(b"\xef\xbb\xbf")
    raw = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    beyond = [line for line in raw if not line.isascii()]
    good = sum(_decodes(line, "utf-8") for line in beyond)
    encoding = "utf-8" if not beyond or good >= _UTF8_SHARE * len(beyond) else "gb18030"
    if encoding == "gb18030" and sum(_decodes(line, encoding) for line in beyond) < _UTF8_SHARE * len(beyond):
        raise ImportRejected("文件编码无法识别，请另存为 UTF-8 的 CSV")
    lines = [line.decode(encoding, errors="surrogateescape") for line in raw]
    while lines and not lines[-1].strip():
        lines.pop()
    return [line + "\n" for line in lines]


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(heading: str) -> str:
    return max(",\t;", key=heading.count)


def _records(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str] | None, str | None]]:
    """Yield (row, cells, None) or (row, None, reason); rows count records, the header is row 1.

    After an error reading starts again on the line after the one where the broken record began, so that a quote that
    never closes costs one row and not the rest of the file.
    """
    start, row = 0, 0
    while start < len(lines):
        reader = csv.reader(iter(lines[start:]), delimiter=delimiter, strict=True)
        consumed = 0
        while True:
            row += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield row, None, _reason(error)
                start += consumed + 1
                break
            consumed = reader.line_num
            yield row, cells, None


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "limit" in text:
        return "字段过长"
    if "NUL" in text:
        return "含有空字符（NUL）"
    return "引号不成对，无法读取这一行"
