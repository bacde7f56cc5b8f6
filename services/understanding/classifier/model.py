"""Texts to shares of labels: a linear head over terms, small networks over the embedding; saved as npz, no pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FORMAT: Final = 2
Floats = npt.NDArray[np.float32]
Terms = Callable[[str], Mapping[str, float]]
"""A text's terms (n-grams, marks), each with its count or its weight."""


class ModelDamaged(ValueError):
    """The bytes are no classifier that this release reads."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A label and how sure it is, in [0, 1]."""

    label: str
    confidence: float


@dataclass(frozen=True)
class Head:
    """One question (danger, kind, intent) with its possible `labels`.

    gram_weights (terms, columns) and gram_bias (columns) score each label over the terms; two labels have one column,
    the log odds of the second. `networks` over the centred and scaled embedding: of each the weights and the bias of
    one layer after the other, rectified in between; their shares are averaged; none without embeddings. gram_say and
    vector_say: what the logarithms of the shares are multiplied with before they are added; alone: the same for the
    terms when there is no embedding.
    """

    labels: tuple[str, ...]
    gram_weights: Floats
    gram_bias: Floats
    networks: tuple[tuple[Floats, ...], ...] = ()
    gram_say: float = 1.0
    vector_say: float = 0.0
    alone: float = 1.0

    def log_shares(self, gram_scores: Floats, vector: Floats | None) -> Floats:
        """Logarithms of the labels' shares. gram_scores: (columns) or (n, columns); vector: (dimension) or
        (n, dimension), centred and scaled."""
        own = log_shares(both_sides(gram_scores))
        if vector is None or not self.networks:
            return log_shares(own * self.alone)
        return log_shares(own * self.gram_say + network_shares(self.networks, vector) * self.vector_say)


