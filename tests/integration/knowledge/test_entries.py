"""Entries and published versions in both databases."""

from datetime import timedelta
from pathlib import Path

import pytest

from knowledge_base import Entry, ImportResult, export_bytes, import_bytes
from knowledge_base.testing import FakeEmbedder
from services.core.clock import parse_moment
from services.core.database import Database
from services.core.errors import BadRequest, NotFound
from services.knowledge import service
from services.knowledge.schemas import ImportReport
from services.knowledge.service import LiveKnowledge

NOW = parse_moment("2026-11-16T10:00")
ROWS = [
    '{"id": "a", "question": "身份证丢了怎么办", "answer": "到派出所补领", "department": "户政", "channel": "网站"}',
    '{"id": "b", "question": "护照怎么办", "answer": "到出入境窗口", "department": ""}',
    '{"id": "c", "answer": "没有问题"}',
]


def load(database: Database, rows: list[str]) -> ImportReport:
    result = import_bytes("rows.jsonl", "\n".join(rows).encode())
    return database.write(lambda uow: service.store_import(uow, result, actor="editor", now=NOW))


def published(database: Database, root: Path) -> int:
    return service.publish(database, FakeEmbedder(), root, actor="editor", now=NOW)[0]


def test_an_import_creates_updates_and_leaves_alone(database: Database) -> None:
    first = load(database, ROWS)
    assert (first.created, first.updated, first.unchanged, len(first.rejected), len(first.reported)) == (2, 0, 0, 1, 1)
    again = load(database, [ROWS[0], ROWS[1].replace("到出入境窗口", "到市民中心")])
    assert (again.created, again.updated, again.unchanged) == (0, 1, 1)
    with database.unit_of_work(read_only=True) as uow:
        stored = {entry.id: entry for entry in service.all_entries(uow)}
    assert stored["b"].answer == "到市民中心"
    assert stored["a"].extra == {"channel": "网站"}


FULL = (
    "编号,问题,相似问题,答案,部门,地区,生效日期,失效日期,来源,关键词,热度\n"
    "a,身份证怎么补办,丢了身份证|补身份证,到派出所,公安局,示范区,2026-01-01,2027-06-30,官网,户籍,7\n"
    "b,护照怎么办,,到出入境窗口,出入境,,,,,,\n"
)


def take(database: Database, name: str, data: bytes, *, replace: bool = False) -> ImportReport:
    result = import_bytes(name, data)
    return database.write(lambda uow: service.store_import(uow, result, actor="editor", now=NOW, replace=replace))


def all_stored(database: Database) -> dict[str, Entry]:
    with database.unit_of_work(read_only=True) as uow:
        return {entry.id: entry for entry in service.all_entries(uow)}


