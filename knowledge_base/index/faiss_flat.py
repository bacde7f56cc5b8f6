"""Exact search by FAISS; saved to a file and memory-mapped from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.vector import only


class FaissFlatIndex:
    """VectorIndex over ``faiss.IndexFlatIP``."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Vectors) -> FaissFlatIndex:
        """Index the rows of `vectors` (float32, rows of length 1)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        if len(vectors):
            index.add(np.ascontiguousarray(vectors))
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def search(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Scores and row numbers, best first, of rows in the mask `allowed`; -1 where these are fewer than `count`."""
        count = min(count, len(self))
        if count <= 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if allowed is None:
            scores, rows = self._index.search(queries, count)
        else:
            parameters: Any = faiss.SearchParameters
            scores, rows = self._index.search(queries, count, params=parameters(sel=only(allowed)))
        return scores, rows

    def save(self, path: Path) -> None:
        """Write the index to `path`."""
        faiss.write_index(self._index, str(path))
