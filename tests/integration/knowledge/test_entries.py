"""Entries and published versions in both databases."""

from datetime import timedelta
from pathlib import Path

import pytest

from knowledge_base import import_bytes
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
