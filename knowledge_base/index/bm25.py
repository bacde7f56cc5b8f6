"""BM25 over character uni- and bigrams, as arrays that can be memory-mapped.

Characters instead of words: citizens' spelling breaks word segmentation, and on Chinese FAQ questions character
bigrams find what words miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors

_FIELDS = ("grams", "starts", "documents", "weights", "rarity", "columns", "common", "average")
# Documents whose grams are counted at once; bounds the memory of a build.
_DOCUMENTS_AT_ONCE = 4096
# A gram in more than this share of the documents is kept as a weight for each document: adding a whole column costs
# less than adding that many single weights.
_COMMON = 1 / 8
_SHIFT = np.uint64(21)


def _word_characters() -> npt.NDArray[np.bool_]:
    return np.fromiter((chr(code).isalnum() for code in range(0x30000)), dtype=np.bool_, count=0x30000)


_IS_WORD = _word_characters()


def grams(text: str) -> npt.NDArray[np.uint64]:
    """Codes of the uni- and bigrams of `text` (lower-cased); bigrams do not span punctuation or blanks."""
    codes = np.frombuffer(text.lower().encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    word = _IS_WORD[np.minimum(codes, np.uint64(len(_IS_WORD) - 1))]
    pairs = word[:-1] & word[1:]
    return np.concatenate([codes[word], (codes[:-1][pairs] << _SHIFT) | codes[1:][pairs]])


@dataclass(frozen=True)
class Bm25Index:
    """Postings by gram: `documents[starts[g]:starts[g+1]]` hold gram `grams[g]` with BM25 `weights`.

    A gram in many documents has no postings; `common[columns[g]]` are its weights in all documents (`columns[g]` is -1
    for the others). `rarity` is the inverse document frequency of each gram, `average` (one number) the mean length of
    a document in grams. k1 and b are BM25's usual parameters.
    """

    size: int
    grams: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    documents: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    rarity: npt.NDArray[np.float32]
    columns: npt.NDArray[np.int32]
    common: npt.NDArray[np.float32]
    average: npt.NDArray[np.float64]

    @classmethod
    def build(
        cls, texts: Sequence[str], *, k1: float = 1.2, b: float = 0.75, like: Bm25Index | None = None
    ) -> Bm25Index:
        """Index `texts` (already cleaned), weighed with the statistics of `like` when it is given."""
        parts: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.int32]]] = []
        lengths = np.zeros(len(texts), dtype=np.float64)
        for first in range(0, len(texts), _DOCUMENTS_AT_ONCE):
            found = [grams(text) for text in texts[first : first + _DOCUMENTS_AT_ONCE]]
            sizes = np.array([len(codes) for codes in found], dtype=np.int64)
            lengths[first : first + len(found)] = sizes
            codes = np.concatenate(found) if found else np.empty(0, np.uint64)
            owners = np.repeat(np.arange(first, first + len(found), dtype=np.int32), sizes)
            order = np.lexsort((owners, codes))
            codes, owners = codes[order], owners[order]
            new = np.ones(len(codes), dtype=np.bool_)
            new[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
            at = np.flatnonzero(new)
            counts = np.diff(np.append(at, len(codes))).astype(np.int32)
            parts.append((codes[at], owners[at], counts))
        codes = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, np.uint64)
        owners = np.concatenate([part[1] for part in parts]) if parts else np.empty(0, np.int32)
        counts = np.concatenate([part[2] for part in parts]) if parts else np.empty(0, np.int32)
        # Parts come in rising document order, so a stable sort by gram keeps documents rising within a gram.
        order = np.argsort(codes, kind="stable")
        codes, owners, counts = codes[order], owners[order], counts[order]
        unique, starts = np.unique(codes, return_index=True)
        starts = np.append(starts, len(codes)).astype(np.int64)
        frequency = np.diff(starts)
        if like is None:
            rarity = np.log1p((len(texts) - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
            average = float(lengths.mean()) if len(texts) else 1.0
        else:
            rarity, average = like._rarity_of(unique), float(like.average[0])
        norm = k1 * (1 - b + b * lengths[owners] / max(average, 1e-9))
        weights = counts * (k1 + 1) / (counts + norm)
        weights *= np.repeat(rarity, frequency)
        postings = _common_apart(len(texts), starts, owners, weights.astype(np.float32))
        return cls(len(texts), unique, *postings[:3], rarity, *postings[3:], np.array([average]))

    def _rarity_of(self, codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
        # A gram that no document has is the rarest of all.
        rarity = np.full(len(codes), np.log1p((self.size + 0.5) / 0.5), dtype=np.float32)
        if len(self.grams):
            at = np.minimum(np.searchsorted(self.grams, codes), len(self.grams) - 1)
            known = self.grams[at] == codes
            rarity[known] = self.rarity[at[known]]
        return rarity

    def scores(self, text: str) -> tuple[Vectors, float]:
        """BM25 of every document for `text`, and the total rarity of the text's grams (to compare texts by)."""
        wanted = np.unique(grams(text))
        total = np.zeros(self.size, dtype=np.float32)
        if not len(wanted) or not len(self.grams):
            return total, 0.0
        at = np.minimum(np.searchsorted(self.grams, wanted), len(self.grams) - 1)
        known = at[self.grams[at] == wanted]
        # A gram that no document has is the rarest of all.
        unknown = float(np.log1p((self.size + 0.5) / 0.5)) * (len(wanted) - len(known))
        for term, column in zip(known.tolist(), self.columns[known].tolist(), strict=True):
            if column >= 0:
                total += self.common[column]
            else:
                part = slice(self.starts[term], self.starts[term + 1])
                # The same as `total[documents] += weights`, in half the time.
                np.add.at(total, self.documents[part], self.weights[part])
        return total, float(self.rarity[known].sum()) + unknown

    def save(self, folder: Path, name: str) -> list[Path]:
        """Write the arrays as `name`.*.npy into `folder`; returns the files."""
        paths = []
        for field in _FIELDS:
            path = folder / f"{name}.{field}.npy"
            np.save(path, getattr(self, field))
            paths.append(path)
        return paths

    @classmethod
    def open(cls, folder: Path, name: str, size: int) -> Bm25Index:
        """Map the arrays of an index of `size` documents into memory."""
        # Mapped, but as plain arrays: slicing a memmap object costs more than many a sum over what it cuts out.
        arrays = {field: np.asarray(np.load(folder / f"{name}.{field}.npy", mmap_mode="r")) for field in _FIELDS}
        if arrays["common"].shape[1:] != (size,):
            raise ValueError(f"{name} is not an index of {size} documents")
        return cls(size=size, **arrays)


def _common_apart(
    size: int, starts: npt.NDArray[np.int64], documents: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
]:
    """Take the postings of common grams out: (starts, documents, weights, columns, common) of a Bm25Index."""
    frequency = np.diff(starts)
    is_common = frequency > size * _COMMON
    terms = np.flatnonzero(is_common)
    columns = np.full(len(frequency), -1, dtype=np.int32)
    columns[terms] = np.arange(len(terms), dtype=np.int32)
    common = np.zeros((len(terms), size), dtype=np.float32)
    for column, term in enumerate(terms.tolist()):
        part = slice(starts[term], starts[term + 1])
        common[column, documents[part]] = weights[part]
    rest = np.repeat(~is_common, frequency)
    starts = np.concatenate([[0], np.cumsum(np.where(is_common, 0, frequency))]).astype(np.int64)
    return starts, documents[rest], weights[rest], columns, common
