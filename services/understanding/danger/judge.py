"""How likely a message tells of danger: the one classifier, over n-grams and lexicon flags and over the embedding.

`huiying train` makes data/danger.npz from the lists of `learning.EXAMPLES` and the dialogue's examples; a test checks
that the shipped file is that of those. A system that runs another embedding model has the n-grams alone until the
classifier was fitted for it (docs/training.md).
"""

from __future__ import annotations

import math
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.understanding.classifier.model import Classifier, grams
from services.understanding.danger.lexicon import classes, is_immediate, signals, suppressors

Vector = npt.NDArray[np.float32]
FILE: Final = "danger.npz"
SHIPPED: Final = Path(__file__).with_name("data") / FILE
HEAD: Final = "danger"
CALM, DANGER = "calm", "danger"
_LETTERS: Final = 3
_NUMBERED: Final = re.compile(r"[A-Za-z]*\d[0-9A-Za-z]*")
_SQUEEZE: Final = re.compile(r"[\s，。,.!！?？、;；:：~～…\"'“”]+")
_LONGEST_GRAM: Final = 3
_FULL: Final = 20
"""Up to so many features an n-gram counts fully, in longer messages less: they do not win by their mere length."""


class Heard(NamedTuple):
    """A text with its embedding (dimension,) and the identity of the model that made it."""

    text: str
    model: str
    vector: Vector


def worth_hearing(text: str) -> bool:
    """Whether a text holds more than a number, a choice or an interjection."""
    return sum(letter.isalpha() for letter in _NUMBERED.sub("", text)) >= _LETTERS


def terms(prepared: str) -> dict[str, float]:
    """The features of a prepared text (see `lexicon.prepare`), each with its weight."""
    text = _SQUEEZE.sub(" ", prepared).strip()
    flags = set(_flags(prepared, len(text)))
    pieces = grams(text, _LONGEST_GRAM, "^", "$").keys() - flags
    weight = math.sqrt(_FULL / max(len(pieces) + len(flags), _FULL))
    return {**dict.fromkeys(pieces, weight), **dict.fromkeys(flags, 1.0)}


def _flags(prepared: str, length: int) -> list[str]:
    found, damped, broad = signals(prepared), suppressors(prepared), classes(prepared)
    flags = [f"@signal:{category}" for category, _ in found]
    flags += [f"@damper:{name}" for name in damped]
    flags += [
        f"@signals:{min(len(found), 3)}",
        f"@dampers:{min(len(damped), 3)}",
        f"@plain:{bool(found)}:{bool(damped)}",
    ]
    flags += [f"@class:{name}" for name in broad]
    flags += [f"@pair:{one}+{two}" for index, one in enumerate(broad) for two in broad[index + 1 :]]
    if found and is_immediate(prepared):
        flags.append("@now")
    if found and not damped and length <= 30:
        flags.append("@short")
    return flags


def log_odds(prepared: str, heard: Heard | None = None) -> float | None:
    """Log odds, within 60 of 0, that a prepared text tells of danger.

    With `heard` those of n-grams and meaning together, None when the classifier knows nothing of the embedding's model.
    """
    judge = in_use()
    if heard is not None and (heard.model != judge.embedder or heard.vector.shape != (judge.dimension,)):
        return None
    calm, danger = judge.log_shares(prepared, heard.vector if heard is not None else None)[HEAD]
    return float(min(max(danger - calm, -60.0), 60.0))


def probability(prepared: str) -> float:
    """Probability in [0, 1] that a prepared text tells of danger, by its n-grams."""
    odds = log_odds(prepared)
    assert odds is not None, "n-grams always say something"
    return chance(odds)


def chance(odds: float) -> float:
    """Log odds as a probability."""
    return 1.0 / (1.0 + math.exp(-odds))


@cache
def shipped() -> Classifier:
    """The classifier that comes with the project, which knows the bundled embedding model."""
    return read(resources.files(__package__).joinpath(f"data/{FILE}").read_bytes())


def read(data: bytes) -> Classifier:
    """A classifier of danger from its bytes. Raises ModelDamaged."""
    return Classifier.from_bytes(data, terms)


_fitted: Classifier | None = None


def use(judge: Classifier | None) -> None:
    """Judge with one that was fitted for the system's own embedding model; None: with the shipped one.

    For composition roots, before the first message.
    """
    global _fitted
    _fitted = judge


def in_use() -> Classifier:
    """The classifier that judges."""
    return _fitted if _fitted is not None else shipped()
