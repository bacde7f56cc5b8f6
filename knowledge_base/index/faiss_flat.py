"""Exact search by FAISS; saved to a file and memory-mapped from it."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.faiss_index import FaissIndex
from knowledge_base.index.vector import only


class FaissFlatIndex(FaissIndex):
    """VectorIndex over ``faiss.IndexFlatIP``."""

    @classmethod
    def build(cls, vectors: Vectors) -> FaissFlatIndex:
        """Index the rows of `vectors` (float32, rows of length 1)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        if len(vectors):
            index.add(np.ascontiguousarray(vectors))
        return cls(index)

    def _nearest(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        if allowed is None:
            scores, rows = self._index.search(queries, count)
        else:
            parameters: Any = faiss.SearchParameters
            scores, rows = self._index.search(queries, count, params=parameters(sel=only(allowed)))
        return scores, rows
