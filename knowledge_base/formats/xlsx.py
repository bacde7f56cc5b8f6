"""XLSX: the first sheet that has a header with 问题 and 答案."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from knowledge_base.entry import Entry
from knowledge_base.errors import ImportRejected
from knowledge_base.formats.cells import from_cell, header, to_cells
from knowledge_base.formats.result import ImportResult
from knowledge_base.formats.rows import RowCollector, column_name, missing_columns

_LONGEST_CELL = 32_767  # a limit of the format
_LARGEST_UNPACKED = 512 * 1024 * 1024
_HEADER_WITHIN = 10


def read_xlsx(data: bytes) -> ImportResult:
    """Import an XLSX workbook. A title above the header is skipped.

    Cells merged downwards are filled down and reported (but a question merged over several rows is rejected: nobody
    can know which answer it wants); rows with cells merged across columns are rejected.
    Raises ImportRejected when the file is no workbook or no sheet has the required header.
    """
    sheet, heading_row, columns = _sheet(data)
    collector = RowCollector()
    filled, refused = _merged(sheet, heading_row, columns)
    for number in range(heading_row + 1, sheet.max_row + 1):
        values: dict[str, Any] = {}
        notes: list[str] = []
        for index, column in enumerate(columns, start=1):
            if not column:
                continue
            origin = filled.get((number, index))
            if origin is not None:
                notes.append(f"“{column}”列的合并单元格已按第 {origin} 行的内容填入")
            value = sheet.cell(origin or number, index).value
            values.setdefault(column, from_cell(column, value) if isinstance(value, str) else value)
        if number in refused:
            collector.reject(number, refused[number])
        elif any(value is not None and str(value).strip() for value in values.values()):
            collector.add(number, values, notes)
    return collector.result


def write_xlsx(entries: Sequence[Entry]) -> bytes:
    """Export as XLSX, every cell as text, formulas guarded. ValueError when a field is too long for a cell."""
    columns = header(entries)
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook has a worksheet")
    sheet.title = "知识库"
    sheet.append(columns)
    sheet.freeze_panes = "A2"
    for entry in entries:
        cells = to_cells(entry, columns)
        for column, text in zip(columns, cells, strict=True):
            if len(text) > _LONGEST_CELL:
                raise ValueError(f"条目 {entry.id} 的 {column} 超过 {_LONGEST_CELL} 字，请导出为 JSONL 或 CSV")
        sheet.append([text or None for text in cells])
        for cell in sheet[sheet.max_row]:
            if isinstance(cell, Cell) and cell.value is not None:
                cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(data: bytes) -> tuple[Worksheet, int, list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _LARGEST_UNPACKED:
            raise ImportRejected("表格解压后过大")
        book = load_workbook(io.BytesIO(data), data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, SyntaxError) as error:
        raise ImportRejected("不是有效的 XLSX 文件") from error
    missing: list[str] = []
    for sheet in book.worksheets:
        for number in range(1, min(_HEADER_WITHIN, sheet.max_row) + 1):
            columns = [column_name(cell.value) for cell in sheet[number]]
            lacking = missing_columns(columns)
            if not lacking:
                return sheet, number, columns
            if not missing or len(lacking) < len(missing):
                missing = lacking
    raise ImportRejected(f"表头缺少列：{'、'.join(missing)}")


def _merged(
    sheet: Worksheet, heading_row: int, columns: list[str]
) -> tuple[dict[tuple[int, int], int], dict[int, str]]:
    filled: dict[tuple[int, int], int] = {}
    refused: dict[int, str] = {}
    for area in sheet.merged_cells.ranges:
        rows = [row for row in range(area.min_row, area.max_row + 1) if row > heading_row]
        if not rows or area.min_row <= heading_row:
            continue
        if area.max_col > area.min_col:
            refused.update(dict.fromkeys(rows, f"{area.coord} 是跨列的合并单元格，请取消合并"))
        elif area.min_col <= len(columns) and columns[area.min_col - 1] in ("question", "id"):
            refused.update(dict.fromkeys(rows, f"{area.coord} 把多行的问题或编号合并成一格，请取消合并"))
        else:
            filled.update({(row, area.min_col): area.min_row for row in rows if row != area.min_row})
    return filled, refused
