"""Learning a `CaseModel` from labelled texts. Needs scikit-learn, which answering does not.

How strong each part is and how much say the embedding has are chosen by cross-validation on the very rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from services.cases.classifier.features import grams
from services.cases.classifier.model import CaseModel, Floats, Head, log_shares

Say = Callable[[str], None]

FOLDS: Final = 5
FEWEST_PER_LABEL: Final = 5
MOST_GRAMS: Final = 100_000
RANDOM_STATE: Final = 7
GRAM_STRENGTHS: Final = (0.3, 1.0)
VECTOR_STRENGTHS: Final = (0.002, 0.005, 0.01)
SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHARPNESSES: Final = (0.3, 0.5, 0.7, 1.0, 1.3, 1.7, 2.2, 3.0)
# A support vector machine's scores are in margins; this makes them comparable with logarithms of probabilities.
MARGIN: Final = 3.0


class TooFewExamples(ValueError):
    """No label, or only one, has enough examples."""


@dataclass(frozen=True)
class Question:
    """What one head learns: the label of each text, None where it has none."""

    name: str
    labels: Sequence[str | None]


class Chosen(NamedTuple):
    """What cross-validation found best, and its accuracy there."""

    gram_strength: float
    vector_strength: float
    share: float
    accuracy: float


def fit(
    texts: Sequence[str],
    questions: Sequence[Question],
    vectors: Floats | None,
    *,
    embedder: str = "",
    say: Say = lambda line: None,
) -> tuple[CaseModel, dict[str, Any]]:
    """A model of `texts` (n) with their labels; `vectors` (n, dimension) are their embeddings by `embedder`, if any.

    Labels with fewer than five examples are left out. Returns the model and, per head, {examples, labels, left_out,
    accuracy (cross-validated), ...}. Raises TooFewExamples when a head would have less than two labels.
    """
    vocabulary, idf, matrix = _matrix(texts)
    say(f"{len(texts)} texts, {len(vocabulary)} n-grams")
    center = scale = centred = None
    if vectors is not None:
        center = vectors.mean(axis=0)
        scale = np.maximum(vectors.std(axis=0), 1e-4)
        centred = ((vectors - center) / scale).astype(np.float32)
    heads, figures = {}, {}
    for question in questions:
        heads[question.name], figures[question.name] = _fit_head(matrix, centred, question, say)
    return CaseModel(vocabulary, idf, heads, embedder=embedder, center=center, scale=scale), figures


def _matrix(texts: Sequence[str]) -> tuple[list[str], Floats, Any]:
    """The n-grams that occur in two texts at least, their inverse document frequencies, and the texts as rows."""
    counted = [grams(text) for text in texts]
    frequencies: Counter[str] = Counter()
    for one in counted:
        frequencies.update(one.keys())
    shared = [(gram, count) for gram, count in frequencies.items() if count >= 2]
    shared.sort(key=lambda pair: (-pair[1], pair[0]))
    vocabulary = sorted(gram for gram, _ in shared[:MOST_GRAMS])
    idf = np.array([math.log((1 + len(texts)) / (1 + frequencies[gram])) + 1 for gram in vocabulary], dtype=np.float32)
    model = CaseModel(vocabulary, idf, {})
    rows = [model.row(text) for text in texts]
    pointers = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    matrix = sparse.csr_matrix(
        (np.concatenate([values for _, values in rows]), np.concatenate([columns for columns, _ in rows]), pointers),
        shape=(len(texts), len(vocabulary)),
    )
    return vocabulary, idf, matrix


def _fit_head(matrix: Any, centred: Floats | None, question: Question, say: Say) -> tuple[Head, dict[str, Any]]:
    counts = Counter(label for label in question.labels if label is not None)
    labels = sorted(label for label, count in counts.items() if count >= FEWEST_PER_LABEL)
    if len(labels) < 2:
        raise TooFewExamples(question.name)
    number = {label: place for place, label in enumerate(labels)}
    used = np.array([place for place, label in enumerate(question.labels) if label in number], dtype=np.int64)
    wanted = np.array([number[str(question.labels[place])] for place in used], dtype=np.int64)
    rows = matrix[used]
    vectors = centred[used] if centred is not None else None
    chosen, grams_out, pooled_out = _choose(rows, vectors, wanted, len(labels))
    say(
        f"{question.name}: {len(used)} examples of {len(labels)} labels, cross-validated accuracy {chosen.accuracy:.3f}"
    )
    gram_weights, gram_bias = _fit_grams(rows, wanted, len(labels), chosen.gram_strength)
    vector_weights = np.zeros((0, len(labels)), dtype=np.float32)
    vector_bias = np.zeros(len(labels), dtype=np.float32)
    if vectors is not None and chosen.share:
        vector_weights, vector_bias = _fit_vectors(vectors, wanted, len(labels), chosen.vector_strength)
    head = Head(
        labels=tuple(labels),
        gram_weights=gram_weights,
        gram_bias=gram_bias,
        vector_weights=vector_weights,
        vector_bias=vector_bias,
        share=chosen.share,
        sharpness=_sharpness(pooled_out, wanted),
        gram_sharpness=_sharpness(grams_out, wanted),
    )
    left_out = {label: count for label, count in sorted(counts.items()) if label not in number}
    figures = {
        "examples": len(used),
        "labels": {label: counts[label] for label in labels},
        "left_out": left_out,
        "cross_validated": round(chosen.accuracy, 4),
        "embedding_share": chosen.share,
    }
    return head, figures


def _choose(
    rows: Any, vectors: Floats | None, wanted: npt.NDArray[np.int64], labels: int
) -> tuple[Chosen, Floats, Floats]:
    """The best strengths by cross-validation, with the held-out scores of the n-grams alone and of both pooled."""
    splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=RANDOM_STATE).split(np.zeros(len(wanted)), wanted))
    by_grams = {strength: np.zeros((len(wanted), labels), dtype=np.float32) for strength in GRAM_STRENGTHS}
    by_vectors = {strength: np.zeros((len(wanted), labels), dtype=np.float32) for strength in VECTOR_STRENGTHS}
    for train, test in splits:
        for strength, out in by_grams.items():
            weights, bias = _fit_grams(rows[train], wanted[train], labels, strength)
            out[test] = log_shares(rows[test] @ weights + bias)
        if vectors is None:
            continue
        for strength, out in by_vectors.items():
            weights, bias = _fit_vectors(vectors[train], wanted[train], labels, strength)
            out[test] = log_shares(vectors[test] @ weights + bias)
    best: tuple[float, Chosen, Floats, Floats] | None = None
    for gram_strength, own in by_grams.items():
        for vector_strength, other in by_vectors.items():
            for share in SHARES if vectors is not None else (0.0,):
                pooled = own * (1 - share) + other * share
                # Not by accuracy, which jumps about: a few rows more or less are chance.
                surprise = _surprise(pooled, wanted, _sharpness(pooled, wanted))
                if best is None or surprise < best[0]:
                    accuracy = float((pooled.argmax(axis=1) == wanted).mean())
                    best = surprise, Chosen(gram_strength, vector_strength, share, accuracy), own, pooled
    assert best is not None, "there is always one combination"
    return best[1:]


def _fit_grams(rows: Any, wanted: npt.NDArray[np.int64], labels: int, strength: float) -> tuple[Floats, Floats]:
    """Weights (grams, labels) and bias (labels) of a linear support vector machine for each label against the others:
    the mean of one over the values and one over the values times the log ratio of a gram's counts (Wang and Manning
    2012, "Baselines and Bigrams")."""
    weights = np.zeros((rows.shape[1], labels), dtype=np.float32)
    bias = np.zeros(labels, dtype=np.float32)
    present = (rows > 0).astype(np.float32)
    for label in range(labels):
        own = wanted == label
        inside = np.asarray(present[own].sum(axis=0)).ravel() + 1
        outside = np.asarray(present[~own].sum(axis=0)).ravel() + 1
        ratio = np.log((inside / inside.sum()) / (outside / outside.sum()))
        for factor in (np.ones_like(ratio), ratio):
            machine = LinearSVC(C=strength, random_state=RANDOM_STATE).fit(rows @ sparse.diags(factor), own)
            weights[:, label] += machine.coef_[0] * factor * (MARGIN / 2)
            bias[label] += float(machine.intercept_[0]) * (MARGIN / 2)
    return weights, bias


def _fit_vectors(vectors: Floats, wanted: npt.NDArray[np.int64], labels: int, strength: float) -> tuple[Floats, Floats]:
    """Weights (dimension, labels) and bias (labels) of a logistic regression over centred and scaled embeddings."""
    machine = LogisticRegression(C=strength, max_iter=500).fit(vectors, wanted)
    if labels == 2:
        # Two labels have one row; the first label is its opposite.
        half, constant = machine.coef_[0] / 2, float(machine.intercept_[0]) / 2
        return np.stack([-half, half], axis=1).astype(np.float32), np.array([-constant, constant], dtype=np.float32)
    return machine.coef_.T.astype(np.float32), machine.intercept_.astype(np.float32)


def _sharpness(scores: Floats, wanted: npt.NDArray[np.int64]) -> float:
    """What held-out scores are multiplied with so that their confidences are most nearly right (temperature)."""
    return min(SHARPNESSES, key=lambda sharpness: _surprise(scores, wanted, sharpness))


def _surprise(scores: Floats, wanted: npt.NDArray[np.int64], sharpness: float) -> float:
    """Mean negative logarithm of the probability that was given to the right label."""
    return -float(log_shares(scores * sharpness)[np.arange(len(wanted)), wanted].mean())
