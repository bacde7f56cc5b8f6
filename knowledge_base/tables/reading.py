"""One reader for every table that people hand over: JSON Lines, CSV or a workbook, by the suffix of its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge_base.errors import ImportRejected
from knowledge_base.tables.cells import UNSTORABLE, Cell, plain, text_cell
from knowledge_base.tables.columns import HEADING_WITHIN, Chosen, Columns
from knowledge_base.tables.csv_text import BROKEN, CsvText, Record
from knowledge_base.tables.json_lines import read_lines
from knowledge_base.tables.limits import Budget, Limits
from knowledge_base.tables.sheet import Merge, rows, scan
from knowledge_base.tables.workbook import Workbook

JSON_LINES, CSV, WORKBOOK = frozenset({".jsonl", ".ndjson"}), frozenset({".csv", ".tsv", ".txt"}), (".xlsx", ".xlsm")
DEFAULT = Limits()


@dataclass(slots=True)
class Row:
    """One row. `number` is what the file shows: the line of JSON Lines, the row of a sheet (a first line `sep=,` does
    not count); `sheet` its name in a workbook.

    `values` holds a Cell or a JSON value by field (other columns by their heading), None for an empty one, and nothing
    for a column that the file does not have. `problem` says why the row cannot be read (`column`: because of which, in
    Chinese); it has no values then.
    """

    number: int
    sheet: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str | None = None
    column: str | None = None

    def refuse(self, column: str, problem: str) -> None:
        """The row cannot be read because of a column."""
        self.problem, self.column, self.values = problem, column, {}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sheet that was left out."""

    sheet: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of a heading."""

    number: int
    sheet: str | None
    note: str


class Table:
    """The rows of a file, to be gone through once. `skipped` and `remarks` are complete when that is done.

    Raises ImportRejected while it is read: a bound was passed, or nothing in the file is such a table.
    """

    def __init__(self, source: Callable[[Table], Iterator[Row]]) -> None:
        self.skipped: list[Skipped] = []
        self.remarks: list[Remark] = []
        self._source = source

    def __iter__(self) -> Iterator[Row]:
        return self._source(self)


def read_table(
    name: str,
    data: bytes,
    columns: Columns,
    *,
    limits: Limits = DEFAULT,
    clock: Callable[[], float] = time.monotonic,
) -> Table:
    """The rows of a file; the suffix of `name` says its format. `clock` gives seconds and measures `limits.seconds`.

    Raises ImportRejected, at once or while the rows are gone through.
    """
    suffix = Path(name).suffix.lower()
    budget = Budget(limits, clock)
    budget.bytes(len(data))
    if not data.strip():
        raise ImportRejected("文件是空的")
    if suffix in JSON_LINES:
        return Table(lambda table: _lines(data, columns, budget))
    if suffix in CSV:
        return Table(lambda table: _csv(table, CsvText(data, columns, budget), columns, budget))
    if suffix in WORKBOOK:
        return Table(lambda table: _workbook(table, Workbook(data, budget), columns))
    hint = "，请另存为 XLSX" if suffix in (".xls", ".et", ".ods", ".xlsb") else ""
    raise ImportRejected(f"不支持的格式“{suffix or '无后缀'}”{hint}（支持 JSONL、CSV、XLSX）")


def read_file(path: Path, limits: Limits = DEFAULT) -> bytes:
    """The bytes of a file, never more than the bound. Raises ImportRejected when it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(limits.bytes + 1)
    except FileNotFoundError:
        raise ImportRejected(f"找不到文件：{path.name}") from None
    except (OSError, ValueError) as error:
        raise ImportRejected(f"无法读取文件：{path.name}") from error
    Budget(limits, time.monotonic).bytes(len(data))
    return data


def _lines(data: bytes, columns: Columns, budget: Budget) -> Iterator[Row]:
    for line in read_lines(data, budget):
        budget.rows()
        if line.problem is None and len(line.values) > budget.limits.columns:
            yield Row(line.number, problem=f"超过 {budget.limits.columns} 列的上限")
            continue
        row = Row(line.number, problem=line.problem)
        if line.problem is None:
            chosen = columns.chosen(list(line.values))
            row.values = {name: value for name, value in zip(chosen.names, line.values.values(), strict=True) if name}
            row.notes.extend(chosen.remarks)
            _check_texts(row, columns)
        yield row


