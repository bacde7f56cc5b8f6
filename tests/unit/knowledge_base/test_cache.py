from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np

from knowledge_base.embedding.cache import SqliteEmbeddingCache, cache_key, embed_passages_cached
from knowledge_base.testing import FakeEmbedder


def test_only_new_texts_are_embedded_and_equal_texts_once(tmp_path: Path) -> None:
    cache = SqliteEmbeddingCache(tmp_path / "c.sqlite")
    embedder = FakeEmbedder()
    first = embed_passages_cached(embedder, ["甲", "乙", "甲"], cache)
    assert embedder.texts_embedded == 2
    second = embed_passages_cached(embedder, ["乙", "丙", "甲"], cache)
    assert embedder.texts_embedded == 3
    np.testing.assert_array_equal(second[[0, 2]], first[[1, 0]])


def test_another_model_never_gets_the_vectors_of_this_one(tmp_path: Path) -> None:
    cache = SqliteEmbeddingCache(tmp_path / "c.sqlite")
    embed_passages_cached(FakeEmbedder(identity="a"), ["甲"], cache)
    other = FakeEmbedder(identity="b")
    embed_passages_cached(other, ["甲"], cache)
    assert other.texts_embedded == 1


def test_a_vector_of_another_length_counts_as_absent(tmp_path: Path) -> None:
    cache = SqliteEmbeddingCache(tmp_path / "c.sqlite")
    key = cache_key("m", "passage", "甲")
    cache.put_many({key: np.ones(3, np.float32)})
    assert cache.get_many([key], 4) == {}
    assert list(cache.get_many([key], 3)) == [key]


def test_progress_counts_every_text_and_ends_with_all(tmp_path: Path) -> None:
    cache = SqliteEmbeddingCache(tmp_path / "c.sqlite")
    embed_passages_cached(FakeEmbedder(), ["甲"], cache)
    seen: list[tuple[int, int]] = []
    embed_passages_cached(FakeEmbedder(), ["甲", "乙", "乙"], cache, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (3, 3)]


def _fill(path: Path, start: int) -> None:
    cache = SqliteEmbeddingCache(path)
    for number in range(start, start + 40):
        vector = np.full(8, number, np.float32)
        cache.put_many({cache_key("m", "passage", str(number)): vector})


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(path, start)) for start in (0, 20, 40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    keys = [cache_key("m", "passage", str(number)) for number in range(80)]
    found = SqliteEmbeddingCache(path).get_many(keys, 8)
    assert [float(found[key][0]) for key in keys] == list(range(80))
