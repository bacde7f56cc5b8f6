"""The vector indexes: exact for small bases, a scan of short codes for large ones."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from knowledge_base import Entry, KnowledgeBase
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index import choice
from knowledge_base.index.choice import SCANNED_FROM, build_vector_index, open_vector_index
from knowledge_base.index.faiss_fastscan import LEAST_ROWS, FaissFastScanIndex
from knowledge_base.index.faiss_flat import FaissFlatIndex
from knowledge_base.index.vector import highest
from knowledge_base.testing import FakeEmbedder
from tests.unit.knowledge_base.conftest import CREATED, ENTRIES


def clustered(count: int, seed: int, dimension: int = 64) -> Vectors:
    """Unit vectors around common centres, as questions about the same matters lie."""
    centres = np.random.default_rng(0).standard_normal((200, dimension))
    draw = np.random.default_rng(seed)
    vectors = centres[draw.integers(len(centres), size=count)] + 0.5 * draw.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


ROWS = clustered(SCANNED_FROM, seed=1)
QUERIES = clustered(100, seed=2)


@pytest.fixture(scope="module")
def scan() -> FaissFastScanIndex:
    index = build_vector_index(ROWS)
    assert isinstance(index, FaissFastScanIndex)
    return index


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, exact, strict=True)]))


def test_the_number_of_rows_decides_which_index_is_built() -> None:
    assert isinstance(build_vector_index(ROWS[:-1]), FaissFlatIndex)
    assert isinstance(build_vector_index(ROWS[:0]), FaissFlatIndex)


def test_the_scan_finds_what_exact_search_finds(scan: FaissFastScanIndex) -> None:
    scores, rows = scan.search(QUERIES, 10)
    exact_scores, exact = FaissFlatIndex.build(ROWS).search(QUERIES, 10)
    assert recall(rows, exact) >= 0.99
    np.testing.assert_allclose(scores[:, 0], exact_scores[:, 0], atol=2e-3)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_of_many_rows_only_some_cells_are_looked_into_and_hardly_any_of_the_best_is_missed() -> None:
    rows = clustered(40_000, seed=5)
    built = FaissFastScanIndex.build(rows)
    allowed = np.random.default_rng(6).random(len(rows)) < 0.4
    for mask in (None, allowed):
        exact = FaissFlatIndex.build(rows).search(QUERIES, 10, mask)[1]
        found = built.search(QUERIES, 10, mask)[1]
        assert recall(found, exact) >= 0.99
        assert mask is None or mask[found].all()


def test_the_same_rows_give_the_same_index(scan: FaissFastScanIndex, tmp_path: Path) -> None:
    scan.save(tmp_path / "1")
    build_vector_index(ROWS).save(tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("share", [0.5, 0.2, 0.02, 0.0005, 0.0])
def test_only_allowed_rows_are_found_and_all_of_the_best_of_them(scan: FaissFastScanIndex, share: float) -> None:
    allowed = np.random.default_rng(3).random(len(ROWS)) < share
    flat = FaissFlatIndex.build(ROWS)
    exact = [row[row >= 0] for row in flat.search(QUERIES, 10, allowed)[1]]
    found = [row[row >= 0] for row in scan.search(QUERIES, 10, allowed)[1]]
    assert all(allowed[row].all() for row in (*exact, *found))
    best = np.argsort(-np.where(allowed, QUERIES @ ROWS.T, -np.inf), axis=1)[:, : min(10, int(allowed.sum()))]
    assert [set(row) for row in exact] == [set(row) for row in best]
    if allowed.any():
        assert recall(found, exact) >= 0.98
    else:
        assert [len(row) for row in found] == [0] * len(QUERIES)


def test_a_saved_scan_is_mapped_and_gives_the_same(scan: FaissFastScanIndex, tmp_path: Path) -> None:
    scan.save(tmp_path / "s.faiss")
    opened = open_vector_index(tmp_path / "s.faiss")
    assert isinstance(opened, FaissFastScanIndex)
    assert (len(opened), opened.dimension) == ROWS.shape
    np.testing.assert_array_equal(opened.search(QUERIES, 100)[1], scan.search(QUERIES, 100)[1])
    np.testing.assert_array_equal(opened.search(QUERIES, 5, np.arange(len(ROWS)) < 50)[1] < 50, True)
    mapped = (tmp_path / "s.faiss").resolve()
    assert str(mapped) in Path("/proc/self/maps").read_text()


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    faiss.write_index(faiss.index_factory(8, "PCA4,Flat"), str(tmp_path / "x.faiss"))
    with pytest.raises(RuntimeError, match=r"x\.faiss"):
        open_vector_index(tmp_path / "x.faiss")


def test_more_rows_than_there_are_or_none_can_be_asked_for(scan: FaissFastScanIndex) -> None:
    assert FaissFlatIndex.build(ROWS[:3]).search(QUERIES[:1], 10)[1].shape == (1, 3)
    assert scan.search(QUERIES, 0)[1].shape == (100, 0)
    few = FaissFastScanIndex.build(ROWS[:LEAST_ROWS])
    assert set(few.search(QUERIES[:1], 50)[1][0]) == set(range(LEAST_ROWS))
    with pytest.raises(ValueError, match="15 rows"):
        FaissFastScanIndex.build(ROWS[: LEAST_ROWS - 1])


def test_a_base_over_the_scan_answers_as_over_the_exact_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = [
        Entry(id=f"n{n}", question=f"第{n}号窗口几点开门", answer=f"{n}点。", department="大厅") for n in range(300)
    ]
    exact = KnowledgeBase.build([*ENTRIES, *more], FakeEmbedder(), tmp_path / "exact", created_at=CREATED)
    monkeypatch.setattr(choice, "SCANNED_FROM", 1)
    scan = KnowledgeBase.build([*ENTRIES, *more], FakeEmbedder(), tmp_path / "scan", created_at=CREATED)
    for text in ("身份证丢了", "公积金怎么提取", "17号窗口", "供暖"):
        for filters in ({}, {"department": "大厅"}, {"department": "公安局"}, {"today": CREATED.date()}):
            wanted, found = (base.search(text, 1, **filters).hits for base in (exact, scan))
            assert [hit.entry_id for hit in found] == [hit.entry_id for hit in wanted]
            assert [hit.confidence for hit in found] == pytest.approx([hit.confidence for hit in wanted])


@pytest.mark.parametrize("size", [0, 50, 5_000, 60_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_the_highest_scores_are_found_whatever_a_sample_of_them_says(size: int, share: float) -> None:
    draw = np.random.default_rng(size)
    # The highest stand side by side where the sample sees few of them, and many are alike.
    scores = np.where(draw.random(size) < share, draw.integers(1, 40, size), 0).astype(np.float32)
    scores[1 : int(size * 0.01)] += 50 * (share > 0)
    found = highest(scores, 100)
    wanted = np.sort(scores[scores > 0])[-100:]
    np.testing.assert_array_equal(np.sort(scores[found]), wanted)
    assert len(set(found.tolist())) == len(found)
