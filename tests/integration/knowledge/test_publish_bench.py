"""The bench of publishing measures what it says: run small, with the deterministic embedder."""

from pathlib import Path

from knowledge_base.testing import FakeEmbedder
from services.evaluation import publish_bench


def test_the_bench_publishes_edits_and_rolls_back_under_load(tmp_path: Path) -> None:
    figures = publish_bench.measure(
        FakeEmbedder(), tmp_path, entries=120, publishes=3, threads=2, pace=0.0, quiet_seconds=0.0
    )
    assert (figures["errors"], figures["mixed_results"]) == (0, 0)
    assert figures["searches_during_publishes"] > 0
    assert figures["one_edit_texts_embedded_max"] == 2
    assert figures["rollback_ms_max"] > 0


def test_a_result_of_two_versions_would_be_counted(tmp_path: Path) -> None:
    one, other = publish_bench._probe(0, 1), publish_bench._probe(1, 2)
    kb = publish_bench.KnowledgeBase.build(
        [one, other], FakeEmbedder(), tmp_path / "1", created_at=publish_bench._now()
    )
    assert {publish_bench._stamp(kb, entry.id) for entry in (one, other)} == {"1", "2"}
