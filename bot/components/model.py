"""The trained part of the intent classifier: plain arrays, no pickled objects.

Two heads: a multinomial logistic regression on character n-grams, which always works, and one on a sentence
embedding (`embedding_head`), used when the message carries one. Their probabilities are mixed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from components.embedding_head import EmbeddingHead, Training, Vector, softmax
from components.features import NgramVectoriser

_ARRAYS: Final = "intents.npz"
_WORDS: Final = "intents.json"
_ROUNDS: Final = 150


class IntentModel:
    """Text (and embedding) to a probability for each intent."""

    def __init__(
        self,
        intents: Sequence[str],
        vectoriser: NgramVectoriser,
        ngram_head: tuple[Vector, Vector],
        embedding_head: EmbeddingHead | None,
        embedding_share: float,
    ) -> None:
        """Take the parts that `train` or `load` made; the n-grams' head is (weights [features, intents], bias)."""
        self.intents: Final = list(intents)
        self.vectoriser: Final = vectoriser
        self._ngram_head: Final = ngram_head
        self._embedding_head: Final = embedding_head
        self._share: Final = embedding_share

    @property
    def dimension(self) -> int | None:
        """Length of the embeddings it was trained with, None when trained without any."""
        return None if self._embedding_head is None else self._embedding_head.dimension

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        embeddings: Vector | None,
        *,
        ngram_strength: float,
        training: Training,
        embedding_share: float,
    ) -> IntentModel:
        """Fit both heads; `embeddings` is [texts, dimension] or None (then n-grams alone).

        The strength is the inverse regularisation C of scikit-learn; the share is the weight of the
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
            return cls(intents, vectoriser, ngram_head, None, 0.0)
        head = EmbeddingHead.train(embeddings, targets, training)
        return cls(intents, vectoriser, ngram_head, head, embedding_share)

    def probabilities(self, text: str, embedding: Vector | None = None) -> Vector:
        """Probabilities in the order of `intents`; they sum to 1."""
        columns, values = self.vectoriser.row(text)
        weights, bias = self._ngram_head
        from_ngrams = softmax(values @ weights[columns] + bias)
        if embedding is None or self._embedding_head is None:
            return from_ngrams
        from_embedding = self._embedding_head.probabilities(embedding)
        # A geometric mean: an intent must please both heads, one head alone cannot carry it.
        mixed = (1 - self._share) * np.log(from_ngrams + 1e-9) + self._share * np.log(from_embedding + 1e-9)
        return softmax(mixed)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        arrays: dict[str, Any] = {
            "idf": self.vectoriser.idf,
            "ngram_weights": self._ngram_head[0],
            "ngram_bias": self._ngram_head[1],
        }
        if self._embedding_head is not None:
            arrays |= self._embedding_head.arrays()
        np.savez(folder / _ARRAYS, **arrays)
        words = {"intents": self.intents, "vocabulary": self.vectoriser.vocabulary, "share": self._share}
        (folder / _WORDS).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what `save` wrote; OSError or KeyError when the folder does not hold it."""
        words = json.loads((folder / _WORDS).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS) as arrays:
            return cls(
                words["intents"],
                NgramVectoriser(words["vocabulary"], arrays["idf"]),
                (arrays["ngram_weights"], arrays["ngram_bias"]),
                EmbeddingHead.from_arrays(arrays),
                float(words["share"]),
            )


def _fit(matrix: scipy.sparse.csr_matrix, targets: npt.NDArray[np.int64], strength: float) -> tuple[Vector, Vector]:
    # Not balanced: a general question (faq, most of the examples) is what most messages are, and an unsure
    # one is safest there.
    regression = LogisticRegression(C=strength, max_iter=_ROUNDS)
    with warnings.catch_warnings():
        # Stopped early: what is left changes no decision worth the wait.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(matrix, targets)
    if len(regression.classes_) == 2:
        weights = np.vstack([-regression.coef_[0] / 2, regression.coef_[0] / 2])
        bias = np.asarray([-regression.intercept_[0] / 2, regression.intercept_[0] / 2])
    else:
        weights, bias = regression.coef_, regression.intercept_
    return np.ascontiguousarray(weights.T, dtype=np.float32), bias.astype(np.float32)
