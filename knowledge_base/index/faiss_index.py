"""What the two indexes by FAISS share: their size, their file, and how a search begins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors


class FaissIndex(ABC):
    """A VectorIndex over an index of FAISS."""

    def __init__(self, index: Any) -> None:
        """Take a trained index."""
        self._index = index

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
        return self._nearest(np.ascontiguousarray(queries, dtype=np.float32), count, allowed)

    @abstractmethod
    def _nearest(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """As `search`, with 1 <= `count` <= len(self) and contiguous float32 queries."""

    def save(self, path: Path) -> None:
        """Write the index to `path`."""
        faiss.write_index(self._index, str(path))
