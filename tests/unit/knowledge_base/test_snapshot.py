from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge_base import Entry, IndexMismatch, KnowledgeBase, SnapshotDamaged, SqliteEmbeddingCache
from knowledge_base.testing import FakeEmbedder

CREATED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ENTRY = Entry(id="a", question="身份证怎么办", answer="到派出所。")

BuildBase = Callable[[Sequence[Entry]], KnowledgeBase]


def test_an_opened_snapshot_gives_what_was_built(base: KnowledgeBase) -> None:
    opened = KnowledgeBase.open(base.directory, FakeEmbedder())
    assert list(opened.entries) == list(base.entries)
    assert opened.entry("fund").question == "公积金怎么提取"
    assert opened.search("公积金提取").hits == base.search("公积金提取").hits
    assert (opened.manifest.entries, opened.manifest.wordings) == (5, 7)
    assert opened.manifest.created_at == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize("other", [FakeEmbedder(identity="another"), FakeEmbedder(dimension=128)])
def test_a_snapshot_of_another_model_or_dimension_is_refused(base: KnowledgeBase, other: FakeEmbedder) -> None:
    with pytest.raises(IndexMismatch, match=r"索引由模型 fake（384 维） 建立，当前模型是 .*，请重新发布"):
        KnowledgeBase.open(base.directory, other)


def test_an_altered_or_missing_file_is_noticed(base: KnowledgeBase) -> None:
    for name in json.loads((base.directory / "manifest.json").read_text())["checksums"]:
        path = base.directory / name
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(SnapshotDamaged, match=name):
            KnowledgeBase.open(base.directory, FakeEmbedder())
        path.unlink()
        with pytest.raises(SnapshotDamaged):
            KnowledgeBase.open(base.directory, FakeEmbedder(), check=False)
        path.write_bytes(original)
    KnowledgeBase.open(base.directory, FakeEmbedder())


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotDamaged, match="不存在"):
        KnowledgeBase.open(tmp_path / "none", FakeEmbedder())


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        KnowledgeBase.build([ENTRY], FakeEmbedder(), tmp_path / "1", created_at=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="编号相同"):
        KnowledgeBase.build([ENTRY, ENTRY], FakeEmbedder(), tmp_path / "1", created_at=CREATED)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_snapshot_is_never_overwritten(base: KnowledgeBase) -> None:
    before = (base.directory / "manifest.json").read_bytes()
    with pytest.raises(FileExistsError):
        KnowledgeBase.build([ENTRY], FakeEmbedder(), base.directory, created_at=CREATED)
    assert (base.directory / "manifest.json").read_bytes() == before


def test_of_two_builds_into_one_folder_exactly_one_wins(tmp_path: Path) -> None:
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def build() -> None:
        gate.wait()
        try:
            KnowledgeBase.build([ENTRY], FakeEmbedder(), tmp_path / "1", created_at=CREATED)
            outcomes.append("built")
        except FileExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["built", "refused"]
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_rebuild_embeds_only_what_changed(tmp_path: Path) -> None:
    cache = SqliteEmbeddingCache(tmp_path / "cache.sqlite")
    entries = [Entry(id=str(n), question=f"第{n}个问题", answer=f"第{n}个答案") for n in range(20)]
    embedder = FakeEmbedder()
    KnowledgeBase.build(entries, embedder, tmp_path / "1", created_at=CREATED, cache=cache)
    assert embedder.texts_embedded == 40
    entries[3] = Entry(id="3", question="第3个问题", answer="改过的答案")
    KnowledgeBase.build(entries, embedder, tmp_path / "2", created_at=CREATED, cache=cache)
    assert embedder.texts_embedded == 41


def test_progress_ends_with_every_text(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    entries = [Entry(id=str(n), question=f"问{n}", answer=f"答{n}") for n in range(300)]
    KnowledgeBase.build(
        entries,
        FakeEmbedder(),
        tmp_path / "1",
        created_at=CREATED,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[0] == (0, 600)
    assert seen[-1] == (600, 600)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_base_with_no_entry_and_with_one_can_be_built_and_searched(build_base: BuildBase) -> None:
    assert build_base([]).search("身份证").hits == ()
    assert [hit.entry_id for hit in build_base([ENTRY]).search("身份证").hits] == ["a"]
