"""Fit the calibrator to a base when the base is built: what do its labelled questions say.

Where editors wrote similar questions, each is asked as if the base did not hold it, with its entry and without (then
its near neighbours are impostors); the calibrator's slope and intercept move as far as these labels outweigh the
shipped ones.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from knowledge_base.entry import Entry
from knowledge_base.retrieval.ranker import Ranker, calibration_features
from knowledge_base.text import clean_query
from knowledge_base.training.augment import vary

if TYPE_CHECKING:
    from knowledge_base.base import KnowledgeBase

_SEED = 20260301
_LABELLED = 300
# Fewer labels than this say less than those that the shipped calibrator has seen.
_FEWEST_LABELS = 40
# The shipped numbers weigh as much as this many labelled questions.
_PRIOR = 100.0
# Of the questions that citizens ask, about so many have no answer in a base (as in the fitted scenes).
_WITHOUT_ANSWER = 0.25
_HITS = 5

Array = npt.NDArray[np.float64]


class Seen(NamedTuple):
    """What the ranker sees of one question: scores of the candidates, which are right, their answer groups."""

    scores: Array
    right: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int32]
    length: int


def adapt(kb: KnowledgeBase) -> Ranker:
    """The ranker of `kb` with the calibrator fitted to it; `kb` is a whole base. Takes a few seconds at any size."""
    chance = random.Random(_SEED)
    labelled = [(row, entry) for row, entry in enumerate(kb.entries) if entry.similar_questions]
    if len(labelled) < _FEWEST_LABELS:
        return kb.ranker
    return _refitted(kb.ranker, _held_out(kb, chance.sample(labelled, min(_LABELLED, len(labelled))), chance))


def _held_out(kb: KnowledgeBase, labelled: Sequence[tuple[int, Entry]], chance: random.Random) -> list[Seen]:
    """Each entry's question by one of its similar questions, scored as if the base did not hold that wording."""
    chosen = [chance.randrange(len(entry.similar_questions)) for _, entry in labelled]
    rest = [
        dataclasses.replace(entry, similar_questions=entry.similar_questions[:at] + entry.similar_questions[at + 1 :])
        for (_, entry), at in zip(labelled, chosen, strict=True)
    ]
    words = kb.words_without(rest)
    texts = [
        clean_query(vary(entry.similar_questions[at], chance)) for (_, entry), at in zip(labelled, chosen, strict=True)
    ]
    seen = []
    for number, (text, vector) in enumerate(zip(texts, kb.embed_many(texts), strict=True)):
        if not text:
            continue
        row = labelled[number][0]
        rows, scores, _ = kb.candidates(text, vector)
        own = rows == row
        if own.any():
            scores = scores.copy()
            # The question comes first among an entry's wordings.
            cosines = np.delete(kb.wording_vectors(row) @ vector, 1 + chosen[number])
            columns = words.scores(text)
            scores[own] = [float(cosines.max()), float(scores[own][0, 1]), *(float(one[number]) for one in columns)]
        seen.append(Seen(scores, kb.answer_groups[rows] == kb.answer_groups[row], kb.answer_groups[rows], len(text)))
    return seen


def _refitted(ranker: Ranker, seen: Sequence[Seen]) -> Ranker:
    """The ranker with its logits stretched and moved as the labels say."""
    logits, labels, weights = [], [], []
    for one in seen:
        for wrong_only, weight in ((False, 1.0), (True, _WITHOUT_ANSWER)):
            kept = ~one.right if wrong_only else np.ones(len(one.right), dtype=np.bool_)
            features, right = best_hits(ranker, one.scores[kept], one.right[kept], one.groups[kept], one.length)
            logits.append(ranker.logits(features))
            labels.append(right)
            weights.append(np.full(len(right), weight))
    logit, label, weight_of = np.concatenate(logits), np.concatenate(labels), np.concatenate(weights)

    def loss(numbers: Array) -> float:
        moved = np.exp(numbers[0]) * logit + numbers[1]
        surprise = float((weight_of * (np.logaddexp(0.0, moved) - label * moved)).sum())
        return surprise + _PRIOR * float(numbers @ numbers) / 2

    stretch, shift = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    scale = float(np.exp(stretch))
    return dataclasses.replace(
        ranker,
        calibration=tuple(scale * value for value in ranker.calibration),
        intercept=scale * ranker.intercept + float(shift),
    )


def best_hits(
    ranker: Ranker, scores: Array, right: npt.NDArray[np.bool_], groups: npt.NDArray[np.int32], length: int
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Calibration features of the best candidates, one of each answer, and which of them are right."""
    fused = ranker.fuse(scores)
    order = np.argsort(-fused, kind="stable")
    _, first = np.unique(groups[order], return_index=True)
    order = order[np.sort(first)][:_HITS]
    return calibration_features(scores[order], fused[order], length), right[order]
