"""A full build fits the calibrator to the base; small edits keep it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from knowledge_base import Entry, KnowledgeBase
from knowledge_base.adaptation import adapt
from knowledge_base.retrieval.prior import Prior
from knowledge_base.retrieval.ranker import SCORES, Ranker, calibration_features
from knowledge_base.testing import FakeEmbedder

CREATED = datetime(2026, 3, 2, tzinfo=UTC)


def _build(entries: list[Entry], folder: Path, ranker: Ranker | None = None) -> KnowledgeBase:
    return KnowledgeBase.build(entries, FakeEmbedder(), folder, created_at=CREATED, ranker=ranker)


def _numbered(pattern: str, count: int) -> list[Entry]:
    return [
        Entry(id=str(n), question=pattern.format(n=chr(0x4E00 + 37 * n)), answer=f"答复{n}")
        for n in range(1, count + 1)
    ]


def test_the_fitted_numbers_travel_with_the_snapshot_and_small_edits_reuse_them(tmp_path: Path) -> None:
    labelled = [
        dataclasses.replace(entry, similar_questions=(entry.question.replace("几点收车", "末班车"),))
        for entry in _numbered("{n}号线几点收车", 60)
    ]
    built = _build(labelled, tmp_path / "v1")
    assert built.ranker != Ranker.load()
    edited = built.extend(
        [Entry(id="new", question="公交卡怎么退", answer="到网点退卡。")], [], tmp_path / "v2", created_at=CREATED
    )
    assert edited.ranker == built.ranker
    assert KnowledgeBase.open(tmp_path / "v1", FakeEmbedder()).ranker == built.ranker


def test_a_ranker_that_is_given_is_kept_as_it_is(tmp_path: Path) -> None:
    given = dataclasses.replace(Ranker.load(), intercept=0.123)
    assert _build(_numbered("{n}号线几点收车", 30), tmp_path / "v1", given).ranker == given


def test_labelled_questions_that_mislead_lower_the_confidence_and_those_that_fit_raise_it(tmp_path: Path) -> None:
    questions = _numbered("请问{n}证丢了怎么补办", 60)
    fitting = [
        dataclasses.replace(entry, similar_questions=(entry.question.replace("怎么补办", "怎样补"), entry.question[2:]))
        for entry in questions
    ]
    # Each asks what the next entry answers.
    misleading = [
        dataclasses.replace(entry, similar_questions=fitting[(place + 1) % len(fitting)].similar_questions)
        for place, entry in enumerate(questions)
    ]
    text = questions[7].question
    confidences = {}
    for name, entries in (("fitting", fitting), ("misleading", misleading)):
        base = _build(entries, tmp_path / name, Ranker.load())
        plain = _build(questions, tmp_path / f"{name}-asked", adapt(base))
        confidences[name] = plain.search(text).hits[0].confidence
    assert confidences["fitting"] > confidences["misleading"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_base_too_small_to_learn_from_is_built_all_the_same(tmp_path: Path, count: int) -> None:
    built = _build(_numbered("{n}号线几点收车", count), tmp_path / "v1")
    assert built.search(next(iter(built.entries)).question).hits[0].entry_id == "1"


def test_nearly_the_same_question_in_another_entry_does_not_push_an_answer_down(tmp_path: Path) -> None:
    base = _numbered("{n}号线几点收车", 20)
    one = Entry(id="a", question="机动车异地年检需要哪些材料", answer="带行驶证。")
    twin = Entry(id="b", question="机动车异地年检，需要哪些材料？", answer="带行驶证和保单。")
    ranker = Ranker.load()
    alone = _build([*base, one], tmp_path / "alone", ranker).search(one.question).hits[0].confidence
    both = _build([*base, one, twin], tmp_path / "both", ranker).search(one.question).hits[0].confidence
    assert both == pytest.approx(alone, abs=0.05)


def test_a_rival_that_asks_something_else_lowers_the_confidence() -> None:
    ranker = Ranker.load()
    scores = np.array([[0.80] * len(SCORES), [0.79] * len(SCORES), [0.60] * len(SCORES)])
    fused = ranker.fuse(scores)
    with_twin = ranker.confidences(calibration_features(scores, fused.copy(), 10, rival=2))[0]
    with_rival = ranker.confidences(calibration_features(scores, fused.copy(), 10))[0]
    assert with_rival < with_twin


def test_a_prior_favours_a_department_without_leaving_others_out(tmp_path: Path) -> None:
    entries = [
        Entry(id="a", question="补贴怎么申请", answer="到人社窗口。", department="人社局"),
        Entry(id="b", question="补贴怎样申请", answer="到民政窗口。", department="民政局"),
        Entry(id="c", question="图书证怎么办", answer="到图书馆。", department="文旅局"),
    ]
    kb = _build(entries, tmp_path / "v1", Ranker.load())
    first = [
        kb.search("补贴申请", prior=Prior(department=name, odds=20)).hits[0].entry_id for name in ("人社局", "民政局")
    ]
    assert first == ["a", "b"]
    assert kb.search("图书证怎么办", prior=Prior(department="民政局")).hits[0].entry_id == "c"
