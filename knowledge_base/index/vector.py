"""What the search asks of a vector index."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors

# From so many scores on every _SAMPLE-th is looked at first, to guess where _AMPLE times the wanted ones begin.
_SAMPLED_FROM = 4_096
_SAMPLE = 16
_AMPLE = 4


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


def highest(scores: Vectors, count: int) -> npt.NDArray[np.int64]:
    """Rows of the `count` highest of `scores` above 0 (fewer when there are not so many), in no order."""
    rows = np.empty(0, dtype=np.int64)
    if len(scores) >= _SAMPLED_FROM:
        # A sample tells about where the wanted ones begin, so that the many far below need not be put in any order.
        sample = scores[::_SAMPLE]
        place = max(0, len(sample) - 1 - count * _AMPLE // _SAMPLE)
        rows = np.flatnonzero(scores > max(0.0, float(np.partition(sample, place)[place])))
    if len(rows) < count:
        rows = np.flatnonzero(scores > 0)
    return rows if len(rows) <= count else rows[np.argpartition(scores[rows], -count)[-count:]]


def only(allowed: npt.NDArray[np.bool_]) -> Any:
    """What FAISS calls a selector: the rows that the mask marks."""
    selector: Any = faiss.IDSelectorBitmap
    return selector(np.packbits(allowed, bitorder="little"))
