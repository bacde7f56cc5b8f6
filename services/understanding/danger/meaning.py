"""What a sentence embedding says about danger: one small network, shipped as plain arrays for the bundled model.

`python -m services.understanding.danger.train` makes data/meaning.npz. A system that runs another embedding model has
the n-grams alone.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
FILE: Final = "data/meaning.npz"
_LETTERS: Final = 3
_NUMBERED: Final = re.compile(r"[A-Za-z]*\d[0-9A-Za-z]*")


class Heard(NamedTuple):
    """A text with its embedding (dimension,) and the identity of the model that made it."""

    text: str
    model: str
    vector: Vector


class Network(NamedTuple):
    """Scale of an embedding's components, hidden weights [dimension, units] and bias, weights [units] and bias [].

    `model` is the embedding model it was trained with; `digest` that of its examples (`train.digest`).
    """

    mean: Vector
    deviation: Vector
    hidden: Vector
    hidden_bias: Vector
    weights: Vector
    bias: Vector
    model: str
    digest: str


def log_odds(heard: Heard) -> float | None:
    """Log odds that a text tells of danger; None when the network was trained for another model."""
    network = shipped()
    if heard.model != network.model or heard.vector.shape != network.mean.shape:
        return None
    scaled = (heard.vector - network.mean) / network.deviation
    return float(np.maximum(scaled @ network.hidden + network.hidden_bias, 0) @ network.weights + network.bias)


def worth_hearing(text: str) -> bool:
    """Whether a text holds more than a number, a choice or an interjection."""
    return sum(letter.isalpha() for letter in _NUMBERED.sub("", text)) >= _LETTERS


@cache
def shipped() -> Network:
    """The network of data/meaning.npz."""
    with (
        resources.as_file(resources.files(__package__).joinpath(FILE)) as path,
        np.load(path, allow_pickle=False) as file,
    ):
        given: dict[str, Any] = {
            name: value.astype(np.float32) if value.dtype.kind == "f" else str(value) for name, value in file.items()
        }
    return Network(**given)
