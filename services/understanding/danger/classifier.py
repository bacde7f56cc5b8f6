"""Logistic regression over character n-grams and lexicon flags; the weights ship as JSON.

`python -m services.understanding.danger.train` makes them from data/urgent.txt, data/calm.txt and the
dialogue's examples; a test checks that the shipped file fits those.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

from services.understanding.danger.lexicon import classes, is_immediate, signals, suppressors

_SQUEEZE = re.compile(r"[\s，。,.!！?？、;；:：~～…\"'“”]+")


def features(prepared: str) -> Iterator[str]:
    """Feature names of a prepared text (see `lexicon.prepare`), each at most once."""
    text = _SQUEEZE.sub(" ", prepared).strip()
    padded = f"^{text}$"
    seen = {padded[i : i + n] for n in (1, 2, 3) for i in range(len(padded) - n + 1)}
    yield from seen
    found = signals(prepared)
    damped = suppressors(prepared)
    yield from (f"@signal:{category}" for category, _ in found)
    yield from (f"@damper:{name}" for name in damped)
    yield f"@signals:{min(len(found), 3)}"
    yield f"@dampers:{min(len(damped), 3)}"
    yield f"@plain:{bool(found)}:{bool(damped)}"
    broad = classes(prepared)
    yield from (f"@class:{name}" for name in broad)
    yield from (f"@pair:{one}+{two}" for index, one in enumerate(broad) for two in broad[index + 1 :])
    if found and is_immediate(prepared):
        yield "@now"
    if found and not damped and len(text) <= 30:
        yield "@short"


@cache
def _weights() -> tuple[float, dict[str, float]]:
    raw = json.loads(resources.files(__package__).joinpath("data/weights.json").read_text("utf-8"))
    return float(raw["bias"]), {str(name): float(value) for name, value in raw["weights"].items()}


def log_odds(prepared: str) -> float:
    """Log odds, within 30 of 0, that a prepared text tells of danger."""
    bias, weights = _weights()
    names = list(features(prepared))
    # the same length scaling as in training: long messages do not win by their mere length
    score = bias + sum(weights.get(name, 0.0) * scale(name, len(names)) for name in names)
    return max(-30.0, min(30.0, score))


def probability(prepared: str) -> float:
    """Probability in [0, 1] that a prepared text tells of danger."""
    return chance(log_odds(prepared))


def chance(odds: float) -> float:
    """Log odds as a probability."""
    return 1.0 / (1.0 + math.exp(-odds))


def scale(name: str, count: int) -> float:
    """Value of a present feature: flags count fully, n-grams less in a long text."""
    return 1.0 if name.startswith("@") else math.sqrt(20.0 / max(count, 20))
