from __future__ import annotations

import dataclasses

from knowledge_base import Entry, adapt_ranker
from knowledge_base.adaptation import FEWEST
from knowledge_base.retrieval.ranker import CALIBRATION, SCORES, Ranker
from knowledge_base.testing import FakeEmbedder

# Of dense score and lead, so that the fake embedder's similarities decide.
PRIOR = Ranker((1.0,) * len(SCORES), tuple(2.0 if name == "lead" else 1.0 for name in CALIBRATION), -3.0)
# Characters far from each other, so that entries share nothing but what is written into them.
SUBJECTS = [chr(0x4E00 + 40 * n) + chr(0x4E11 + 40 * n) for n in range(FEWEST + 20)]


def entries(similar: str) -> list[Entry]:
    """A base whose questions name their subject; `similar` is the pattern of the one similar question."""
    return [
        Entry(id=str(n), question=f"{name}怎么办", answer=f"到{n}号窗口。", similar_questions=(similar.format(name),))
        for n, name in enumerate(SUBJECTS)
    ]


def confidence_at(ranker: Ranker, logit: float) -> float:
    """Where a prior logit ends up: the calibration is a multiple of the prior's, plus a shift."""
    slope = ranker.calibration[0] / PRIOR.calibration[0]
    return slope * logit + ranker.intercept - slope * PRIOR.intercept


def test_a_base_whose_questions_find_their_entries_earns_more_confidence_than_one_of_impostors() -> None:
    clear = adapt_ranker(entries("办{}"), FakeEmbedder(), prior=PRIOR)
    muddled = adapt_ranker(entries("怎么办怎么办"), FakeEmbedder(), prior=PRIOR)
    assert confidence_at(clear, 0.0) > confidence_at(muddled, 0.0)


def test_the_order_of_hits_and_the_prior_are_left_alone() -> None:
    before = dataclasses.replace(PRIOR)
    assert adapt_ranker(entries("办{}"), FakeEmbedder(), prior=PRIOR).fusion == PRIOR.fusion
    assert before == PRIOR


def test_few_similar_questions_leave_the_shipped_calibrator_as_it_is() -> None:
    bare = [dataclasses.replace(entry, similar_questions=()) for entry in entries("{}")]
    assert adapt_ranker(bare, FakeEmbedder(), prior=PRIOR) == PRIOR
    assert adapt_ranker(entries("{}")[: FEWEST - 1], FakeEmbedder()) == Ranker.load()


def test_the_same_base_gives_the_same_numbers() -> None:
    first, second = (adapt_ranker(entries("办{}"), FakeEmbedder(), prior=PRIOR) for _ in range(2))
    assert first == second
