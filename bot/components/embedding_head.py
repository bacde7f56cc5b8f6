"""What a sentence embedding says about the intent: small networks with one hidden layer, as plain arrays.

Several of them, started differently, are asked and their probabilities averaged: alone each has its own mistakes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

Vector = npt.NDArray[np.float32]
NETWORKS: Final = 2
_BATCH: Final = 128
_PARTS: Final = ("hidden_weights", "hidden_bias", "weights", "bias")


@dataclass(frozen=True)
class Training:
    """How the networks learn: units of the hidden layer, weight of the L2 penalty, passes over the examples."""

    units: int
    penalty: float
    rounds: int


class EmbeddingHead:
    """Embedding to a probability for each intent."""

    def __init__(self, mean: Vector, deviation: Vector, networks: Sequence[tuple[Vector, ...]]) -> None:
        """Take the scale of an embedding's components, and of each network (hidden weights [dimension, units],
        hidden bias, weights [units, intents], bias)."""
        self._mean: Final = mean
        self._deviation: Final = deviation
        self._networks: Final = list(networks)

    @property
    def dimension(self) -> int:
        """Length of the embeddings it was trained with."""
        return int(self._mean.shape[0])

    @classmethod
    def train(cls, embeddings: Vector, targets: npt.NDArray[np.int64], training: Training) -> EmbeddingHead:
        """Fit to embeddings [texts, dimension] and intents by number; the same examples give the same head."""
        mean = embeddings.mean(axis=0).astype(np.float32)
        deviation = np.maximum(embeddings.std(axis=0), 1e-6).astype(np.float32)
        scaled = (embeddings - mean) / deviation
        return cls(mean, deviation, [_fit(scaled, targets, training, seed) for seed in range(NETWORKS)])

    def probabilities(self, embedding: Vector) -> Vector:
        """Probabilities in the order of the intents' numbers; they sum to 1."""
        scaled = (embedding - self._mean) / self._deviation
        said = [softmax(np.maximum(scaled @ w1 + b1, 0) @ w2 + b2) for w1, b1, w2, b2 in self._networks]
        mean: Vector = np.mean(said, axis=0, dtype=np.float32)
        return mean

    def arrays(self) -> dict[str, Any]:
        """Everything it consists of, by name."""
        made: dict[str, Any] = {"embedding_mean": self._mean, "embedding_deviation": self._deviation}
        for place, name in enumerate(_PARTS):
            made[f"embedding_{name}"] = np.stack([network[place] for network in self._networks])
        return made

    @classmethod
    def from_arrays(cls, arrays: Any) -> EmbeddingHead | None:
        """What `arrays` gave; None when the model was trained without embeddings."""
        if "embedding_mean" not in arrays.files:
            return None
        parts = [arrays[f"embedding_{name}"] for name in _PARTS]
        return cls(arrays["embedding_mean"], arrays["embedding_deviation"], list(zip(*parts, strict=True)))


def _fit(scaled: Vector, targets: npt.NDArray[np.int64], training: Training, seed: int) -> tuple[Vector, ...]:
    network = MLPClassifier(
        hidden_layer_sizes=(training.units,),
        alpha=training.penalty,
        max_iter=training.rounds,
        batch_size=min(_BATCH, len(scaled)),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The number of rounds is chosen, not a bound that should not be met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaled, targets)
    (hidden, weights), (hidden_bias, bias) = network.coefs_, network.intercepts_
    if len(network.classes_) == 2:
        weights, bias = np.hstack([-weights / 2, weights / 2]), np.asarray([-bias[0] / 2, bias[0] / 2])
    return tuple(np.ascontiguousarray(part, dtype=np.float32) for part in (hidden, hidden_bias, weights, bias))


def softmax(scores: npt.NDArray[Any]) -> Vector:
    """Scores of one text as probabilities."""
    shifted = np.exp(scores - scores.max())
    result: Vector = (shifted / shifted.sum()).astype(np.float32)
    return result
