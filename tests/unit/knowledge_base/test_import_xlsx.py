from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

import pytest
from openpyxl import Workbook

from knowledge_base import ImportRejected, ImportResult, import_bytes

HEADER = ["编号", "问题", "答案", "部门", "生效日期"]


def read(rows: Sequence[Sequence[object]], *merges: str) -> ImportResult:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    for area in merges:
        sheet.merge_cells(area)
    out = io.BytesIO()
    book.save(out)
    return import_bytes("a.xlsx", out.getvalue())


def test_numbers_and_dates_become_what_they_mean() -> None:
    result = read([HEADER, [7, "甲", "答", "局", datetime(2026, 1, 5)]])
    assert result.entries[0].id == "7"
    assert result.entries[0].valid_from is not None
    assert result.entries[0].valid_from.isoformat() == "2026-01-05"


def test_a_department_merged_over_rows_is_filled_down_and_reported() -> None:
    result = read([HEADER, ["1", "甲", "答", "局"], ["2", "乙", "答", None], ["3", "丙", "答", "另局"]], "D2:D3")
    assert [e.department for e in result.entries] == ["局", "局", "另局"]
    assert [(n.row, n.note) for n in result.reported] == [(3, "“部门”列的合并单元格已按第 2 行的内容填入")]


def test_a_question_merged_over_rows_is_rejected_row_by_row() -> None:
    result = read([HEADER, ["1", "甲", "答", "局"], ["2", None, "另答", "局"], ["3", "丙", "答", "局"]], "B2:B3")
    assert [e.id for e in result.entries] == ["3"]
    assert [r.row for r in result.rejected] == [2, 3]
    assert all("B2:B3" in r.reason for r in result.rejected)


def test_cells_merged_across_columns_reject_their_row() -> None:
    result = read([HEADER, ["1", "甲", "答", "局"], ["2", "乙和答", None, "局"]], "B3:C3")
    assert [e.id for e in result.entries] == ["1"]
    assert [(r.row, r.reason) for r in result.rejected] == [(3, "B3:C3 是跨列的合并单元格，请取消合并")]


def test_a_title_above_the_header_is_skipped() -> None:
    result = read([["常见问题汇总"], HEADER, ["1", "甲", "答", "局"], ["2", None, "答", "局"]], "A1:E1")
    assert [e.id for e in result.entries] == ["1"]
    assert [(r.row, r.reason) for r in result.rejected] == [(4, "缺少问题")]


def test_a_file_that_is_no_workbook_is_refused() -> None:
    with pytest.raises(ImportRejected, match="不是有效的 XLSX"):
        import_bytes("a.xlsx", b"PK\x03\x04 nothing")
    with pytest.raises(ImportRejected, match="表头缺少列：问题、答案"):
        read([["a", "b"], ["1", "2"]])
