import io
from typing import Any

import pytest
from openpyxl import Workbook

from knowledge_base import ImportRejected
from services.places.importing import hours_in, read_points
from services.places.schemas import PointsRead

CSV = "id,name,kind,lat,lng,address,words\na,甲,公园,22.5,114.0,一路,绿地|花园\n"


def read(text: str, suffix: str = ".csv") -> PointsRead:
    return read_points(f"points{suffix}", text.encode(), coordinates="gcj02")


def workbook(*rows: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(out)
    return out.getvalue()


def test_csv_json_lines_and_a_workbook_say_the_same() -> None:
    line = (
        '{"id": "a", "name": "甲", "kind": "公园", "lat": 22.5, "lng": 114.0, "address": "一路",'
        ' "words": ["绿地", "花园"], "extra": 1}\n'
    )
    sheet = workbook(
        ["编号", "名称", "类别", "纬度", "经度", "地址", "别名"], ["a", "甲", "公园", 22.5, 114, "一路", "绿地|花园"]
    )
    from_csv, from_json = read(CSV), read(line, ".jsonl")
    from_workbook = read_points("points.xlsx", sheet, coordinates="gcj02")
    assert from_csv.rows == from_json.rows == from_workbook.rows
    assert from_csv.rejected == from_json.rejected == from_workbook.rejected == []


def test_a_position_keeps_the_digits_that_its_column_does_not_show() -> None:
    book, out = Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.append(["id", "name", "kind", "lat", "lng"])
    sheet.append(["a", "甲", "公园", 22.543211, 114.057921])
    sheet["D2"].number_format = sheet["E2"].number_format = "0.0"
    book.save(out)
    row = read_points("points.xlsx", out.getvalue(), coordinates="gcj02").rows[0]
    assert (row.lat, row.lng) == (22.543211, 114.057921)


def test_a_byte_order_mark_and_empty_cells_do_no_harm() -> None:
    assert read("\ufeff" + CSV.replace("一路", "")).rows[0].address == ""


def test_a_row_knows_which_columns_the_file_has_and_an_empty_cell_is_one() -> None:
    named = read(CSV.replace("一路", "")).rows[0].model_fields_set
    assert "address" in named
    assert "phone" not in named


@pytest.mark.parametrize(
    ("text", "suffix", "problem"),
    [
        (CSV.replace("22.5", "north"), ".csv", "纬度不是数字"),
        (CSV.replace("22.5", "122.5"), ".csv", "纬度超出范围"),
        (CSV.replace("a,甲", ",甲"), ".csv", "缺少编号"),
        (CSV.replace("甲", "甲" * 121), ".csv", "名称过长"),
        (CSV.replace("花园", "花园,1,2"), ".csv", "有 9 列，表头只有 7 列"),
        ('{"id": "a"', ".jsonl", "不是有效的 JSON"),
        ("[1]", ".jsonl", "应为一个 JSON 对象"),
        ('{"id":"a","name":"n\\u0000","kind":"k","lat":1,"lng":1}', ".jsonl", "名称含有空字符"),
        ('{"id":"a","name":"n","kind":"k","lat":1,"lng":1,"hours":"always"}', ".jsonl", "开放时间应写作"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(text: str, suffix: str, problem: str) -> None:
    found = read(text, suffix)
    assert found.rows == []
    assert found.rejected[0].number == (1 if suffix == ".jsonl" else 2)
    assert found.rejected[0].reason.startswith(problem)


def test_an_id_that_stands_twice_is_refused_the_second_time() -> None:
    found = read(CSV + "a,乙,公园,22.6,114.1,二路,\nb,丙,公园,22.6,114.1,三路,\n")
    assert [row.name for row in found.rows] == ["甲", "丙"]
    assert [(one.number, one.reason) for one in found.rejected] == [(3, "编号与第 2 行重复")]


def test_a_file_without_rows_or_columns_is_refused() -> None:
    with pytest.raises(ImportRejected, match="文件是空的"):
        read("", ".jsonl")
    with pytest.raises(ImportRejected, match="表头缺少列：类别、纬度、经度"):
        read("id,name\n1,x\n")


def test_hours_are_read_day_by_day() -> None:
    assert hours_in("1-2 9:00-12:00；7 10:00-24:00") == [
        {"days": [1, 2], "opens": "09:00", "closes": "12:00"},
        {"days": [7], "opens": "10:00", "closes": "24:00"},
    ]
    with pytest.raises(ValueError, match="开放时间"):
        hours_in("5-1 09:00-12:00")
