"""From scores to an order and to probabilities: a linear fusion and a logistic calibrator, both learned.

The numbers live in ``knowledge_base/data/ranker.json`` (made by ``knowledge_base/training/fit.py`` from the starter
base) and travel with every snapshot, so that a snapshot answers tomorrow as it did when it was checked.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SCORES = ("dense", "dense_answer", "lexical", "lexical_answer", "sound")
DEFAULT = Path(__file__).resolve().parent.parent / "data" / "ranker.json"


@dataclass(frozen=True)
class Ranker:
    """Learned numbers. `fusion` weighs SCORES; `calibration` and `intercept` make a probability of CALIBRATION.

    A fused score higher by 1 / `sharpness` is e times as likely right.
    """

    fusion: tuple[float, ...]
    calibration: tuple[float, ...]
    intercept: float
    sharpness: float = 1.0

    @classmethod
    def load(cls, path: Path = DEFAULT) -> Ranker:
        """Read a ranker file. ValueError when it does not fit this version."""
        values = json.loads(path.read_text(encoding="utf-8"))
        if tuple(values["scores"]) != SCORES or tuple(values["features"]) != CALIBRATION:
            raise ValueError(f"{path.name} was made for other features")
        numbers = (float(values[name]) for name in ("intercept", "sharpness"))
        return cls(tuple(values["fusion"]), tuple(values["calibration"]), *numbers)

    def save(self, path: Path) -> None:
        """Write the numbers with the names of what they weigh."""
        values = {"scores": SCORES, "features": CALIBRATION, **asdict(self)}
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def fuse(self, scores: Array) -> Array:
        """Fused score of each row of `scores` (n, len(SCORES))."""
        fused: Array = scores @ np.asarray(self.fusion)
        return fused

    def confidences(self, features: Array) -> Array:
        """Probability that each row of `features` (n, len(CALIBRATION)) is a right answer."""
        probabilities: Array = 1.0 / (1.0 + np.exp(-np.clip(self.logits(features), -30.0, 30.0)))
        return probabilities

    def logits(self, features: Array) -> Array:
        """Log odds of `confidences`."""
        odds: Array = features @ np.asarray(self.calibration) + self.intercept
        return odds


# A lead beyond this says no more.
_FARTHEST_LEAD = 0.15
# What the calibrator sees of each of the best candidates.
CALIBRATION = ("fused", "lead", *SCORES, "log_length")


def calibration_features(scores: Array, fused: Array, query_length: int, rival: int = 1) -> Array:
    """Features (n, len(CALIBRATION)) of n candidates in falling order of `fused`.

    `lead` is the distance to the best other candidate, of the first one to that at place `rival`: positive for the
    first only. `query_length` in characters.
    """
    lead = fused - fused[0] if len(fused) else fused
    if len(fused) > rival:
        lead[0] = fused[0] - fused[rival]
    elif len(fused):
        lead[0] = _FARTHEST_LEAD
    length = np.full(len(fused), np.log1p(query_length))
    return np.column_stack([fused, np.clip(lead, -_FARTHEST_LEAD, _FARTHEST_LEAD), scores, length])
