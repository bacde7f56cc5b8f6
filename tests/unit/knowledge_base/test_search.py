from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base import Bands, Entry, KnowledgeBase
from knowledge_base.testing import FakeEmbedder

BuildBase = Callable[[Sequence[Entry]], KnowledgeBase]


def ids(base: KnowledgeBase, text: str, **filters: object) -> list[str]:
    return [hit.entry_id for hit in base.search(text, **filters).hits]  # type: ignore[arg-type]


def test_the_entry_whose_wording_is_nearest_comes_first_and_says_which_wording(base: KnowledgeBase) -> None:
    hit = base.search("身份证遗失如何补领").hits[0]
    assert (hit.entry_id, hit.wording) == ("id-card", "身份证遗失如何补领")
    assert hit.dense == pytest.approx(1.0, abs=1e-3)


def test_of_equal_wordings_the_question_itself_is_shown(build_base: BuildBase) -> None:
    base = build_base([Entry(id="a", question="補辦身份證", similar_questions=("补办身份证",), answer="x")])
    assert base.search("补办身份证").hits[0].wording == "補辦身份證"


def test_traditional_questions_find_what_simplified_ones_find(base: KnowledgeBase) -> None:
    assert base.search("身份證丟了怎麼補辦").hits == base.search("身份证丢了怎么补办").hits


def test_confidences_are_probabilities_in_falling_order(base: KnowledgeBase) -> None:
    confidences = [hit.confidence for hit in base.search("公积金怎么提取").hits]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0.0 <= confidence <= 1.0 for confidence in confidences)


def test_entries_with_the_same_answer_are_folded_into_the_better_one(base: KnowledgeBase) -> None:
    assert ids(base, "几号来暖气")[0] == "heating-twin"
    assert "heating" not in ids(base, "几号来暖气")


def test_a_department_keeps_only_its_entries(base: KnowledgeBase) -> None:
    assert set(ids(base, "怎么办", department="公安局")) == {"id-card"}
    assert ids(base, "怎么办", department="没有的局") == []


def test_a_region_keeps_its_entries_and_those_of_the_whole_city(base: KnowledgeBase) -> None:
    found = set(ids(base, "怎么办什么材料", region="西区"))
    assert "school" in found
    assert "id-card" not in found
    assert "fund" in found


def test_entries_outside_their_dates_are_left_out(base: KnowledgeBase) -> None:
    assert ids(base, "供暖什么时候开始", today=date(2026, 3, 31))[0] == "heating"
    assert ids(base, "供暖什么时候开始", today=date(2026, 4, 1))[0] == "heating-twin"


@pytest.mark.parametrize("text", ["", "   ", "😀🎉", "\0", "？？？", "\ud800"])
def test_a_question_without_content_has_no_hits_and_a_zero_embedding(base: KnowledgeBase, text: str) -> None:
    result = base.search(text)
    assert (result.hits, result.band) == ((), "none")
    assert result.embedding.shape == (384,)
    assert not result.embedding.any()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60))
def test_no_text_makes_a_search_fail(text: str) -> None:
    result = SHARED().search(text)
    assert result.embedding.dtype == np.float32
    assert len(result.hits) <= 10


def test_ten_thousand_characters_are_searched_by_their_beginning_and_end(base: KnowledgeBase) -> None:
    assert ids(base, "公积金怎么提取" * 20 + "啊" * 10_000 + "公积金怎么提取" * 20)[0] == "fund"


def test_nul_bytes_inside_a_question_do_not_hide_it(base: KnowledgeBase) -> None:
    assert ids(base, "公积金\0怎么\0提取")[0] == "fund"


def test_an_embedding_given_saves_the_model_call(base: KnowledgeBase) -> None:
    embedding = base.embed("公积金怎么提取")
    embedder = base.embedder
    assert isinstance(embedder, FakeEmbedder)
    before = embedder.texts_embedded
    with_embedding = base.search("公积金怎么提取", embedding=embedding)
    assert embedder.texts_embedded == before
    assert with_embedding.hits == base.search("公积金怎么提取").hits


def test_an_embedding_of_the_wrong_shape_is_refused(base: KnowledgeBase) -> None:
    with pytest.raises(ValueError, match="shape"):
        base.search("公积金", embedding=np.zeros(3, np.float32))


@pytest.mark.parametrize("k", [0, 1, 3, 100])
def test_at_most_k_hits_come_back(base: KnowledgeBase, k: int) -> None:
    assert len(base.search("怎么办理提取材料开始", k).hits) == min(k, 4)


def test_bands_follow_the_thresholds() -> None:
    bands = Bands(answer=0.8, candidates=0.3)
    assert [bands.of(c) for c in (0.8, 0.79, 0.3, 0.29)] == ["answer", "candidates", "candidates", "none"]
    with pytest.raises(ValueError, match="bands"):
        Bands(answer=0.3, candidates=0.8)


def test_threads_searching_at_once_get_what_one_alone_gets(base: KnowledgeBase) -> None:
    texts = [wording for entry in base.entries for wording in entry.wordings]
    expected = [base.search(text).hits for text in texts]
    wrong: list[str] = []

    def work() -> None:
        wrong.extend(
            text for text, hits in zip(texts * 10, expected * 10, strict=True) if base.search(text).hits != hits
        )

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


_shared: list[KnowledgeBase] = []


def SHARED() -> KnowledgeBase:
    return _shared[0]


@pytest.fixture(autouse=True)
def _remember(base: KnowledgeBase) -> None:
    _shared[:] = [base]
