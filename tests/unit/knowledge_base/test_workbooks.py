"""What a workbook says is read as its reader sees it, from all of its sheets."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from knowledge_base import ImportRejected, ImportResult, SheetLeftOut, import_bytes
from knowledge_base.tables.workbook import escaped, unescaped
from tests.unit.knowledge_base.workbooks import merged, row, sheet, text_cell, workbook

HEADER = ("编号", "问题", "答案", "部门")


def read(data: bytes) -> ImportResult:
    return import_bytes("a.xlsx", data)


def saved(book: Workbook) -> ImportResult:
    out = io.BytesIO()
    book.save(out)
    return read(out.getvalue())


def test_numbers_come_as_they_are_shown() -> None:
    book = Workbook()
    page = book.worksheets[0]
    page.append(["编号", "问题", "答案", "部门", "收费", "比例", "办理日"])
    page.append([7, "补办要钱吗", "要", "市局", 1280, 0.125, datetime(2026, 3, 19)])
    for place, code in (("A2", "000"), ("E2", "#,##0.00"), ("F2", "0.0%"), ("G2", 'yyyy"年"m"月"d"日"')):
        page[place].number_format = code
    entry = saved(book).entries[0]
    assert entry.id == "007"
    assert entry.extra == {"收费": "1,280.00", "比例": "12.5%", "办理日": "2026年3月19日"}


def test_dates_are_days_whatever_their_column_shows() -> None:
    book = Workbook()
    page = book.worksheets[0]
    page.append(["编号", "问题", "答案", "部门", "生效日期", "失效日期"])
    page.append(["a", "甲", "答", "局", datetime(2026, 3, 19), 46392])
    page.append(["b", "乙", "答", "局", 20260319, "长期"])
    page.append(["c", "丙", "答", "局", 2026, None])
    page["E2"].number_format = "m-d"
    result = saved(book)
    assert [(e.valid_from, e.valid_to) for e in result.entries] == [
        (date(2026, 3, 19), date(2027, 1, 5)),
        (date(2026, 3, 19), None),
    ]
    assert [(r.row, r.column, r.reason) for r in result.rejected] == [(4, "生效日期", "生效日期不是有效日期")]


def test_days_of_a_workbook_that_counts_from_1904_are_its_own() -> None:
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    rows = [row(1, *HEADER[:3], "失效日期"), f'{row(2, "a", "甲", "答")[:-6]}<c r="D2" s="1"><v>44638</v></c></row>']
    data = workbook({"一": sheet(*rows)}, styles=styles, properties='<workbookPr date1904="1"/>')
    assert read(data).entries[0].valid_to == date(2026, 3, 19)


def test_a_number_of_more_than_fifteen_digits_is_reported_as_inexact() -> None:
    rows = [row(1, *HEADER), f'<row r="2"><c r="A2"><v>1.10101199003071E+17</v></c>{row(2, "", "甲", "答", "局")[11:]}']
    result = read(workbook({"一": sheet(*rows)}))
    assert result.entries[0].id == "110101199003071000"
    assert [(n.row, n.sheet) for n in result.reported if "超过 15 位" in n.note and "“编号”" in n.note] == [(2, "一")]


def test_escapes_of_the_format_are_undone_and_the_same_letters_typed_by_somebody_are_not() -> None:
    strings = ["<sst>", "<si><t>第一步_x000D_\n第二步</t></si>", "<si><t>写作 _x005F_x000D_ 的字</t></si>", "</sst>"]
    cells = '<c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c>'
    entry = read(workbook({"一": sheet(row(1, *HEADER), f'<row r="2">{cells}</row>')}, strings=strings)).entries[0]
    assert entry.question == "第一步\n第二步"
    assert entry.answer == "写作 _x000D_ 的字"


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_what_is_escaped_is_unescaped_again(text: str) -> None:
    assert unescaped(escaped(text)) == text


def test_readings_above_the_characters_are_no_text() -> None:
    strings = ["<sst><si><r><t>甲</t></r><r><t>乙</t></r><rPh><t>jiayi</t></rPh></si></sst>"]
    cells = '<c r="B2" t="s"><v>0</v></c>' + text_cell("C2", "答")
    data = workbook({"一": sheet(row(1, *HEADER), f'<row r="2">{cells}</row>')}, strings=strings)
    assert read(data).entries[0].question == "甲乙"


def test_all_sheets_are_read_and_each_one_left_out_is_named_with_its_reason() -> None:
    data = workbook(
        {
            "户籍": sheet(row(1, *HEADER), row(2, "1", "甲", "答", "局")),
            "社保": sheet(row(1, "2026 年汇总"), row(3, "问题", "答案"), row(4, "乙", "答"), row(5, "", "答")),
            "旧稿": sheet(row(1, *HEADER), row(2, "9", "旧", "答", "局")),
            "说明": sheet(row(1, "填表说明"), row(2, "问题不要太长")),
            "空白": sheet(),
        },
        states={"旧稿": "veryHidden"},
    )
    result = read(data)
    assert [(e.question, e.department) for e in result.entries] == [("甲", "局"), ("乙", None)]
    assert [(r.sheet, r.row, r.column, r.reason) for r in result.rejected] == [("社保", 5, "问题", "缺少问题")]
    assert result.left_out == [
        SheetLeftOut("旧稿", "是隐藏的工作表"),
        SheetLeftOut("说明", "前 20 行没有表头（缺少问题、答案）"),
        SheetLeftOut("空白", "是空的"),
    ]


def test_a_duplicate_names_the_sheet_that_had_it_first() -> None:
    data = workbook(
        {
            "一": sheet(row(1, *HEADER), row(2, "1", "甲", "答", "局")),
            "二": sheet(row(1, *HEADER), row(2, "1", "乙", "答", "局")),
        }
    )
    assert [(r.sheet, r.row, r.reason) for r in read(data).rejected] == [("二", 2, "编号 1 与“一”第 2 行重复")]


def test_a_workbook_with_hidden_sheets_only_says_so() -> None:
    data = workbook({"一": sheet(row(1, *HEADER))}, states={"一": "hidden"})
    with pytest.raises(ImportRejected, match="没有可以导入的工作表：“一”是隐藏的工作表"):
        read(data)


def test_headings_are_understood_in_full_width_with_blanks_and_marks() -> None:
    headings = ("ＩＤ", "问 题（必填）", "答案*", " 责任部门 ", "Ｋｅｙｗｏｒｄｓ")
    entry = read(workbook({"一": sheet(row(1, *headings), row(2, "1", "甲", "答", "局", "词"))})).entries[0]
    assert (entry.id, entry.department, entry.keywords, entry.extra) == ("1", "局", ("词",), {})


def test_two_columns_of_one_name_are_reported_and_a_number_of_order_is_no_id_beside_one() -> None:
    headings = ("序号", "编号", "问题", "答案", "答案")
    result = read(workbook({"一": sheet(row(1, *headings), row(2, "1", "a-1", "甲", "答", "另答"))}))
    assert [(e.id, e.answer, e.extra) for e in result.entries] == [("a-1", "答", {"序号": "1"})]
    notes = [note.note for note in result.reported if note.row == 1]
    assert "有两列“答案”，只读取第 4 列，第 5 列没有导入" in notes
    assert "“序号”和“编号”都指编号，以后者为准" in notes


def test_content_without_a_heading_is_reported() -> None:
    result = read(workbook({"一": sheet(row(1, "问题", "答案", "", "部门"), row(2, "甲", "答", "注意", "局"))}))
    assert [(n.row, n.note) for n in result.reported] == [(1, "第 3 列有内容但没有表头，没有导入")]


def test_a_failed_formula_refuses_its_row_and_one_without_a_result_too() -> None:
    failed = '<row r="2"><c r="B2" t="e"><v>#N/A</v></c>' + text_cell("C2", "答") + "</row>"
    unsaved = '<row r="3"><c r="B3"><f>A1</f></c>' + text_cell("C3", "答") + "</row>"
    result = read(workbook({"一": sheet(row(1, *HEADER), failed, unsaved, row(4, "1", "甲", "答", "局"))}))
    assert [e.id for e in result.entries] == ["1"]
    assert [(r.row, r.reason) for r in result.rejected] == [
        (2, "“问题”是公式错误（#N/A）"),
        (3, "“问题”是没有计算结果的公式，请用表格软件打开并保存一次"),
    ]


def test_a_failed_formula_in_an_extra_column_leaves_that_cell_out() -> None:
    cells = row(2, "1", "甲", "答", "局")[:-6] + '<c r="E2" t="e"><v>#REF!</v></c></row>'
    result = read(workbook({"一": sheet(row(1, *HEADER, "热度"), cells)}))
    assert [dict(e.extra) for e in result.entries] == [{}]
    assert "热度" not in result.origins["1"].columns
    assert [n.note for n in result.reported] == ["“热度”是公式错误（#REF!），这一格没有导入"]


def test_names_with_a_prefix_and_cells_without_places_are_read() -> None:
    def prefixed(texts: tuple[str, ...]) -> str:
        return (
            "<x:row>"
            + "".join(f'<x:c t="inlineStr"><x:is><x:t>{text}</x:t></x:is></x:c>' for text in texts)
            + "</x:row>"
        )

    rows = prefixed(HEADER) + prefixed(("1", "甲", "答", "局"))
    pieces = [f'<x:worksheet xmlns:x="urn:x"><x:sheetData>{rows}</x:sheetData></x:worksheet>']
    assert [e.answer for e in read(workbook({"一": pieces})).entries] == ["答"]


@pytest.mark.parametrize(
    ("area", "ids"),
    [("D2:D1048576", ["1", "2"]), ("F2:XFD1048576", ["1", "2"]), ("A2:XFD1048576", []), ("B3:C3", ["1"])],
)
def test_merged_areas_touch_only_rows_with_content(area: str, ids: list[str]) -> None:
    rows = [row(1, *HEADER), row(2, "1", "甲", "答", "局"), row(900_000, "2", "乙", "答")]
    if area == "B3:C3":
        rows[2] = row(3, "2", "乙", "答")
    result = read(workbook({"一": sheet(*rows, after=merged(area))}))
    assert [e.id for e in result.entries] == ids
    assert len(result.rejected) == 2 - len(ids)
    if area.startswith("D"):
        assert [e.department for e in result.entries] == ["局", "局"]


def test_the_same_workbook_saved_by_a_library_says_the_same(tmp_path: Any) -> None:
    book = Workbook()
    page = book.worksheets[0]
    page.append(list(HEADER))
    page.append(["1", "甲", True, "局"])
    assert [(e.id, e.answer) for e in saved(book).entries] == [("1", "TRUE")]
