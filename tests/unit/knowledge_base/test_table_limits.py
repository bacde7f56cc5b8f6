"""No file costs more than its bounds, and each bound says its name. Small bounds stand for the large ones."""

from __future__ import annotations

import dataclasses
import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge_base import ImportRejected, ImportResult, import_bytes
from knowledge_base.formats import LIMITS
from knowledge_base.tables import Limits, read_file
from tests.unit.knowledge_base.workbooks import merged, row, sheet, workbook

HEADER = row(1, "编号", "问题", "答案", "部门")
FIRST = row(2, "1", "甲", "答", "局")


def read(name: str, data: bytes, **bounds: float) -> ImportResult:
    return import_bytes(name, data, limits=dataclasses.replace(LIMITS, **bounds))


def costs(name: str, data: bytes) -> int:
    """Bytes of memory that reading takes at its peak."""
    tracemalloc.start()
    try:
        assert len(import_bytes(name, data).entries) == 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_styled_cell_in_the_last_row_and_a_merge_over_all_rows_cost_nothing() -> None:
    plain = costs("a.xlsx", workbook({"一": sheet(HEADER, FIRST)}))
    styled = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    for data in (
        workbook({"一": sheet(HEADER, FIRST, styled)}),
        workbook({"一": sheet(HEADER, FIRST, after=merged("D2:D1048576", "F1:XFD1048576"))}),
        workbook({"一": sheet(HEADER, FIRST, *(['<row><c s="1"/></row>'] * 1000))}),
    ):
        assert costs("a.xlsx", data) < plain + 512 * 1024


def test_what_a_workbook_unpacks_to_is_looked_at_before_it_is_unpacked() -> None:
    data = workbook({"一": sheet(HEADER, FIRST, " " * 3_000_000)})
    assert len(data) < 10_000
    with pytest.raises(ImportRejected, match="解压后超过 2 MB 的上限"):
        read("a.xlsx", data, unpacked=2 * 1024 * 1024)


@pytest.mark.parametrize(
    ("name", "data", "bound", "said"),
    [
        ("a.csv", b"question,answer\n" + b"x" * 200, {"bytes": 100}, "文件超过 100 字节的上限"),
        ("a.csv", "问题,答案\n甲,答\n乙,答\n".encode(), {"rows": 1}, "文件超过 1 行的上限"),
        ("a.csv", "问题,答案\n甲,答\n乙,答\n".encode(), {"cells": 3}, "文件超过 3 个单元格的上限"),
        ("a.csv", b"\n" * 50 + "问题,答案\n".encode(), {"cells": 20}, "文件超过 20 行文字的上限"),
        ("a.csv", "问题,答案,a,b,c\n甲,答\n".encode(), {"columns": 4}, "文件超过 4 列的上限"),
        ("a.csv", b"x" * 500, {"line": 100}, "第 1 行：这一行超过 100 字节的上限"),
        ("a.jsonl", b'{"question":"a","answer":"b"}\n' * 3, {"rows": 2}, "文件超过 2 行的上限"),
        ("a.xlsx", workbook({"一": sheet(HEADER, FIRST, row(3, "2", "乙", "答"))}), {"rows": 2}, "文件超过 2 行的上限"),
        ("a.xlsx", workbook({"一": sheet(HEADER, FIRST)}), {"cells": 7}, "文件超过 7 个单元格的上限"),
        ("a.xlsx", workbook({"一": sheet(HEADER, FIRST)}), {"columns": 3}, "文件超过 3 列的上限"),
        ("a.xlsx", workbook({"一": sheet(HEADER, FIRST, after=merged(*["D2:D3"] * 9))}), {"merges": 8}, "8 处的上限"),
        ("a.xlsx", workbook({"一": sheet()}, strings=["<sst>", "<si/>" * 30, "</sst>"]), {"cells": 20}, "20 段文字的"),
        ("a.xlsx", workbook({"一": sheet(HEADER, FIRST, "<row/>" * 1_048_575)}), {}, "工作表超过 1048576 行的上限"),
    ],
)  # fmt: skip
def test_each_bound_is_one_line_that_names_it(name: str, data: bytes, bound: dict[str, float], said: str) -> None:
    with pytest.raises(ImportRejected, match=said) as refused:
        read(name, data, **bound)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.xlsx"])
