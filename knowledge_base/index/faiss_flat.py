"""Exact search by FAISS; saved to a file and memory-mapped from it."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors


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

    @classmethod
    def open(cls, path: Path) -> FaissFlatIndex:
        """Map an index file into memory; pages are shared between processes. RuntimeError when it is no index."""
        # IO_FLAG_MMAP would copy a flat index; this flag maps it.
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def search(self, queries: Vectors, count: int) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Scores and row numbers, best first."""
        count = min(count, len(self))
        if count <= 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), count)
        return scores, rows

    def save(self, path: Path) -> None:
        """Write the index to `path`."""
        faiss.write_index(self._index, str(path))