def log_shares(scores: npt.NDArray[np.floating[Any]]) -> Floats:
    """Logarithms of the softmax over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)


def both_sides(scores: Floats) -> Floats:
    """Scores of every label: the one column of two labels is the log odds of the second."""
    return np.concatenate([-scores / 2, scores / 2], axis=-1) if scores.shape[-1] == 1 else scores


def network_shares(networks: tuple[tuple[Floats, ...], ...], vector: Floats) -> Floats:
    """Logarithms of the mean of what the networks say of centred and scaled vectors."""
    said = []
    for layers in networks:
        value = vector
        for place in range(0, len(layers), 2):
            value = (np.maximum(value, 0) if place else value) @ layers[place] + layers[place + 1]
        said.append(log_shares(both_sides(value)))
    if len(said) == 1:
        return said[0]
    return np.asarray(np.log(np.mean(np.exp(said), axis=0) + 1e-9), dtype=np.float32)


class Classifier:
    """Answers each head's question for a text.

    >>> subjects.shipped().predict("建议在滨江公园增加几个公共厕所")["kind"].label
    'suggestion'
    """

    def __init__(
        self,
        terms: Terms,
        vocabulary: list[str],
        idf: Floats,
        heads: Mapping[str, Head],
        *,
        embedder: str = "",
        examples: str = "",
        center: Floats | None = None,
        scale: Floats | None = None,
    ) -> None:
        """`vocabulary`: the terms in row order. `idf`: their inverse document frequencies, for logarithmic counts in a
        vector of length 1; empty when the terms come with their weights.

        `embedder`: identity of the model whose vectors the heads know, `center` and `scale` (dimension) of these;
        `examples`: digest of what it learned from (`fitting.digest`).
        """
        self.vocabulary: Final = vocabulary
        self.idf: Final = idf
        self.heads: Final = dict(heads)
        self.embedder: Final = embedder
        self.examples: Final = examples
        self._terms: Final = terms
        self._center: Final = center if center is not None else np.zeros(0, dtype=np.float32)
        self._scale: Final = scale if scale is not None else np.zeros(0, dtype=np.float32)
        self._row: Final = {term: row for row, term in enumerate(vocabulary)}

    @property
    def dimension(self) -> int | None:
        """Length of the embeddings it learned from; None when it learned without any."""
        return len(self._center) or None

    def predict(self, text: str, vector: Floats | None = None) -> dict[str, Guess]:
        """The best label of each head. `vector`: the text's embedding (dimension) by `embedder`, if at hand."""
        found = {}
        for name, shares in self.log_shares(text, vector).items():
            best = int(shares.argmax())
            found[name] = Guess(self.heads[name].labels[best], round(float(np.exp(shares[best])), 4))
        return found

    def log_shares(self, text: str, vector: Floats | None = None) -> dict[str, Floats]:
        """Logarithms of the shares of each head's labels, in their order; a vector of another length counts as none."""
        rows, values = self.row(text)
        known = vector is not None and self._center.size and vector.shape == self._center.shape
        scaled = self.scaled(vector) if known and vector is not None else None
        return {
            name: head.log_shares(head.gram_bias + values @ head.gram_weights[rows], scaled)
            for name, head in self.heads.items()
        }

    def scaled(self, vectors: Floats) -> Floats:
        """Embeddings as the networks take them."""
        return np.asarray((vectors - self._center) / self._scale, dtype=np.float32)

    def row(self, text: str) -> tuple[npt.NDArray[np.int64], Floats]:
        """The terms of `text` that it knows, and their values: a vector of length 1, or the weights they came with."""
        counts = {self._row[term]: count for term, count in self._terms(text).items() if term in self._row}
        rows = np.array(sorted(counts), dtype=np.int64)
        values = np.array([counts[row] for row in rows], dtype=np.float32)
        if not self.idf.size:
            return rows, values
        values = (1 + np.log(values)) * self.idf[rows]
        norm = float(np.linalg.norm(values))
        return rows, (values / norm if norm else values).astype(np.float32)

    def to_bytes(self) -> bytes:
        """The classifier as npz; the same one gives the same bytes. Weights keep three digits (float16)."""
        about: dict[str, Any] = {"format": FORMAT, "embedder": self.embedder, "examples": self.examples, "heads": {}}
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "vocabulary": _text(json.dumps(self.vocabulary, ensure_ascii=False)),
            "idf": self.idf,
            "center": self._center.astype(np.float16),
            "scale": self._scale.astype(np.float16),
        }
        for name, head in self.heads.items():
            about["heads"][name] = {
                "labels": list(head.labels),
                "say": [head.gram_say, head.vector_say, head.alone],
                "layers": [len(layers) for layers in head.networks],
            }
            arrays[f"{name}.gram_weights"] = head.gram_weights.astype(np.float16)
            arrays[f"{name}.gram_bias"] = head.gram_bias
            for number, layers in enumerate(head.networks):
                for place, layer in enumerate(layers):
                    arrays[f"{name}.{number}.{place}"] = layer.astype(np.float16)
        return _npz({"about": _text(json.dumps(about, ensure_ascii=False)), **arrays})

    @classmethod
    def from_bytes(cls, data: bytes, terms: Terms) -> Classifier:
        """Read what `to_bytes` wrote, of this format or the one before. Raises ModelDamaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes().decode())
                if about["format"] not in (1, FORMAT):
                    raise ModelDamaged(f"format {about['format']}")
                read = _first_head if about["format"] == 1 else _head
                heads = {name: read(file, name, head) for name, head in about["heads"].items()}
                return cls(
                    terms,
                    json.loads(file["vocabulary"].tobytes().decode()),
                    file["idf"],
                    heads,
                    embedder=about["embedder"],
                    examples=about.get("examples", ""),
                    center=file["center"].astype(np.float32),
                    scale=file["scale"].astype(np.float32),
                )
        except (KeyError, OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ModelDamaged(type(error).__name__) from error


def _head(file: Any, name: str, about: Mapping[str, Any]) -> Head:
    gram_say, vector_say, alone = map(float, about["say"])
    return Head(
        labels=tuple(about["labels"]),
        gram_weights=file[f"{name}.gram_weights"].astype(np.float32),
        gram_bias=file[f"{name}.gram_bias"],
        networks=tuple(
            tuple(file[f"{name}.{number}.{place}"].astype(np.float32) for place in range(layers))
            for number, layers in enumerate(about["layers"])
        ),
        gram_say=gram_say,
        vector_say=vector_say,
        alone=alone,
    )


def _first_head(file: Any, name: str, about: Mapping[str, Any]) -> Head:
    """A head as the first format had it, which cities' own models may still have."""
    share, sharpness = float(about["share"]), float(about["sharpness"])
    layers = tuple(file[f"{name}.vector_{part}"].astype(np.float32) for part in ("weights", "bias"))
    return Head(
        labels=tuple(about["labels"]),
        gram_weights=file[f"{name}.gram_weights"].astype(np.float32),
        gram_bias=file[f"{name}.gram_bias"],
        networks=(layers,) if layers[0].size else (),
        gram_say=(1 - share) * sharpness,
        vector_say=share * sharpness,
        alone=float(about["gram_sharpness"]),
    )


def grams(text: str, longest: int, begins: str = "\x02", ends: str = "\x03") -> Counter[str]:
    """The character n-grams (1 to `longest`) of a prepared text with their counts, its start and end marked."""
    framed = f"{begins}{text}{ends}"
    return Counter(
        framed[start : start + size] for size in range(1, longest + 1) for start in range(len(framed) - size + 1)
    )


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Like numpy.savez_compressed, with a fixed date, so that learning again leaves the file as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), inner.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
