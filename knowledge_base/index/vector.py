"""What the search asks of a vector index."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors


class VectorIndex(Protocol):
    """Finds the rows nearest to a vector by inner product. Safe to search from several threads."""

    def __len__(self) -> int:
        """Number of rows."""

    def search(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Scores and row numbers, each (len(queries), <= count), best first; a row number of -1 means none.

        With `allowed` (len(self),) only the rows that it marks are found.
        """

    def save(self, path: Path) -> None:
        """Write the index to a file."""


def only(allowed: npt.NDArray[np.bool_]) -> Any:
    """What FAISS calls a selector: the rows that the mask marks."""
    selector: Any = faiss.IDSelectorBitmap
    return selector(np.packbits(allowed, bitorder="little"))
