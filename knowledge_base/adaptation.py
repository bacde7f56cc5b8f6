"""Fit the calibrator to a base: questions made from the base itself, with and without their entry in it.

Editors' bases differ in how near their entries lie to each other, and a confidence that holds on one is too bold on
another. A base's similar questions tell: each is asked of the base without that wording (its entry should come first),
and of the base without its entry (whatever comes first is an impostor).
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache
from knowledge_base.entry import Entry
from knowledge_base.retrieval.ranker import Array, Ranker, calibration_features
from knowledge_base.text import clean_query

# More questions tell little more; each costs an embedding.
QUESTIONS = 200
# Fewer say too little about a base, which then keeps the calibrator as it is.
FEWEST = 40
# Larger bases are judged by a sample that leaves out whole entries at random.
_LARGEST = 20_000
# How much a question without its entry counts beside one with it: most citizens ask what there is an answer to.
_IMPOSTOR_WEIGHT = 0.3
# The shipped calibrator is the prior: how far its logits may move (standard deviations of shift and slope).
_SHIFT, _SLOPE = 0.7, 0.15
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def adapt_ranker(
    entries: Sequence[Entry],
    embedder: Embedder,
    *,
    cache: EmbeddingCache | None = None,
    prior: Ranker | None = None,
    seed: int = 20260301,
) -> Ranker:
    """A ranker whose confidences fit a base of these `entries`; `prior` (the shipped one) where they say too little.

    The order of hits stays. Takes an index build over the entries and at most QUESTIONS embeddings of questions; meant
    for a full publish, whose ranker small edits go on using.

    >>> adapt_ranker([], None) == Ranker.load()  # type: ignore[arg-type]
    True
    """
    ranker = prior or Ranker.load()
    chance = random.Random(seed)
    chosen = list(entries) if len(entries) <= _LARGEST else chance.sample(list(entries), _LARGEST)
    askable = [entry for entry in chosen if entry.similar_questions]
    if len(askable) < FEWEST:
        return ranker
    held = {
        entry.id: chance.choice(entry.similar_questions)
        for entry in chance.sample(askable, min(QUESTIONS, len(askable)))
    }
    without = [_without(entry, held.get(entry.id)) for entry in chosen]
    with tempfile.TemporaryDirectory() as folder:
        base = KnowledgeBase.build(
            without, embedder, Path(folder) / "base", created_at=_EPOCH, cache=cache, ranker=ranker
        )
        logits, right, weights = _outcomes(base, held, ranker)
    shift, slope = _fit(logits, right, weights)
    return Ranker(ranker.fusion, tuple(slope * value for value in ranker.calibration), slope * ranker.intercept + shift)


def _without(entry: Entry, wording: str | None) -> Entry:
    if wording is None:
        return entry
    return dataclasses.replace(entry, similar_questions=tuple(w for w in entry.similar_questions if w != wording))


def _outcomes(base: KnowledgeBase, held: dict[str, str], ranker: Ranker) -> tuple[Array, npt.NDArray[np.bool_], Array]:
    """Logit of the best hit, whether it is right, and weight: two searches per question, with and without its entry."""
    ids = [entry.id for entry in base.entries]
    row_of = {entry_id: row for row, entry_id in enumerate(ids)}
    groups = base.answer_groups
    questions = [(row_of[entry_id], clean_query(text)) for entry_id, text in held.items() if clean_query(text)]
    vectors = base.embedder.embed_queries([text for _, text in questions])
    logits: list[float] = []
    right: list[bool] = []
    weights: list[float] = []
    for (row, query), vector in zip(questions, vectors, strict=True):
        for allowed, weight in ((None, 1.0), (groups != groups[row], _IMPOSTOR_WEIGHT)):
            rows, scores, _ = base.candidates(query, vector, allowed)
            if not len(rows):
                continue
            fused = ranker.fuse(scores)
            order = np.lexsort((rows, -fused))
            _, first = np.unique(groups[rows[order]], return_index=True)
            order = order[np.sort(first)][:2]
            features = calibration_features(scores[order], fused[order], len(query))
            confidence = float(ranker.confidences(features)[0])
            logits.append(float(np.log(confidence) - np.log1p(-confidence)))
            right.append(bool(groups[rows[order[0]]] == groups[row]))
            weights.append(weight)
    return np.array(logits), np.array(right), np.array(weights)


def _fit(logits: Array, right: npt.NDArray[np.bool_], weights: Array) -> tuple[float, float]:
    """Shift and slope for the logits: logistic regression with the prior (0, 1)."""

    def loss(numbers: Array) -> float:
        moved = numbers[1] * logits + numbers[0]
        unlikely = float((weights * (np.logaddexp(0.0, moved) - right * moved)).sum())
        return unlikely + 0.5 * float((numbers[0] / _SHIFT) ** 2 + ((numbers[1] - 1.0) / _SLOPE) ** 2)

    found = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=[(None, None), (0.1, None)]).x
    return float(found[0]), float(found[1])
