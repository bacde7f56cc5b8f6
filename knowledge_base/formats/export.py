"""Entries as files that an import reads back without loss: one function per format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from knowledge_base.entry import Entry
from knowledge_base.formats.cells import header, to_cells
from knowledge_base.formats.rows import COLUMNS
from knowledge_base.tables import guard
from knowledge_base.tables.workbook import escaped

_LONGEST_CELL = 32_767  # a limit of the format


def write_jsonl(entries: Iterable[Entry]) -> bytes:
    """Export as JSON Lines; extra columns stand beside the known ones, empty fields are left out."""
    lines = []
    for entry in entries:
        values = entry.to_dict()
        extra = values.pop("extra")
        row = {name: values[name] for name in COLUMNS.fields if values[name] not in (None, [])}
        lines.append(json.dumps(row | extra, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8")


def write_csv(entries: Sequence[Entry]) -> bytes:
    """Export as CSV in UTF-8 with a byte order mark (Excel needs it), formulas guarded."""
    columns = header(entries)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guard(column) for column in columns])
    writer.writerows(to_cells(entry, columns) for entry in entries)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def write_xlsx(entries: Sequence[Entry]) -> bytes:
    """Export as XLSX, every cell as text, formulas guarded. ValueError when a field is too long for a cell."""
    columns = header(entries)
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook has a worksheet")
    sheet.title = "知识库"
    sheet.append([escaped(guard(column)) for column in columns])
    sheet.freeze_panes = "A2"
    for entry in entries:
        cells = [escaped(text) for text in to_cells(entry, columns)]
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
