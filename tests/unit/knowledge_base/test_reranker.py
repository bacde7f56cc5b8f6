from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from knowledge_base import Entry, KnowledgeBase, ModelUnavailable, load_reranker
from knowledge_base.testing import FakeEmbedder

CREATED = datetime(2026, 3, 2, tzinfo=UTC)
ENTRIES = tuple(Entry(id=f"e{n}", question=f"第{n}种证件怎么办理", answer=f"到第{n}号窗口。") for n in range(30))


class Prefers:
    """A reranker that wants texts with a certain word."""

    identity = "prefers"

    def __init__(self, word: str) -> None:
        self.word = word
        self.read: list[Sequence[str]] = []

    def scores(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        self.read.append(texts)
        return np.array([float(self.word in text) for text in texts])


@pytest.fixture
def cross_encoder(tmp_path: Path) -> Path:
    """A very small cross-encoder with random weights."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "tiny"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"第种证件怎么办理到号窗口0123456789"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=64)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=1,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert sentence_transformers.CrossEncoder(str(folder), device="cpu").num_labels == 1
    return folder


def test_a_clear_verdict_puts_a_candidate_first_and_only_the_best_twenty_are_read(tmp_path: Path) -> None:
    directory = tmp_path / "1"
    plain = KnowledgeBase.build(ENTRIES, FakeEmbedder(), directory, created_at=CREATED)
    second = plain.search("证件怎么办理").hits[1].entry_id
    judge = Prefers(plain.entry(second).answer)
    base = KnowledgeBase.open(directory, FakeEmbedder(), reranker=judge)
    assert base.search("证件怎么办理").hits[0].entry_id == second
    assert [len(texts) for texts in judge.read] == [20]


def test_an_undecided_reranker_leaves_order_and_confidences_as_they_are(tmp_path: Path) -> None:
    directory = tmp_path / "1"
    plain = KnowledgeBase.build(ENTRIES, FakeEmbedder(), directory, created_at=CREATED)
    base = KnowledgeBase.open(directory, FakeEmbedder(), reranker=Prefers("没有这个词"))
    assert base.search("办理第7种证件").hits == plain.search("办理第7种证件").hits


def test_a_cross_encoder_from_a_folder_judges_between_zero_and_one(cross_encoder: Path) -> None:
    reranker = load_reranker(str(cross_encoder))
    assert reranker is not None
    scores = reranker.scores("证件怎么办", ["第1种证件怎么办理", "窗口", "证" * 5000])
    assert scores.shape == (3,)
    assert ((scores > 0) & (scores < 1)).all()
    assert reranker.scores("证件怎么办", []).shape == (0,)
    assert reranker.identity == "tiny"


def test_a_base_searches_with_a_cross_encoder(cross_encoder: Path, tmp_path: Path) -> None:
    reranker = load_reranker(str(cross_encoder))
    base = KnowledgeBase.build(ENTRIES, FakeEmbedder(), tmp_path / "1", created_at=CREATED, reranker=reranker)
    assert len(base.search("第3种证件怎么办理").hits) == 10


def test_no_name_is_no_reranker_and_a_missing_model_is_named(tmp_path: Path) -> None:
    assert load_reranker("") is None
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(ModelUnavailable, match="nowhere"):
        load_reranker(str(tmp_path / "nowhere"))
