"""What the search asks of a vector index."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors


class VectorIndex(Protocol):
    """Finds the rows nearest to a vector by inner product. Safe to search from several threads."""

    def __len__(self) -> int:
        """Number of rows."""

    def search(self, queries: Vectors, count: int) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Scores and row numbers, each (len(queries), <= count), best first; a row number of -1 means none."""

    def save(self, path: Path) -> None:
        """Write the index to a file."""