def test_reading_stops_at_its_time(name: str) -> None:
    lines = {
        "a.csv": "问题,答案\n" + "甲,答\n" * 3000,
        "a.jsonl": '{"question":"q","answer":"a"}\n' * 3000,
    }
    data = lines[name].encode() if name in lines else workbook({"一": sheet(HEADER, FIRST)})

    def clock() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += 10

    ticks = clock()
    with pytest.raises(ImportRejected, match="读取文件超过 5 秒的上限"):
        import_bytes(name, data, limits=dataclasses.replace(LIMITS, seconds=5), clock=lambda: next(ticks))


def test_a_line_that_is_too_long_costs_its_row_only() -> None:
    long = "x" * 2000
    result = read("a.csv", f"id,question,answer\n1,甲,{long}\n2,乙,答\n".encode(), line=1000)
    assert ([e.id for e in result.entries], [r.row for r in result.rejected]) == (["2"], [2])
    lines = f'{{"question":"{long}","answer":"a"}}\n{{"id":"2","question":"q","answer":"a"}}'
    result = read("a.jsonl", lines.encode(), line=1000)
    assert [(r.row, r.reason) for r in result.rejected] == [(1, "这一行超过 1000 字节的上限")]
    assert [e.id for e in result.entries] == ["2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question":"q","answer":"a","x":' + "[" * 60 + "]" * 60 + "}", "JSON 嵌套过深（上限 50 层）"),
        ('{"question":"q","answer":"a","x":' + "[" * 99_999 + "]" * 99_999 + "}", "JSON 嵌套过深（上限 50 层）"),
        ('{"question":"q","answer":"a","x":1e999}', "不是有效的 JSON"),
        ('{"question":"q","answer":"a","x":' + "9" * 5000 + "}", "不是有效的 JSON"),
        ('{"question":"q","answer":"a","x":["\\u0000"]}', "列表或对象里有空字符（NUL）或残缺的字符"),
        ('{"question":"q","answer":"a","x\\ud800":1}', "列名含有空字符（NUL）或残缺的字符"),
    ],
)
def test_json_that_no_database_takes_costs_its_row_only(line: str, reason: str) -> None:
    result = import_bytes("a.jsonl", f'{line}\n{{"id":"2","question":"q","answer":"a"}}'.encode())
    assert [(r.row, r.reason) for r in result.rejected] == [(1, reason)]
    assert [e.id for e in result.entries] == ["2"]


def test_nested_json_in_a_cell_is_text_and_no_failure() -> None:
    result = import_bytes("a.csv", ("问题,相似问题,答案,x\n甲," + "[" * 1500 + ",答,json:[NaN]\n").encode())
    assert [(len(e.similar_questions), dict(e.extra)) for e in result.entries] == [(1, {"x": "json:[NaN]"})]


def _archive(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"PK\5\6" + b"\0" * 18,
        b"PK\5\6",
        _archive(a="b"),
        workbook({"一": sheet(HEADER, FIRST)})[:-40],
        workbook({"一": ["<worksheet><sheetData><row"]}),
        workbook({"一": ['<!DOCTYPE x [<!ENTITY a "aa">]><worksheet>&a;</worksheet>']}),
        workbook({"一": sheet('<row r="99999999999"/>', HEADER)}),
        workbook({"一": sheet(HEADER, '<row r="2"><c r="ZZZ2" t="inlineStr"><is><t>x</t></is></c></row>')}),
        workbook({"一": sheet(HEADER, '<row r="2"><c r="A2" t="s"><v>77</v></c></row>')}),
        workbook({"一": sheet(HEADER, '<row r="2"><c r="A2"><v>1e99999999</v></c></row>')}),
    ],
)
def test_a_broken_workbook_is_one_line(data: bytes) -> None:
    with pytest.raises(ImportRejected, match=r"不是有效的 XLSX 文件|文件是空的"):
        import_bytes("a.xlsx", data)


def test_a_workbook_with_a_password_is_named_as_such() -> None:
    with pytest.raises(ImportRejected, match="密码"):
        import_bytes("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)


def test_a_file_is_not_read_beyond_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(ImportRejected, match="文件超过 1000 字节的上限"):
        read_file(path, Limits(bytes=1000))
    with pytest.raises(ImportRejected, match="文件超过 1000 字节的上限"):
        read_file(Path("/dev/zero"), Limits(bytes=1000))
    with pytest.raises(ImportRejected, match="无法读取文件"):
        read_file(tmp_path)
