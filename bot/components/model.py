"""The trained part of the intent classifier: plain arrays, no pickled objects.

Two heads, each a multinomial logistic regression: one on character n-grams, which always works, and one
on a sentence embedding, used when the message carries one. Their probabilities are mixed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from components.features import NgramVectoriser

Vector = npt.NDArray[np.float32]
_ARRAYS: Final = "intents.npz"
_WORDS: Final = "intents.json"


class IntentModel:
    """Text (and embedding) to a probability for each intent."""

    def __init__(
        self,
        intents: Sequence[str],
        vectoriser: NgramVectoriser,
        ngram_head: tuple[Vector, Vector],
        embedding_head: tuple[Vector, Vector] | None,
        embedding_scale: tuple[Vector, Vector] | None,
        embedding_share: float,
    ) -> None:
        """Take the parts that `train` or `load` made; heads are (weights [features, intents], bias)."""
        self.intents: Final = list(intents)
        self.vectoriser: Final = vectoriser
        self._ngram_head: Final = ngram_head
        self._embedding_head: Final = embedding_head
        self._embedding_scale: Final = embedding_scale
        self._share: Final = embedding_share

    @property
    def dimension(self) -> int | None:
        """Length of the embeddings it was trained with, None when trained without any."""
        return None if self._embedding_head is None else int(self._embedding_head[0].shape[0])

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        embeddings: Vector | None,
        *,
        ngram_strength: float,
        embedding_strength: float,
        embedding_share: float,
    ) -> IntentModel:
        """Fit both heads; `embeddings` is [texts, dimension] or None (then n-grams alone).

        Strengths are the inverse regularisation C of scikit-learn; the share is the weight of the
        embedding head in the mix, 0 to 1.
        """
        intents = sorted(set(labels))
        targets = np.asarray([intents.index(label) for label in labels])
        vectoriser = NgramVectoriser.fit(texts)
        rows = [vectoriser.row(text) for text in texts]
        matrix = scipy.sparse.csr_matrix(
            (
                np.concatenate([values for _, values in rows]),
                np.concatenate([columns for columns, _ in rows]),
                np.cumsum([0, *(len(columns) for columns, _ in rows)]),
            ),
            shape=(len(texts), len(vectoriser.vocabulary)),
        )
        ngram_head = _fit(matrix, targets, ngram_strength)
        if embeddings is None:
            return cls(intents, vectoriser, ngram_head, None, None, 0.0)
        mean = embeddings.mean(axis=0)
        deviation = np.maximum(embeddings.std(axis=0), 1e-6)
        scale = (mean.astype(np.float32), deviation.astype(np.float32))
        embedding_head = _fit((embeddings - scale[0]) / scale[1], targets, embedding_strength)
        return cls(intents, vectoriser, ngram_head, embedding_head, scale, embedding_share)

    def probabilities(self, text: str, embedding: Vector | None = None) -> Vector:
        """Probabilities in the order of `intents`; they sum to 1."""
        columns, values = self.vectoriser.row(text)
        weights, bias = self._ngram_head
        from_ngrams = _softmax(values @ weights[columns] + bias)
        if embedding is None or self._embedding_head is None or self._embedding_scale is None:
            return from_ngrams
        mean, deviation = self._embedding_scale
        weights, bias = self._embedding_head
        from_embedding = _softmax(((embedding - mean) / deviation) @ weights + bias)
        # A geometric mean: an intent must please both heads, one head alone cannot carry it.
        mixed = (1 - self._share) * np.log(from_ngrams + 1e-9) + self._share * np.log(from_embedding + 1e-9)
        return _softmax(mixed)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        arrays: dict[str, Any] = {
            "idf": self.vectoriser.idf,
            "ngram_weights": self._ngram_head[0],
            "ngram_bias": self._ngram_head[1],
        }
        if self._embedding_head is not None and self._embedding_scale is not None:
            arrays["embedding_weights"], arrays["embedding_bias"] = self._embedding_head
            arrays["embedding_mean"], arrays["embedding_deviation"] = self._embedding_scale
        np.savez(folder / _ARRAYS, **arrays)
        words = {"intents": self.intents, "vocabulary": self.vectoriser.vocabulary, "share": self._share}
        (folder / _WORDS).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what `save` wrote; OSError or KeyError when the folder does not hold it."""
        words = json.loads((folder / _WORDS).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS) as arrays:
            with_embedding = "embedding_weights" in arrays.files
            return cls(
                words["intents"],
                NgramVectoriser(words["vocabulary"], arrays["idf"]),
                (arrays["ngram_weights"], arrays["ngram_bias"]),
                (arrays["embedding_weights"], arrays["embedding_bias"]) if with_embedding else None,
                (arrays["embedding_mean"], arrays["embedding_deviation"]) if with_embedding else None,
                float(words["share"]),
            )


def _fit(
    matrix: npt.NDArray[np.float32] | scipy.sparse.csr_matrix, targets: npt.NDArray[np.int64], strength: float
) -> tuple[Vector, Vector]:
    # Not balanced: a general question (faq, most of the examples) is what most messages are, and an unsure
    # one is safest there.
    regression = LogisticRegression(C=strength, max_iter=400)
    regression.fit(matrix, targets)
    if len(regression.classes_) == 2:
        weights = np.vstack([-regression.coef_[0] / 2, regression.coef_[0] / 2])
        bias = np.asarray([-regression.intercept_[0] / 2, regression.intercept_[0] / 2])
    else:
        weights, bias = regression.coef_, regression.intercept_
    return np.ascontiguousarray(weights.T, dtype=np.float32), bias.astype(np.float32)


def _softmax(scores: npt.NDArray[Any]) -> Vector:
    shifted = np.exp(scores - scores.max())
    result: Vector = (shifted / shifted.sum()).astype(np.float32)
    return result
