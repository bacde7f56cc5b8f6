from __future__ import annotations

import pytest

from knowledge_base import ImportRejected, ImportResult, import_bytes

HEADER = "id,question,answer,department\r\n"


def read(text: str, encoding: str = "utf-8") -> ImportResult:
    return import_bytes("a.csv", text.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_usual_encodings_are_recognised(encoding: str) -> None:
    result = read(HEADER + "1,身份证怎么补办,去派出所,公安局\r\n", encoding)
    assert [(e.id, e.question, e.department) for e in result.entries] == [("1", "身份证怎么补办", "公安局")]
    assert result.rejected == []


def test_a_quote_that_never_closes_costs_one_row_only() -> None:
    result = read(HEADER + '1,甲,答,局\r\n2,"乙,答,局\r\n3,丙,答,局\r\n')
    assert [e.id for e in result.entries] == ["1", "3"]
    assert [(r.row, r.reason) for r in result.rejected] == [(3, "引号不成对，无法读取这一行")]


def test_a_quote_that_swallows_rows_is_noticed() -> None:
    result = read(HEADER + '1,"甲,答,局\r\n2,"乙",答,局\r\n3,丙,答,局\r\n')
    assert [e.id for e in result.entries] == ["2", "3"]
    assert [r.row for r in result.rejected] == [2]


def test_a_row_with_more_columns_than_the_header_is_rejected() -> None:
    result = read(HEADER + "1,甲,答,有,局\r\n2,乙,答,局\r\n")
    assert [e.id for e in result.entries] == ["2"]
    assert "有 5 列，表头只有 4 列" in result.rejected[0].reason


def test_a_row_with_fewer_columns_is_taken_when_it_says_enough_and_reported() -> None:
    result = read(HEADER + "1,甲,答\r\n2,乙\r\n")
    assert [e.id for e in result.entries] == ["1"]
    assert "只有 3 列，表头有 4 列" in [n.note for n in result.reported]
    assert [(r.row, r.reason) for r in result.rejected] == [(3, "缺少答案")]


def test_line_breaks_and_quotes_inside_a_cell_are_kept() -> None:
    result = read(HEADER + '1,甲,"第一步\r\n第二步，按“""确定""”",局\r\n')
    assert result.entries[0].answer == '第一步\n第二步，按“"确定"”'


def test_nul_bytes_and_stray_bytes_reject_their_row_only() -> None:
    data = HEADER.encode() + "1,甲\0,答,局\r\n".encode() + "2,乙,答,局\r\n".encode() + b"3,\xff\xff,x,y\r\n"
    result = import_bytes("a.csv", data + "4,丁,答,局\r\n".encode())
    assert [e.id for e in result.entries] == ["2", "4"]
    assert [r.row for r in result.rejected] == [2, 4]


def test_a_field_beyond_the_limit_rejects_its_row_only() -> None:
    result = read(HEADER + f"1,甲,{'长' * 140_000},局\r\n2,乙,{'长' * 110_000},局\r\n3,丙,答,局\r\n")
    assert [e.id for e in result.entries] == ["3"]
    assert all("过长" in r.reason for r in result.rejected)
    assert [r.row for r in result.rejected] == [2, 3]


def test_a_file_without_the_needed_columns_is_refused() -> None:
    with pytest.raises(ImportRejected, match="表头缺少列：答案"):
        read("id,question\n1,甲\n")


def test_semicolons_and_tabs_separate_too() -> None:
    for mark in ";\t":
        assert read(f"question{mark}answer\n甲{mark}答\n").entries[0].answer == "答"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read_too_and_a_damaged_file_is_named(encoding: str) -> None:
    result = read(HEADER + "1,门诊几点开门,八点,卫健委\r\n", encoding)
    assert [(e.id, e.answer) for e in result.entries] == [("1", "八点")]
    with pytest.raises(ImportRejected, match="UTF-16"):
        import_bytes("a.csv", HEADER.encode("utf-16") + b"x")


def test_blank_lines_are_skipped_and_rows_count_as_the_sheet_shows_them() -> None:
    result = read(HEADER + "1,甲,答,局\r\n,,,\r\n3,,答,局\r\n")
    assert [(r.row, r.reason) for r in result.rejected] == [(4, "缺少问题")]


def test_a_replacement_character_that_a_file_really_holds_is_text_and_no_broken_byte() -> None:
    good = import_bytes("a.csv", "question,answer\n问题\ufffd,答案\n".encode())
    assert [entry.question for entry in good.entries] == ["问题\ufffd"]
    broken = import_bytes("a.csv", "question,answer\n问题一,答案\n问题二,".encode() + b"\xff\xfe\n")
    assert len(broken.rejected) == 1
    assert len(broken.entries) == 1


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_line_that_names_the_separator_is_none_of_the_rows(first: str) -> None:
    result = read(f"{first}\n编号;问题;答案\n1;甲,乙;答\n2;;答\n")
    assert [(e.id, e.question) for e in result.entries] == [("1", "甲,乙")]
    assert [(r.row, r.column) for r in result.rejected] == [(3, "问题")]


def test_empty_lines_and_a_title_above_the_heading_are_passed_over() -> None:
    result = read("\n,,\n常见问题一览,,\n编号,问题,答案\n1,甲,答\n2,,答\n")
    assert [e.id for e in result.entries] == ["1"]
    assert [r.row for r in result.rejected] == [6]


def test_a_title_with_another_separator_in_it_does_not_mislead() -> None:
    result = read("问答（甲、乙；丙），一，二，三,,,\n编号\t问题\t答案\n1\t甲\t答\n")
    assert [(e.id, e.answer) for e in result.entries] == [("1", "答")]


def test_a_long_number_that_a_spreadsheet_has_shortened_is_reported() -> None:
    result = read("编号,问题,答案\n1.10101E+17,甲,答\n12,乙,1.5E+3\n")
    assert [(n.row, "“编号”" in n.note) for n in result.reported if "科学计数法" in n.note] == [(2, True)]


def test_what_the_file_does_not_have_is_known_for_each_row() -> None:
    result = read("编号,问题,答案,部门\n1,甲,答,\n2,乙,答\n")
    assert "department" in result.origins["1"].columns
    assert "department" not in result.origins["2"].columns
    assert "keywords" not in result.origins["1"].columns


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_every_encoding_goes_with_every_separator(encoding: str, delimiter: str) -> None:
    text = "\r\n".join(delimiter.join(row) for row in (["问题", "答案"], ["办证要几天", "三天"]))
    assert [e.answer for e in read(text, encoding).entries] == ["三天"]
