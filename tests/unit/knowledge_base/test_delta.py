"""A base with a delta of recent edits answers as a base of the edited entries would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base import Entry, KnowledgeBase, SnapshotDamaged, SqliteEmbeddingCache
from knowledge_base.testing import FakeEmbedder
from tests.unit.knowledge_base.conftest import CREATED, ENTRIES

SUBJECTS = ["身份证", "护照", "公积金", "社保卡", "驾驶证", "居住证", "结婚证", "房产证", "营业执照", "准生证"]
ACTIONS = ["怎么办理", "丢了怎么补", "多少钱", "在哪里办", "要什么材料"]
MANY = [
    Entry(id=f"{subject}-{action}", question=subject + action, answer=f"{subject}：{action}，请到{number}号窗口。")
    for number, (subject, action) in enumerate((s, a) for s in SUBJECTS for a in ACTIONS)
]


def extended(
    base: KnowledgeBase, name: str, changed: Sequence[Entry] = (), removed: Sequence[str] = (), **options: object
) -> KnowledgeBase:
    directory = base.directory.parent / name
    return base.extend(changed, removed, directory, created_at=CREATED, **options)  # type: ignore[arg-type]


def found(base: KnowledgeBase, text: str, **filters: object) -> list[str]:
    return [hit.entry_id for hit in base.search(text, **filters).hits]  # type: ignore[arg-type]


def test_an_edited_entry_is_found_by_its_new_wording_and_no_more_by_its_old_one(base: KnowledgeBase) -> None:
    edited = replace(ENTRIES[1], question="住房公积金支取流程", answer="新的办法。")
    newer = extended(base, "2", [edited])
    hit = newer.search("住房公积金支取流程").hits[0]
    assert (hit.entry_id, hit.wording) == ("fund", "住房公积金支取流程")
    assert newer.search("公积金怎么提取").hits[0].wording == "住房公积金支取流程"
    assert newer.entry("fund").answer == "新的办法。"
    assert base.entry("fund").answer == ENTRIES[1].answer
    assert len(newer) == len(base)


def test_new_entries_come_and_removed_ones_go(base: KnowledgeBase) -> None:
    newer = extended(base, "2", [Entry(id="bus", question="公交卡怎么退", answer="到客服网点。")], ["fund"])
    assert found(newer, "公交卡怎么退")[0] == "bus"
    assert "fund" not in found(newer, "公积金怎么提取")
    with pytest.raises(KeyError):
        newer.entry("fund")
    assert sorted(entry.id for entry in newer.entries) == sorted({"bus", *(e.id for e in ENTRIES)} - {"fund"})
    assert (len(newer), newer.delta_size) == (5, 2)


def test_edits_add_up_over_versions_and_the_last_one_counts(base: KnowledgeBase) -> None:
    bus = Entry(id="bus", question="公交卡怎么退", answer="一")
    second = extended(base, "2", [bus, replace(ENTRIES[1], answer="一")])
    third = extended(second, "3", [replace(bus, answer="二")], ["school"])
    fourth = extended(third, "4", [], ["bus"])
    assert (third.entry("bus").answer, third.entry("fund").answer) == ("二", "一")
    assert sorted(entry.id for entry in fourth.entries) == ["fund", "heating", "heating-twin", "id-card"]
    assert fourth.base_name == base.directory.name
    assert [kb.delta_size for kb in (base, second, third, fourth)] == [0, 2, 3, 2]
    assert third.delta_size == second.delta_size_after({"bus"}, {"school"})


def test_an_entry_that_was_removed_can_come_back(base: KnowledgeBase) -> None:
    gone = extended(base, "2", [], ["fund"])
    back = extended(gone, "3", [ENTRIES[1]])
    assert found(back, "公积金怎么提取")[0] == "fund"
    assert found(back, "公积金怎么提取").count("fund") == 1


def test_what_changed_is_told_by_content(base: KnowledgeBase) -> None:
    hashes = {entry.id: entry.content_hash for entry in ENTRIES}
    assert base.compare(hashes) == (frozenset(), frozenset())
    newer = extended(base, "2", [replace(ENTRIES[1], answer="新")], ["school"])
    assert newer.compare(hashes) == ({"fund", "school"}, frozenset())
    assert base.compare({e.id: e.content_hash for e in newer.entries}) == ({"fund"}, {"school"})


def test_filters_see_the_edited_entry_and_not_the_one_it_replaced(base: KnowledgeBase) -> None:
    moved = replace(ENTRIES[0], department="市民中心", region="北区", valid_to=date(2026, 6, 30))
    newer = extended(base, "2", [moved])
    assert "id-card" not in found(newer, "身份证丢了怎么补办", department="公安局")
    assert "id-card" in found(newer, "身份证丢了怎么补办", department="市民中心", region="北区")
    assert "id-card" in found(newer, "身份证丢了怎么补办", today=date(2026, 6, 30))
    assert "id-card" not in found(newer, "身份证丢了怎么补办", today=date(2026, 7, 1))


def test_an_answer_that_the_base_has_too_is_folded_with_it(base: KnowledgeBase) -> None:
    newer = extended(base, "2", [Entry(id="third", question="暖气哪天来", answer="每年十一月十五日开始供暖。")])
    hits = found(newer, "暖气哪天来")
    assert hits[0] == "third"
    assert {"heating", "heating-twin"}.isdisjoint(hits)


def test_only_what_changed_is_embedded(tmp_path: Path) -> None:
    cache, embedder = SqliteEmbeddingCache(tmp_path / "cache.db"), FakeEmbedder()
    base = KnowledgeBase.build(MANY, embedder, tmp_path / "1", created_at=CREATED, cache=cache)
    before = embedder.texts_embedded
    second = extended(base, "2", [replace(MANY[0], answer="改了")], cache=cache)
    assert embedder.texts_embedded - before == 1
    extended(second, "3", [replace(MANY[1], question="问法改了")], cache=cache)
    assert embedder.texts_embedded - before == 3


def test_a_delta_is_opened_again_with_its_base_and_shares_one_that_is_open(base: KnowledgeBase) -> None:
    newer = extended(base, "2", [replace(ENTRIES[1], answer="新")], ["school"])
    alone = KnowledgeBase.open(newer.directory, FakeEmbedder())
    shared = KnowledgeBase.open(newer.directory, FakeEmbedder(), share=[base])
    for text in ("公积金怎么提取", "小学入学材料", "供暖"):
        assert alone.search(text).hits == shared.search(text).hits == newer.search(text).hits
    assert shared._layers.base is base._layers.base


def test_a_delta_whose_base_is_gone_or_another_is_refused(base: KnowledgeBase, tmp_path: Path) -> None:
    newer = extended(base, "2", [replace(ENTRIES[1], answer="新")])
    manifest = base.directory / "manifest.json"
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, "created_at": "2026-01-01T00:00:00+00:00"}))
    with pytest.raises(SnapshotDamaged, match="已被改动"):
        KnowledgeBase.open(newer.directory, FakeEmbedder())
    manifest.unlink()
    with pytest.raises(SnapshotDamaged, match="不存在"):
        KnowledgeBase.open(newer.directory, FakeEmbedder())


@pytest.mark.parametrize("name", ["removed.npy", "columns.json", "questions.faiss"])
def test_an_altered_delta_is_noticed(base: KnowledgeBase, name: str) -> None:
    newer = extended(base, "2", [replace(ENTRIES[1], answer="新")])
    path = newer.directory / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SnapshotDamaged, match=name):
        KnowledgeBase.open(newer.directory, FakeEmbedder(), share=[base])


def test_a_base_may_lose_all_its_entries_or_gain_its_first(tmp_path: Path) -> None:
    empty = KnowledgeBase.build([], FakeEmbedder(), tmp_path / "1", created_at=CREATED)
    one = extended(empty, "2", [ENTRIES[1]])
    assert found(one, "公积金怎么提取") == ["fund"]
    none = extended(one, "3", [], ["fund"])
    assert (len(none), none.search("公积金怎么提取").hits) == (0, ())


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_delta_finds_what_a_base_of_the_same_entries_finds(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("kb")
    base = KnowledgeBase.build(MANY, FakeEmbedder(), folder / "1", created_at=CREATED)
    edited = data.draw(st.sets(st.integers(0, len(MANY) - 1), max_size=8))
    gone = data.draw(st.sets(st.integers(0, len(MANY) - 1), max_size=5)) - edited
    changed = [replace(MANY[at], similar_questions=(f"请问{MANY[at].question}呀",)) for at in sorted(edited)]
    layered = extended(base, "2", changed, [MANY[at].id for at in gone])
    entries = {entry.id: entry for entry in [*MANY, *changed] if entry.id not in {MANY[at].id for at in gone}}
    whole = KnowledgeBase.build(list(entries.values()), FakeEmbedder(), folder / "3", created_at=CREATED)
    assert {entry.id: entry for entry in layered.entries} == entries
    for at in sorted(gone):
        assert MANY[at].id not in found(layered, MANY[at].question)
    for at in sorted({*edited, 0, 17} - gone):
        one, other = layered.search(MANY[at].question), whole.search(MANY[at].question)
        # Lexical statistics are the base's, so only the meaning is exactly the same.
        assert one.hits[0].entry_id == other.hits[0].entry_id
        assert one.hits[0].dense == pytest.approx(other.hits[0].dense, abs=1e-6)
        assert one.hits[0].confidence == pytest.approx(other.hits[0].confidence, abs=0.05)


def test_with_answers_later_only_questions_are_embedded_and_the_base_answers(tmp_path: Path) -> None:
    cache, embedder = SqliteEmbeddingCache(tmp_path / "cache.db"), FakeEmbedder()
    entries = [*MANY, *(Entry(id=f"x{n}", question=f"第{n}个问题", answer=f"第{n}个答案") for n in range(50))]
    early = KnowledgeBase.build(entries, embedder, tmp_path / "1", created_at=CREATED, cache=cache, answers="later")
    assert (embedder.texts_embedded, early.answers_pending) == (100, 100)
    assert KnowledgeBase.open(early.directory, embedder).answers_pending == 100
    later = extended(early, "2", [replace(MANY[0], answer="改了")], cache=cache, answers="later")
    assert later.answers_pending == 100
    complete = KnowledgeBase.build(
        list(later.entries), embedder, tmp_path / "3", created_at=CREATED, cache=cache, answers="later"
    )
    assert complete.answers_pending == 99
    done = KnowledgeBase.build(list(later.entries), embedder, tmp_path / "4", created_at=CREATED, cache=cache)
    assert (done.answers_pending, embedder.texts_embedded) == (0, 200)
    assert early.search("护照丢了怎么补").hits[0].entry_id == "护照-丢了怎么补"


class Stopped(BaseException):
    pass


class Dying(FakeEmbedder):
    """Stops in the middle, as a killed process does."""

    def embed_passages(self, texts: Sequence[str], progress: object = None) -> object:  # type: ignore[override]
        if self.texts_embedded >= 256:
            raise Stopped
        return super().embed_passages(texts)


def test_a_build_that_was_stopped_loses_nothing(tmp_path: Path) -> None:
    entries = [Entry(id=str(n), question=f"第{n}个问题", answer=f"第{n}个答案") for n in range(300)]
    cache = SqliteEmbeddingCache(tmp_path / "cache.db")
    with pytest.raises(Stopped):
        KnowledgeBase.build(entries, Dying(), tmp_path / "1", created_at=CREATED, cache=cache)
    assert not (tmp_path / "1").exists()
    embedder = FakeEmbedder()
    KnowledgeBase.build(entries, embedder, tmp_path / "1", created_at=CREATED, cache=cache)
    assert embedder.texts_embedded == 600 - 256