def test_a_file_without_a_column_leaves_that_column_alone(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    before = all_stored(database)
    report = take(
        database, "few.csv", "编号,问题,答案\na,身份证怎么补办,到任一派出所\nb,护照怎么办,到出入境窗口\n".encode()
    )
    assert (report.updated, report.unchanged, report.emptied, report.reported) == (1, 1, [], [])
    after = all_stored(database)
    assert after["a"] == Entry.from_dict({**before["a"].to_dict(), "answer": "到任一派出所"})
    assert after["b"] == before["b"]


def test_an_empty_cell_empties_and_every_row_that_lost_something_is_told(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    rows = "编号,问题,答案,部门,失效日期,热度\nb,护照怎么办,到出入境窗口,出入境,,\na,身份证怎么补办,到派出所,,长期,\n"
    report = take(database, "empty.csv", rows.encode())
    assert [(note.row, note.reason) for note in report.emptied] == [(3, "原有的部门、失效日期、热度被清空")]
    stored = all_stored(database)["a"]
    assert (stored.department, stored.valid_to, stored.extra) == (None, None, {})
    assert stored.similar_questions == ("丢了身份证", "补身份证")


def test_in_json_lines_a_key_that_lacks_leaves_alone_and_null_empties(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    line = '{"id": "a", "question": "身份证怎么补办", "answer": "到派出所", "source": null, "热度": null}'
    report = take(database, "a.jsonl", line.encode())
    assert [(note.row, note.reason) for note in report.emptied] == [(1, "原有的来源、热度被清空")]
    stored = all_stored(database)["a"]
    assert (stored.source, stored.department, stored.extra) == (None, "公安局", {})


def test_replacing_empties_what_the_file_does_not_name_and_tells_it(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    report = take(database, "few.csv", "编号,问题,答案\na,身份证怎么补办,到派出所\n".encode(), replace=True)
    said = "原有的相似问题、部门、地区、生效日期、失效日期、来源、关键词、热度被清空"
    assert [(note.row, note.reason) for note in report.emptied] == [(2, said)]
    stored = all_stored(database)
    assert stored["a"] == Entry(id="a", question="身份证怎么补办", answer="到派出所")
    assert stored["b"].department == "出入境"


def test_a_row_that_does_not_go_with_what_stays_is_rejected_and_nothing_else(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    rows = "编号,问题,答案,失效日期\na,身份证怎么补办,到派出所,2025-12-31\nb,护照怎么办,到市民中心,\n"
    report = take(database, "late.csv", rows.encode())
    assert (report.updated, report.unchanged) == (1, 0)
    assert [(one.row, one.column) for one in report.rejected] == [(2, "生效日期")]
    assert all_stored(database)["b"].answer == "到市民中心"


def test_a_new_question_that_was_a_similar_one_is_not_kept_twice(database: Database) -> None:
    take(database, "full.csv", FULL.encode())
    take(database, "few.csv", "编号,问题,答案\na,补身份证,到派出所\n".encode())
    assert all_stored(database)["a"].similar_questions == ("丢了身份证",)


def test_a_new_entry_of_a_file_without_departments_is_reported(database: Database) -> None:
    report = take(database, "few.csv", "编号,问题,答案\nx,新问题,答\n".encode())
    assert [(note.row, note.reason) for note in report.reported] == [(2, "部门为空")]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".xlsx"])
@pytest.mark.parametrize("replace", [False, True])
def test_what_is_exported_and_imported_again_changes_nothing(database: Database, suffix: str, replace: bool) -> None:
    odd = Entry(
        id="_x000D_",
        question="=1+1 等于几",
        answer="第一行\n写作 _x000D_ 的\n\t第三行",
        similar_questions=("[一]", "a|b"),
        extra={"=列": "007", "json": {"深": [1, None, True]}, "空格": " 前后 "},
    )
    take(database, "full.csv", FULL.encode())
    database.write(
        lambda uow: service.store_import(uow, ImportResult(entries=[odd]), actor="editor", now=NOW, replace=True)
    )
    before = all_stored(database)
    report = take(database, f"again{suffix}", export_bytes(list(before.values()), suffix), replace=replace)
    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)
    assert (report.rejected, report.emptied) == ([], [])
    assert all_stored(database) == before


def test_entries_are_found_by_words_of_question_and_answer(database: Database) -> None:
    load(database, ROWS)
    with database.unit_of_work(read_only=True) as uow:
        by_question, _ = service.find_entries(uow, "护照", None, 10, 0)
        by_answer, total = service.find_entries(uow, "派出所", None, 10, 0)
        wildcard, _ = service.find_entries(uow, "%", None, 10, 0)
    assert [entry.id for entry in by_question] == ["b"]
    assert ([entry.id for entry in by_answer], total) == (["a"], 1)
    assert wildcard == []


def test_a_published_version_goes_live_and_is_rolled_back(database: Database, tmp_path: Path) -> None:
    live = LiveKnowledge(database, FakeEmbedder, tmp_path)
    assert not live.refresh()
    assert live.current is None
    load(database, ROWS[:1])
    first = published(database, tmp_path)
    assert live.refresh()
    load(database, ROWS[1:])
    second = published(database, tmp_path)
    assert live.refresh()
    assert (live.version, len(live.current or ())) == (second, 2)
    database.write(lambda uow: service.roll_back(uow, first, actor="editor", now=NOW + timedelta(hours=1)))
    assert live.refresh()
    assert (live.version, len(live.current or ())) == (first, 1)
    with pytest.raises(NotFound):
        database.write(lambda uow: service.roll_back(uow, 99, actor="editor", now=NOW))


def test_a_version_of_another_model_is_refused_and_the_old_one_stays_live(database: Database, tmp_path: Path) -> None:
    load(database, ROWS)
    published(database, tmp_path)
    live = LiveKnowledge(database, FakeEmbedder, tmp_path)
    assert live.refresh()
    service.publish(database, FakeEmbedder(dimension=64), tmp_path, actor="editor", now=NOW)
    assert not live.refresh()
    assert live.version == 1
    assert "重新发布" in (live.problem or "")


def test_an_empty_base_cannot_be_published(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        published(database, tmp_path)
