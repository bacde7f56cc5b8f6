"""Learning a `Classifier` from labelled texts. Needs scikit-learn, which answering does not.

A `Recipe` says how. What it leaves open (several strengths, several shares) is chosen by cross-validation on the very
texts, and then the confidences are brought to what the held-out ones were right (temperature).
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from services.understanding.classifier.model import (
    Classifier,
    Floats,
    Head,
    Terms,
    both_sides,
    log_shares,
    network_shares,
)

Say = Callable[[str], None]
Numbers = npt.NDArray[np.int64]

FOLDS: Final = 5
RANDOM_STATE: Final = 7
SHARPNESSES: Final = (0.3, 0.5, 0.7, 1.0, 1.3, 1.7, 2.2, 3.0)
BATCH: Final = 128
# A support vector machine's scores are in margins; this makes them comparable with logarithms of probabilities.
MARGIN: Final = 3.0


class TooFewExamples(ValueError):
    """No label, or only one, has enough examples."""


@dataclass(frozen=True)
class Recipe:
    """How heads learn.

    grams: logistic regression, or the mean of support vector machines over the values and over the values times the
    log ratios of the terms (Wang and Manning 2012, "Baselines and Bigrams"). gram_strengths, vector_strengths: inverse
    regularisation (C); of networks the weight of the L2 penalty. shares: how much say the embedding has, 0 to 1.
    sharpness: what the pooled logarithms are multiplied with when nothing is left to choose. units: of the hidden
    layer, 0 for a regression; networks: how many, started differently; passes over the texts. balanced: every label
    counts the same, however many texts it has. fewest: texts a term must occur in; most: how many terms, the commonest;
    smallest: weights below it are left out. weighted: the terms come with their weights.
    """

    grams: Literal["regression", "margins"] = "regression"
    gram_strengths: tuple[float, ...] = (1.0,)
    vector_strengths: tuple[float, ...] = (1.0,)
    shares: tuple[float, ...] = (0.5,)
    sharpness: float = 1.0
    units: int = 0
    networks: int = 1
    passes: int = 500
    gram_passes: int = 2000
    balanced: bool = False
    fewest: int = 2
    most: int = 1_000_000
    fewest_per_label: int = 1
    smallest: float = 0.0
    weighted: bool = False

    @property
    def is_open(self) -> bool:
        """Whether anything is left to cross-validation."""
        return len(self.gram_strengths) * len(self.vector_strengths) * len(self.shares) > 1


@dataclass(frozen=True)
class Question:
    """What one head learns: the label of each text, None where it has none."""

    name: str
    labels: Sequence[str | None]


class Chosen(NamedTuple):
    """Strengths and share, what both logarithms are multiplied with, the cross-validated accuracy if there is one."""

    gram_strength: float
    vector_strength: float
    share: float
    sharpness: float
    alone: float
    accuracy: float | None


def fit(
    terms: Terms,
    texts: Sequence[str],
    questions: Sequence[Question],
    vectors: Floats | None,
    recipe: Recipe,
    *,
    embedder: str = "",
    say: Say = lambda line: None,
) -> tuple[Classifier, dict[str, Any]]:
    """A classifier of `texts` (n) with their labels; `vectors` (n, dimension) are their embeddings by `embedder`.

    Labels with fewer texts than the recipe wants are left out. The same texts give the same classifier. Returns it and,
    per head, {examples, labels, left_out, cross_validated, embedding_share}. Raises TooFewExamples when a head would
    have less than two labels.
    """
    vocabulary, idf = _vocabulary(terms, texts, recipe)
    say(f"{len(texts)} texts, {len(vocabulary)} terms")
    empty = Classifier(terms, vocabulary, idf, {})
    matrix = _matrix(empty, texts)
    center = scale = scaled = None
    if vectors is not None:
        center = vectors.mean(axis=0)
        scale = np.maximum(vectors.std(axis=0), 1e-6 if recipe.units else 1e-4)
        scaled = ((vectors - center) / scale).astype(np.float32)
    heads, figures = {}, {}
    for question in questions:
        heads[question.name], figures[question.name] = _fit_head(matrix, scaled, question, recipe, say)
    if recipe.smallest:
        vocabulary, idf, heads = _without_small(vocabulary, idf, heads, recipe.smallest)
    made = Classifier(
        terms,
        vocabulary,
        idf,
        heads,
        embedder=embedder if vectors is not None else "",
        examples=digest(texts, questions),
        center=center,
        scale=scale,
    )
    return made, figures


def digest(texts: Sequence[str], questions: Sequence[Question]) -> str:
    """SHA-256 (hex) of texts with their labels."""
    sum_of = hashlib.sha256()
    for place, text in enumerate(texts):
        sum_of.update("\t".join([*(str(question.labels[place]) for question in questions), text]).encode() + b"\n")
    return sum_of.hexdigest()


def _vocabulary(terms: Terms, texts: Sequence[str], recipe: Recipe) -> tuple[list[str], Floats]:
    """The terms that occur often enough, and their inverse document frequencies."""
    frequencies: Counter[str] = Counter()
    for text in texts:
        frequencies.update(terms(text).keys())
    shared = [(term, count) for term, count in frequencies.items() if count >= recipe.fewest]
    shared.sort(key=lambda pair: (-pair[1], pair[0]))
    vocabulary = sorted(term for term, _ in shared[: recipe.most])
    idf = [math.log((1 + len(texts)) / (1 + frequencies[term])) + 1 for term in vocabulary]
    return vocabulary, np.array([] if recipe.weighted else idf, dtype=np.float32)


def _matrix(model: Classifier, texts: Sequence[str]) -> Any:
    """The texts as rows of a sparse matrix (texts, terms)."""
    rows = [model.row(text) for text in texts]
    pointers = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    return sparse.csr_matrix(
        (np.concatenate([values for _, values in rows]), np.concatenate([columns for columns, _ in rows]), pointers),
        shape=(len(texts), len(model.vocabulary)),
        # Terms of weights that are not brought to one length need it: in single precision a fit ends too early.
        dtype=np.float32 if model.idf.size else np.float64,
    )


def _fit_head(
    matrix: Any, scaled: Floats | None, question: Question, recipe: Recipe, say: Say
) -> tuple[Head, dict[str, Any]]:
    counts = Counter(label for label in question.labels if label is not None)
    labels = sorted(label for label, count in counts.items() if count >= recipe.fewest_per_label)
    if len(labels) < 2:
        raise TooFewExamples(question.name)
    number = {label: place for place, label in enumerate(labels)}
    used = np.array([place for place, label in enumerate(question.labels) if label in number], dtype=np.int64)
    wanted = np.array([number[str(question.labels[place])] for place in used], dtype=np.int64)
    rows = matrix[used]
    vectors = scaled[used] if scaled is not None else None
    chosen = _choose(rows, vectors, wanted, len(labels), recipe)
    found = "" if chosen.accuracy is None else f", cross-validated accuracy {chosen.accuracy:.3f}"
    say(f"{question.name}: {len(used)} examples of {len(labels)} labels{found}")
    gram_weights, gram_bias = _fit_grams(rows, wanted, len(labels), chosen.gram_strength, recipe)
    networks: tuple[tuple[Floats, ...], ...] = ()
    if vectors is not None and chosen.share:
        networks = _fit_vectors(vectors, wanted, chosen.vector_strength, recipe)
    head = Head(
        labels=tuple(labels),
        gram_weights=gram_weights,
        gram_bias=gram_bias,
        networks=networks,
        gram_say=(1 - chosen.share) * chosen.sharpness,
        vector_say=chosen.share * chosen.sharpness,
        alone=chosen.alone,
    )
    figures = {
        "examples": len(used),
        "labels": {label: counts[label] for label in labels},
        "left_out": {label: count for label, count in sorted(counts.items()) if label not in number},
        "cross_validated": None if chosen.accuracy is None else round(chosen.accuracy, 4),
        "embedding_share": chosen.share,
    }
    return head, figures


def _choose(rows: Any, vectors: Floats | None, wanted: Numbers, labels: int, recipe: Recipe) -> Chosen:
    """What the recipe says, or what of it is the best by cross-validation."""
    if not recipe.is_open:
        (gram,), (vector,), (share,) = recipe.gram_strengths, recipe.vector_strengths, recipe.shares
        return Chosen(gram, vector, share if vectors is not None else 0.0, recipe.sharpness, 1.0, None)
    splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=RANDOM_STATE).split(np.zeros(len(wanted)), wanted))
    by_grams = {one: np.zeros((len(wanted), labels), dtype=np.float32) for one in recipe.gram_strengths}
    by_vectors = {one: np.zeros((len(wanted), labels), dtype=np.float32) for one in recipe.vector_strengths}
    for train, test in splits:
        for strength, out in by_grams.items():
            weights, bias = _fit_grams(rows[train], wanted[train], labels, strength, recipe)
            out[test] = log_shares(both_sides(rows[test] @ weights + bias))
        if vectors is None:
            continue
        for strength, out in by_vectors.items():
            out[test] = network_shares(_fit_vectors(vectors[train], wanted[train], strength, recipe), vectors[test])
    best: tuple[float, Chosen] | None = None
    for gram_strength, own in by_grams.items():
        alone = _sharpness(own, wanted)
        for vector_strength, other in by_vectors.items():
            for share in recipe.shares if vectors is not None else (0.0,):
                pooled = own * (1 - share) + other * share
                sharpness = _sharpness(pooled, wanted)
                # Not by accuracy, which jumps about: a few rows more or less are chance.
                surprise = _surprise(pooled, wanted, sharpness)
                if best is None or surprise < best[0]:
                    accuracy = float((pooled.argmax(axis=1) == wanted).mean())
                    best = surprise, Chosen(gram_strength, vector_strength, share, sharpness, alone, accuracy)
    assert best is not None, "there is always one combination"
    return best[1]


def _fit_grams(rows: Any, wanted: Numbers, labels: int, strength: float, recipe: Recipe) -> tuple[Floats, Floats]:
    """Weights (terms, columns) and bias (columns)."""
    if recipe.grams == "margins":
        return _fit_margins(rows, wanted, labels, strength)
    machine = LogisticRegression(
        C=strength, max_iter=recipe.gram_passes, class_weight="balanced" if recipe.balanced else None
    )
    return _layers(machine, rows, wanted)


def _fit_margins(rows: Any, wanted: Numbers, labels: int, strength: float) -> tuple[Floats, Floats]:
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


def _fit_vectors(vectors: Floats, wanted: Numbers, strength: float, recipe: Recipe) -> tuple[tuple[Floats, ...], ...]:
    if not recipe.units:
        return (_layers(LogisticRegression(C=strength, max_iter=recipe.passes), vectors, wanted),)
    return tuple(_network(vectors, wanted, strength, recipe, seed) for seed in range(recipe.networks))


def _layers(machine: LogisticRegression, rows: Any, wanted: Numbers) -> tuple[Floats, Floats]:
    with warnings.catch_warnings():
        # Where the passes are bounded, what is left changes no decision worth the wait.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(rows, wanted)
    return np.ascontiguousarray(machine.coef_.T, dtype=np.float32), machine.intercept_.astype(np.float32)


def _network(vectors: Floats, wanted: Numbers, penalty: float, recipe: Recipe, seed: int) -> tuple[Floats, ...]:
    network = MLPClassifier(
        (recipe.units,),
        alpha=penalty,
        max_iter=recipe.passes,
        batch_size=min(BATCH, len(vectors)),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The number of passes is chosen, not a bound that should not be met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(vectors, wanted)
    (hidden, weights), (hidden_bias, bias) = network.coefs_, network.intercepts_
    return tuple(np.ascontiguousarray(part, dtype=np.float32) for part in (hidden, hidden_bias, weights, bias))


def _without_small(
    vocabulary: list[str], idf: Floats, heads: dict[str, Head], smallest: float
) -> tuple[list[str], Floats, dict[str, Head]]:
    """The terms that weigh anything in any head."""
    kept = np.any([np.abs(head.gram_weights).max(axis=1) >= smallest for head in heads.values()], axis=0)
    places = np.flatnonzero(kept)
    slimmer = {name: replace(head, gram_weights=head.gram_weights[places]) for name, head in heads.items()}
    return [vocabulary[place] for place in places], idf[places] if idf.size else idf, slimmer


def _sharpness(scores: Floats, wanted: Numbers) -> float:
    """What held-out scores are multiplied with so that their confidences are most nearly right (temperature)."""
    return min(SHARPNESSES, key=lambda sharpness: _surprise(scores, wanted, sharpness))


def _surprise(scores: Floats, wanted: Numbers, sharpness: float) -> float:
    """Mean negative logarithm of the probability that was given to the right label."""
    return -float(log_shares(scores * sharpness)[np.arange(len(wanted)), wanted].mean())
