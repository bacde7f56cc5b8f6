"""Linear heads over n-grams and the sentence embedding; saved as npz without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.cases.classifier.features import grams

FORMAT: Final = 1
Floats = npt.NDArray[np.float32]


class ModelDamaged(ValueError):
    """The bytes are no model that this release reads."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A label and how sure it is, in [0, 1]."""

    label: str
    confidence: float


@dataclass(frozen=True)
class Head:
    """One question (kind, department) with its possible `labels`.

    gram_weights (grams, labels) and gram_bias (labels) score each label over the n-grams (logarithmic counts times
    inverse document frequency, of length 1);
    vector_weights (dimension, labels) and vector_bias the log probabilities over the centred and scaled embedding,
    empty without one. `share` of the embedding's say, `sharpness` what the pooled scores are multiplied with, and
    `gram_sharpness` when the n-grams decide alone.
    """

    labels: tuple[str, ...]
    gram_weights: Floats
    gram_bias: Floats
    vector_weights: Floats
    vector_bias: Floats
    share: float
    sharpness: float
    gram_sharpness: float

    def probabilities(self, gram_scores: Floats, vector: Floats | None) -> Floats:
        """Probability of each label. gram_scores: (labels,) or (n, labels); vector: (dimension,) or
        (n, dimension), centred and scaled."""
        own = log_shares(gram_scores)
        if vector is None or not self.vector_weights.size:
            return np.exp(log_shares(own * self.gram_sharpness))
        other = log_shares(vector @ self.vector_weights + self.vector_bias)
        return np.exp(log_shares((own * (1 - self.share) + other * self.share) * self.sharpness))


def log_shares(scores: npt.NDArray[np.floating[Any]]) -> Floats:
    """Logarithms of the softmax over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)


class CaseModel:
    """Answers each head's question for a text.

    >>> CaseModel.shipped().predict("建议在滨江公园增加几个公共厕所")["kind"].label
    'suggestion'
    """

    def __init__(
        self,
        vocabulary: list[str],
        idf: Floats,
        heads: Mapping[str, Head],
        *,
        embedder: str = "",
        center: Floats | None = None,
        scale: Floats | None = None,
    ) -> None:
        """`vocabulary`: the n-grams in row order, `idf` their inverse document frequencies.

        `embedder`: identity of the model whose vectors the heads know; `center` and `scale` (dimension,) of these.
        """
        self.vocabulary: Final = vocabulary
        self.idf: Final = idf
        self.heads: Final = dict(heads)
        self.embedder: Final = embedder
        self._center: Final = center if center is not None else np.zeros(0, dtype=np.float32)
        self._scale: Final = scale if scale is not None else np.zeros(0, dtype=np.float32)
        self._row: Final = {gram: row for row, gram in enumerate(vocabulary)}

    def predict(self, text: str, vector: Floats | None = None) -> dict[str, Guess]:
        """The best label of each head. `vector`: the text's embedding (passage, length 1) by `embedder`, if at hand."""
        rows, values = self.row(text)
        centred = None
        if vector is not None and vector.shape == self._center.shape and self._center.size:
            centred = ((vector - self._center) / self._scale).astype(np.float32)
        found = {}
        for name, head in self.heads.items():
            shares = head.probabilities(head.gram_bias + values @ head.gram_weights[rows], centred)
            best = int(shares.argmax())
            found[name] = Guess(head.labels[best], round(float(shares[best]), 4))
        return found

    def row(self, text: str) -> tuple[npt.NDArray[np.int64], Floats]:
        """The n-grams of `text` that the model knows, and their values: a vector of length 1, or nothing."""
        counts = {self._row[gram]: count for gram, count in grams(text).items() if gram in self._row}
        rows = np.array(sorted(counts), dtype=np.int64)
        values = (1 + np.log(np.array([counts[row] for row in rows], dtype=np.float32))) * self.idf[rows]
        norm = float(np.linalg.norm(values))
        return rows, (values / norm if norm else values).astype(np.float32)

    def to_bytes(self) -> bytes:
        """The model as npz; the same model gives the same bytes."""
        about = {
            "format": FORMAT,
            "embedder": self.embedder,
            "heads": {
                name: {
                    "labels": list(head.labels),
                    "share": head.share,
                    "sharpness": head.sharpness,
                    "gram_sharpness": head.gram_sharpness,
                }
                for name, head in self.heads.items()
            },
        }
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "about": _text(json.dumps(about, ensure_ascii=False)),
            "vocabulary": _text(json.dumps(self.vocabulary, ensure_ascii=False)),
            "idf": self.idf,
            "center": self._center.astype(np.float16),
            "scale": self._scale.astype(np.float16),
        }
        for name, head in self.heads.items():
            arrays[f"{name}.gram_weights"] = head.gram_weights.astype(np.float16)
            arrays[f"{name}.gram_bias"] = head.gram_bias
            arrays[f"{name}.vector_weights"] = head.vector_weights.astype(np.float16)
            arrays[f"{name}.vector_bias"] = head.vector_bias
        return _npz(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> CaseModel:
        """Read what `to_bytes` wrote. Raises ModelDamaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes().decode())
                if about["format"] != FORMAT:
                    raise ModelDamaged(f"format {about['format']}")
                heads = {
                    name: Head(
                        labels=tuple(head["labels"]),
                        gram_weights=file[f"{name}.gram_weights"].astype(np.float32),
                        gram_bias=file[f"{name}.gram_bias"],
                        vector_weights=file[f"{name}.vector_weights"].astype(np.float32),
                        vector_bias=file[f"{name}.vector_bias"],
                        share=float(head["share"]),
                        sharpness=float(head["sharpness"]),
                        gram_sharpness=float(head["gram_sharpness"]),
                    )
                    for name, head in about["heads"].items()
                }
                vocabulary = json.loads(file["vocabulary"].tobytes().decode())
                idf = file["idf"]
                center, scale = file["center"].astype(np.float32), file["scale"].astype(np.float32)
        except (KeyError, OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ModelDamaged(type(error).__name__) from error
        return cls(vocabulary, idf, heads, embedder=about["embedder"], center=center, scale=scale)

    @staticmethod
    @cache
    def shipped() -> CaseModel:
        """The model that comes with the project: our five kinds, and the departments of the demo city."""
        return CaseModel.from_bytes(resources.files(__package__).joinpath("data/model.npz").read_bytes())


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Like numpy.savez_compressed, with a fixed date, so that training again leaves the file as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), inner.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
