from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.index.bm25 import Bm25Index, grams


def reference(texts: list[str], query: str, k1: float = 1.2, b: float = 0.75) -> list[float]:
    """BM25 as the textbook writes it, over the same grams."""
    documents = [Counter(grams(text).tolist()) for text in texts]
    lengths = [sum(document.values()) for document in documents]
    average = sum(lengths) / len(lengths)
    scores = []
    for document, length in zip(documents, lengths, strict=True):
        score = 0.0
        for gram in set(grams(query).tolist()):
            frequency = sum(gram in other for other in documents)
            rarity = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
            count = document[gram]
            score += rarity * count * (k1 + 1) / (count + k1 * (1 - b + b * length / max(average, 1e-9)))
        scores.append(score)
    return scores


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("甲乙丙 A，", max_size=12), min_size=1, max_size=6), st.text("甲乙丁 A", max_size=8))
def test_scores_are_those_of_the_textbook(texts: list[str], query: str) -> None:
    scores, _ = Bm25Index.build(texts).scores(query)
    np.testing.assert_allclose(scores, reference(texts, query), rtol=1e-4, atol=1e-5)


def test_pairs_do_not_span_punctuation() -> None:
    assert set(grams("甲，乙").tolist()) == {ord("甲"), ord("乙")}
    assert len(grams("甲乙")) == 3


def test_an_index_gives_the_same_scores_after_saving(tmp_path: Path) -> None:
    index = Bm25Index.build(["身份证", "公积金提取", ""])
    index.save(tmp_path, "x")
    np.testing.assert_array_equal(Bm25Index.open(tmp_path, "x", 3).scores("公积金")[0], index.scores("公积金")[0])


def test_an_empty_index_and_an_empty_query_score_nothing() -> None:
    assert Bm25Index.build([]).scores("甲")[0].shape == (0,)
    assert Bm25Index.build(["甲"]).scores("，。")[0].tolist() == [0.0]


def test_common_grams_are_columns_and_change_no_score(tmp_path: Path) -> None:
    texts = [f"怎么办理{a}{b}" for a in "甲乙丙丁戊己庚辛" for b in "子丑寅卯辰巳午未申酉"]
    index = Bm25Index.build(texts)
    columns = dict(zip(index.grams.tolist(), index.columns.tolist(), strict=True))
    assert columns[ord("怎")] >= 0
    assert columns[ord("子")] == -1
    index.save(tmp_path, "x")
    for one in (index, Bm25Index.open(tmp_path, "x", len(texts))):
        for query in ("怎么办理甲子", "子丑", "怎么", "没有"):
            np.testing.assert_allclose(one.scores(query)[0], reference(texts, query), rtol=1e-4, atol=1e-5)