def _csv(table: Table, text: CsvText, columns: Columns, budget: Budget) -> Iterator[Row]:
    headings = text.heading.cells or []
    chosen = columns.chosen(headings)
    table.remarks.extend(Remark(text.heading.number, None, note) for note in chosen.remarks)
    unnamed = _Unnamed(headings)
    for record in text.records():
        if record.cells is None:
            budget.rows()
            yield Row(record.number, problem=record.problem)
        elif any(cell.strip() for cell in record.cells):
            budget.rows()
            budget.cells(len(record.cells))
            unnamed.see(index for index, cell in enumerate(record.cells) if cell.strip())
            yield _csv_row(record, record.cells, chosen, columns)
    table.remarks.extend(Remark(text.heading.number, None, note) for note in unnamed.notes())


def _csv_row(record: Record, cells: list[str], chosen: Chosen, columns: Columns) -> Row:
    width = len(chosen.names)
    if any(BROKEN.search(cell) for cell in cells):
        return Row(record.number, problem="有无法识别的字节，编码与文件其余部分不同")
    if any(cell.strip() for cell in cells[width:]):
        return Row(record.number, problem=f"有 {len(cells)} 列，表头只有 {width} 列，可能是引号或逗号错位")
    row = Row(record.number)
    if len(cells) < width:
        row.notes.append(f"只有 {len(cells)} 列，表头有 {width} 列")
    _fill(row, {index: cell for index, text in enumerate(cells) if (cell := text_cell(text))}, chosen, columns)
    # A row that ends early says nothing of the columns after its end.
    for name in chosen.names[len(cells) :]:
        row.values.pop(name, None)
    return row


def _workbook(table: Table, book: Workbook, columns: Columns) -> Iterator[Row]:
    lacking: list[str] | None = None
    read = 0
    for part in book.sheets:
        if part.part is None:
            table.skipped.append(Skipped(part.name, "不是数据表（图表或宏）"))
            continue
        if part.hidden:
            table.skipped.append(Skipped(part.name, "是隐藏的工作表"))
            continue
        found = scan(book, part.part)
        if not found.filled:
            table.skipped.append(Skipped(part.name, "是空的"))
            continue
        sheet = _Sheet(part.name, found.merges, columns, book.budget)
        yield from sheet.rows(rows(book, part.part, found))
        if sheet.chosen is None:
            reason = f"前 {HEADING_WITHIN} 行没有表头（缺少{'、'.join(sheet.lacking)}）"
            table.skipped.append(Skipped(part.name, reason))
            if lacking is None or len(sheet.lacking) < len(lacking):
                lacking = sheet.lacking
        else:
            read += 1
            table.remarks.extend(Remark(sheet.heading, part.name, note) for note in sheet.remarks())
    if not read:
        hidden = "；".join(f"“{one.sheet}”{one.reason}" for one in table.skipped if lacking is None)
        raise ImportRejected(f"表头缺少列：{'、'.join(lacking)}" if lacking else f"没有可以导入的工作表：{hidden}")


