"""Learn the numbers of ``data/ranker.json`` from the starter base.

    python -m knowledge_base.training.fit [--models var/models] [--output knowledge_base/data/ranker.json]

Two steps: fusion weights that put right entries first (softmax over each question's candidates), then a logistic
calibrator over the best hits of questions with and without an answer. Nothing else is looked at.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from knowledge_base import KnowledgeBase, SqliteEmbeddingCache, load_embedder
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache
from knowledge_base.retrieval.ranker import CALIBRATION, DEFAULT, SCORES, Ranker, calibration_features
from knowledge_base.text import clean_query
from knowledge_base.training.pairs import Scene, far_questions, load_starter, scenes

_SEED = 20260301
_HITS = 5
# Only candidates are taken from the bases built here, so their order does not matter.
_UNFITTED = Ranker((1.0,) * len(SCORES), (0.0,) * len(CALIBRATION), 0.0)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One question: the candidates' scores, which of them are right, their answer groups, and its length."""

    scores: Array
    right: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int32]
    length: int


def collect(scene: Scene, embedder: Embedder, folder: Path, cache: EmbeddingCache | None) -> list[Example]:
    """Search a scene's questions and keep what the ranker would see."""
    kb = KnowledgeBase.build(scene.entries, embedder, folder, created_at=_EPOCH, cache=cache, ranker=_UNFITTED)
    ids = [entry.id for entry in scene.entries]
    cleaned = [clean_query(question.text) for question in scene.questions]
    vectors = embedder.embed_queries(cleaned)
    examples = []
    for question, query, vector in zip(scene.questions, cleaned, vectors, strict=True):
        rows, scores, _ = kb.candidates(query, vector)
        right = np.array([ids[row] == question.entry_id for row in rows], dtype=np.bool_)
        examples.append(Example(scores, right, kb.answer_groups[rows], len(query)))
    return examples


def fit_fusion(examples: list[Example]) -> tuple[float, ...]:
    """Non-negative weights of SCORES, scaled so that the first is 1."""
    useful = [example for example in examples if example.right.any()]

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = 0.01 * float(weights @ weights), 0.02 * weights
        for example in useful:
            logits = example.scores @ weights
            logits -= logits.max()
            chances = np.exp(logits)
            chances /= chances.sum()
            total -= float(np.log(max(chances[example.right].sum(), 1e-12)))
            inside = chances * example.right
            inside /= max(inside.sum(), 1e-12)
            gradient += example.scores.T @ (chances - inside)
        return total, gradient

    start = np.array([20.0, 10.0, 1.0, 1.0, 1.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(SCORES))
    return tuple(float(value) for value in found.x / found.x[0])


def fit_calibrator(examples: list[Example], fusion: tuple[float, ...]) -> tuple[tuple[float, ...], float]:
    """Coefficients over CALIBRATION and the intercept."""
    features, labels = [], []
    for example in examples:
        fused = example.scores @ np.asarray(fusion)
        order = np.argsort(-fused, kind="stable")
        _, first = np.unique(example.groups[order], return_index=True)
        order = order[np.sort(first)][:_HITS]
        features.append(calibration_features(example.scores[order], fused[order], example.length))
        labels.append(example.right[order])
    model = LogisticRegression(C=100.0, max_iter=5000).fit(np.concatenate(features), np.concatenate(labels))
    return tuple(float(value) for value in model.coef_[0]), float(model.intercept_[0])


def main() -> None:
    """Fit, report on the training questions, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--cache", type=Path, default=None, help="SQLite file that keeps embeddings between runs")
    parser.add_argument("--output", type=Path, default=DEFAULT)
    arguments = parser.parse_args()
    embedder = load_embedder(None, arguments.models)
    cache = SqliteEmbeddingCache(arguments.cache) if arguments.cache else None
    chance = random.Random(_SEED)
    with tempfile.TemporaryDirectory() as folder:
        found = [
            collect(scene, embedder, Path(folder) / str(number), cache)
            for number, scene in enumerate(scenes(load_starter(), far_questions(), chance))
        ]
    examples = [example for part in found for example in part]
    fusion = fit_fusion(examples)
    calibration, intercept = fit_calibrator(examples, fusion)
    Ranker(fusion, calibration, intercept).save(arguments.output)
    useful = [example for example in examples if example.right.any()]
    first = sum(bool(e.right[np.argmax(e.scores @ np.asarray(fusion))]) for e in useful)
    print(f"questions {len(examples)}, with an answer {len(useful)}, right first {first / len(useful):.4f}")
    print("fusion", dict(zip(SCORES, np.round(fusion, 4).tolist(), strict=True)))
    print("calibration", dict(zip(CALIBRATION, np.round(calibration, 3).tolist(), strict=True)), round(intercept, 3))


if __name__ == "__main__":
    main()
