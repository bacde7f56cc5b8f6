from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from knowledge_base import ImportRejected, ImportResult, import_bytes, import_file


def jsonl(*rows: object) -> ImportResult:
    return import_bytes("a.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode())


def test_a_blank_department_is_imported_and_reported() -> None:
    for blank in ("", "\t", None):
        result = jsonl({"id": "1", "question": "问", "answer": "答", "department": blank})
        assert [entry.department for entry in result.entries] == [None]
        assert [(note.row, note.note) for note in result.reported] == [(1, "部门为空")]
        assert result.rejected == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answer": "答"}, "缺少问题"),
        ({"question": "  ", "answer": "答"}, "缺少问题"),
        ({"question": "问"}, "缺少答案"),
        ({"question": "问\0", "answer": "答"}, "问题含有空字符（NUL）"),
        ({"question": "问" * 2001, "answer": "答"}, "问题过长（2001 字，上限 2000 字）"),
        ({"question": "问", "answer": {"a": 1}}, "答案应为文字"),
        ({"question": "问", "answer": "答", "similar_questions": [1]}, "相似问题中有不是文字的内容"),
        ({"question": "问", "answer": "答", "valid_from": "2026-02-30"}, "生效日期不是有效日期"),
        (
            {"question": "问", "answer": "答", "valid_from": "2026-02-02", "valid_to": "2026-02-01"},
            "生效日期晚于失效日期",
        ),
        (["问", "答"], "应为一个 JSON 对象"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason_and_the_next_one_is_taken(row: object, reason: str) -> None:
    result = jsonl(row, {"id": "2", "question": "好", "answer": "好"})
    assert [(rejection.row, rejection.reason) for rejection in result.rejected] == [(1, reason)]
    assert [entry.id for entry in result.entries] == ["2"]


def test_a_line_that_is_no_json_or_no_utf8_is_rejected_alone() -> None:
    good = b'{"id":"1","question":"q","answer":"a"}'
    result = import_bytes("a.jsonl", b"\n".join([b"{broken", "问".encode("gb18030"), b"", good]))
    assert [(r.row, r.reason) for r in result.rejected] == [(1, "不是有效的 JSON"), (2, "不是 UTF-8 编码")]
    assert len(result.entries) == 1


def test_an_id_used_twice_is_reported_with_the_row_that_had_it_first() -> None:
    row = {"id": "1", "question": "问", "answer": "答", "department": "x"}
    result = jsonl(row, {**row, "answer": "另答"}, row)
    assert len(result.entries) == 1
    assert [(r.row, r.reason) for r in result.rejected] == [(2, "编号 1 与第 1 行重复"), (3, "与第 1 行完全重复")]


def test_a_missing_id_follows_from_the_question_and_is_the_same_next_time() -> None:
    row = {"question": "问", "answer": "答", "department": "x"}
    first, second = jsonl(row), jsonl({"id": "0", "question": "别的", "answer": "x", "department": "x"}, row)
    assert first.entries[0].id == second.entries[1].id
    assert first.entries[0].id.startswith("q-")


def test_contradictory_twins_without_ids_are_both_kept_and_reported() -> None:
    result = jsonl(
        {"question": "问", "answer": "甲", "department": "x"}, {"question": "问", "answer": "乙", "department": "x"}
    )
    assert len({entry.id for entry in result.entries}) == 2
    assert [(n.row, n.note) for n in result.reported] == [(2, "问题与第 1 行相同而答案不同")]


@pytest.mark.parametrize("text", ["2026-01-05", "2026/1/5", "2026.01.05", "2026年1月5日", "2026-01-05 00:00:00"])
def test_dates_are_read_as_people_write_them(text: str) -> None:
    assert jsonl({"question": "问", "answer": "答", "valid_to": text}).entries[0].valid_to == date(2026, 1, 5)


def test_unknown_columns_are_kept_as_extra() -> None:
    extra: dict[str, Any] = {"热度": 7, "标签": ["a"], "办理链接": "https://example.org"}
    assert dict(jsonl({"question": "问", "answer": "答", **extra}).entries[0].extra) == extra


def test_chinese_headings_are_understood() -> None:
    entry = jsonl(
        {"编号": "1", "问题": "问", "答案": "答", "责任部门": "局", "关键词": "甲、乙", "相似问": "又问|再问"}
    ).entries[0]
    assert (entry.id, entry.department, entry.keywords, entry.similar_questions) == (
        "1",
        "局",
        ("甲", "乙"),
        ("又问", "再问"),
    )


def test_other_formats_empty_files_and_missing_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImportRejected, match="另存为 XLSX"):
        import_bytes("a.xls", b"x")
    with pytest.raises(ImportRejected, match="不支持的格式"):
        import_bytes("a", b"x")
    with pytest.raises(ImportRejected, match="文件是空的"):
        import_bytes("a.csv", b" \n")
    with pytest.raises(ImportRejected, match="找不到文件"):
        import_file(tmp_path / "none.csv")