class _Sheet:
    """The rows of one sheet, once its heading was found. A title above the heading is passed over.

    Cells merged downwards are filled down and noted; a key merged over rows with content is refused row by row (nobody
    can know which of them it belongs to), and so are cells merged across columns that are read.
    """

    def __init__(self, name: str, merges: Sequence[Merge], columns: Columns, budget: Budget) -> None:
        self.name = name
        self.heading = 0
        self.chosen: Chosen | None = None
        self.lacking: list[str] = [columns.title(field) for field in columns.required]
        self._columns = columns
        self._budget = budget
        self._waiting = list(reversed(merges))
        self._merged: list[tuple[Merge, Cell | None]] = []
        self._unnamed = _Unnamed(())

    def rows(self, source: Iterator[tuple[int, dict[int, Cell]]]) -> Iterator[Row]:
        looked = 0
        for number, cells in source:
            if self.chosen is not None:
                row = self._row(number, cells)
                if row is not None:
                    yield row
                continue
            looked += 1
            if self._is_heading(number, cells):
                self.heading = number
            elif looked >= HEADING_WITHIN:
                return

    def remarks(self) -> list[str]:
        return [*(self.chosen.remarks if self.chosen else ()), *self._unnamed.notes()]

    def _is_heading(self, number: int, cells: dict[int, Cell]) -> bool:
        missing = self._columns.missing(cell.text for cell in cells.values())
        if missing:
            if len(missing) < len(self.lacking):
                self.lacking = missing
            return False
        last = max(cells)
        self._budget.columns(last)
        headings = [cells[index].text if index in cells else "" for index in range(1, last + 1)]
        self.chosen, self._unnamed = self._columns.chosen(headings), _Unnamed(headings)
        while self._waiting and self._waiting[-1].top <= number:
            self._waiting.pop()
        return True

    def _row(self, number: int, cells: dict[int, Cell]) -> Row | None:
        chosen = self.chosen or Chosen(())
        self._begin_merges(number, cells)
        self._unnamed.see(index - 1 for index, cell in cells.items() if cell.text.strip())
        own = {index - 1: cell for index, cell in cells.items() if index <= len(chosen.names)}
        if not any((cell.text.strip() or cell.problem) and chosen.names[index] for index, cell in own.items()):
            return None
        row = Row(number, self.name)
        for merge, origin in self._merged:
            names = chosen.names[merge.left - 1 : merge.right]
            if not any(names):
                continue
            if merge.right > merge.left:
                return Row(number, self.name, problem=f"{merge.area} 是跨列的合并单元格，请取消合并")
            if merge.bottom > merge.top and names[0] in self._columns.keys:
                title = self._columns.title(names[0])
                return Row(number, self.name, problem=f"{merge.area} 把多行的{title}合并成一格，请取消合并")
            if merge.top < number and origin is not None:
                own[merge.left - 1] = origin
                row.notes.append(f"“{self._columns.title(names[0])}”列的合并单元格已按第 {merge.top} 行的内容填入")
        _fill(row, own, chosen, self._columns)
        return row

    def _begin_merges(self, number: int, cells: dict[int, Cell]) -> None:
        if self._merged:
            self._merged = [(merge, origin) for merge, origin in self._merged if merge.bottom >= number]
        while self._waiting and self._waiting[-1].top <= number:
            merge = self._waiting.pop()
            if merge.bottom >= number:
                self._merged.append((merge, cells.get(merge.left) if merge.top == number else None))


class _Unnamed:
    """Columns without a heading whose content is not read."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._named = {index for index, heading in enumerate(headings) if heading.strip()}
        self._seen: set[int] = set()

    def see(self, filled: Iterator[int]) -> None:
        for index in filled:
            if index not in self._named:
                self._seen.add(index)

    def notes(self) -> list[str]:
        if not self._seen:
            return []
        named = "、".join(str(index + 1) for index in sorted(self._seen)[:10])
        more = f" 等 {len(self._seen)} 列" if len(self._seen) > 10 else " 列"
        return [f"第 {named}{more}有内容但没有表头，没有导入"]


def _fill(row: Row, cells: dict[int, Cell], chosen: Chosen, columns: Columns) -> None:
    """The values of a row under its columns. Content that cannot be had refuses the row, in a column that no field
    is made of it is left out and noted."""
    for index, name in enumerate(chosen.names):
        if not name:
            continue
        cell = cells.get(index)
        title = columns.title(name)
        if cell is not None and cell.problem:
            if name in columns.fields:
                row.refuse(title, f"“{title}”{cell.problem}")
                return
            row.notes.append(f"“{title}”{cell.problem}，这一格没有导入")
            continue
        if cell is not None and cell.remark:
            row.notes.append(f"“{title}”{cell.remark}")
        row.values[name] = cell
    _check_texts(row, columns)


def _check_texts(row: Row, columns: Columns) -> None:
    """Refuse a row with characters that no database takes: NUL, and halves of characters."""
    for name, value in row.values.items():
        text = plain(value)
        if isinstance(text, str) and (found := UNSTORABLE.search(text)):
            title = columns.title(name)
            row.refuse(title, f"{title}含有空字符（NUL）" if found[0] == "\0" else f"{title}含有残缺的字符")
            return
