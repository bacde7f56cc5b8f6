"""The retrieval bench measures what it says, on small sizes and with the deterministic embedder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from knowledge_base.base import passage_text
from knowledge_base.testing import FakeEmbedder
from services.commands import bench
from services.core.errors import BadRequest
from services.evaluation.retrieval_bench import ends, peers, run, texts
from services.evaluation.retrieval_bench.jitter import JitteringEmbedder, jittered
from services.evaluation.retrieval_bench.timing import Row, per_second, side_by_side


def test_generated_entries_are_the_same_every_time_and_rarely_alike() -> None:
    few, many = list(texts.entries(50)), list(texts.entries(2_000))
    assert many[:50] == few
    assert len({entry.question for entry in many}) > 1_900
    assert texts.queries(5, 100) == texts.queries(5, 100)


def test_moved_vectors_stay_near_the_real_ones_and_differ_from_each_other() -> None:
    base = FakeEmbedder().embed_passages(["身份证怎么办", "公积金怎么提取"])
    moved = jittered(base, 100)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, atol=1e-5)
    near = np.sum(moved * base[np.arange(100) % 2], axis=1)
    assert 0.9 < near.min() < near.max() < 0.99
    assert len(np.unique(moved, axis=0)) == 100


def test_the_first_entries_keep_their_real_vectors() -> None:
    model = FakeEmbedder()
    embedder = JitteringEmbedder(model, 10)
    listed = [passage_text(entry) for entry in texts.entries(12)]
    vectors = embedder.embed_passages(listed)
    np.testing.assert_array_equal(vectors[:10], model.embed_passages(listed[:10]))
    assert (np.abs(vectors[10:] - model.embed_passages(listed[10:])).max(axis=1) > 0.01).all()
    np.testing.assert_array_equal(embedder.embed_queries(["身份证"]), model.embed_queries(["身份证"]))
    assert embedder.identity != model.identity


def test_every_way_is_asked_every_query() -> None:
    asked: dict[str, list[str]] = {"a": [], "b": []}
    spent = side_by_side({name: queries.append for name, queries in asked.items()}, ["1", "2", "3"])
    assert asked == {"a": ["1", "1", "2", "3"], "b": ["1", "1", "2", "3"]}
    assert {name: len(values) for name, values in spent.items()} == {"a": 3, "b": 3}


def test_callers_share_the_queries_and_an_error_of_one_is_raised() -> None:
    asked: list[str] = []
    assert per_second(asked.append, [str(number) for number in range(50)], 8) > 0
    assert sorted(asked, key=int) == [str(number) for number in range(50)]
    with pytest.raises(ValueError, match="invalid literal"):
        per_second(int, ["1", "x", "2"], 2)


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"missing": (("no_such_module",), peers.txtai)}
    monkeypatch.setattr(run, "PEERS", missing)
    rows: list[Row] = []
    run.bases(JitteringEmbedder(FakeEmbedder(), 20), [30], 10, lambda line: None, rows.append)
    assert [row["way"] for row in rows] == ["embedding alone", "whole search", "missing"]
    assert rows[0]["to_embedding"] == 1.0
    assert rows[1]["disk_mb"] >= 0
    assert rows[1]["candidate_recall"] == 1.0
    assert rows[2]["ms_p50"] == "not installed"


def test_recall_of_the_chosen_index_is_measured_against_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = JitteringEmbedder(FakeEmbedder(), 50)
    queries = embedder.embed_queries(texts.queries(20, 50))
    rows: list[Row] = []
    run.vectors(embedder.base, queries, [500], lambda line: None, rows.append)
    (flat,) = rows
    assert (flat["index"], flat["recall_at_10"], flat["same_rows_at_10"]) == ("FaissFlatIndex", 1.0, 1.0)
    monkeypatch.setattr(run, "build_vector_index", lambda vectors: run.FaissFlatIndex.build(vectors[:250]))
    run.vectors(embedder.base, queries, [500], lambda line: None, rows.append)
    assert rows[1]["recall_at_10"] < 0.9


def test_a_row_that_ties_with_the_last_exact_one_counts_as_found_and_a_farther_one_does_not() -> None:
    stored = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6], [0.79, 0.613]], dtype=np.float32)
    query, exact = stored[:1], np.array([[1.0, 0.8]], dtype=np.float32)
    tied, farther = np.array([0, 2]), np.array([0, 3])
    assert run._recall_of_scores(stored, query, [tied], exact) == 1.0
    assert run._recall_of_scores(stored, query, [farther], exact) == 0.5
    assert run._recall_of_scores(stored, query, [tied[:1]], exact) == 0.5


def test_an_end_is_reached_or_not_by_what_was_measured() -> None:
    whole = {"way": "whole search", "candidate_recall": 0.98}
    reached = ends.ends(
        callers=[{"callers": 32, "way": "micro-batching", "throughput": 2.5}],
        bases=[{"entries": 2_000, "to_embedding": 1.2, **whole}, {"entries": 100_000, "to_embedding": 1.4, **whole}],
        vectors=[
            {"vectors": 100_000, "recall_at_10": 0.995, "ms_p50": 0.5},
            {"vectors": 1_000_000, "recall_at_10": 0.98, "ms_p50": 1.0},
        ],
    )
    assert [row["reached"] for row in reached] == [True, False, False, False, True, True, False, True]
    assert reached[-1]["value"] == 0.2


def test_a_bench_that_is_cut_prints_what_it_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    monkeypatch.setattr(bench, "load_embedder", lambda *_, **__: FakeEmbedder())
    monkeypatch.setattr(run, "bases", cut)
    result = CliRunner().invoke(bench.app, ["retrieval", "--embedded", "100", "--rounds", "1", "--json"])
    assert result.exit_code == 130
    figures = json.loads(result.stdout)
    assert (figures["cut"], len(figures["callers"]), figures["bases"]) == (True, 4, [])


@pytest.mark.parametrize("text", ["0", "x", "1,-2", "1.5"])
def test_sizes_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        bench._numbers(text)


def test_the_command_prints_every_part_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    monkeypatch.setattr(bench, "load_embedder", lambda *_, **__: FakeEmbedder())
    monkeypatch.setattr(run, "PEERS", {})
    arguments = ["retrieval", "--sizes", "40", "--vectors", "300", "--embedded", "100", "--queries", "10"]
    result = CliRunner().invoke(bench.app, [*arguments, "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert [row["entries"] for row in figures["bases"]] == [40, 40]
    assert figures["vectors"][0]["vectors"] == 300
    assert figures["callers"][0]["per_second"] > 0
