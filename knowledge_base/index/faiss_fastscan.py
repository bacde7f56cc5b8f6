"""Approximate search by FAISS: a scan of short codes in SIMD registers, then the exact scores of the best of them."""

from __future__ import annotations

import math
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.faiss_index import FaissIndex
from knowledge_base.index.vector import only

# The stubs of FAISS leave out what it adds at run time.
_faiss: Any = faiss
# So many numbers of a vector share a code of 4 bits. With 4 a scan of 1,000,000 jittered vectors found .976 of the
# nearest ten, with 2 all of them, in 0.1 ms more.
GROUP = 2
# A code has 16 values, which must be learned from as many rows at least.
LEAST_ROWS = 16
# The scan brings so many times the rows wanted to the exact comparison. With 4 it found .982 of the nearest hundred of
# 1,000,000, with 8 .999, with 16 all, in 0.7 ms more.
_WIDER = 8
_LEAST_COMPARED = 800
# Rows lie in 2 sqrt(n) cells. To so many rows a search looks into every cell, beyond into sqrt(_ALL / n) of them:
# rows looked at, as cells, grow with the root of the rows. Of 100,000 rows, questions and answers mixed, half of the
# cells held .9977 of the nearest hundred (.9933 of the nearest ten), a third .9959, in a quarter less time.
_ALL = 25_000
_LEARNED_FROM_PER_CELL = 50
_ROUNDS = 6
# Of so few rows that a filter leaves every exact score is computed.
_EXACT_TO = 8_000


class FaissFastScanIndex(FaissIndex):
    """VectorIndex over ``faiss.IndexIVFPQFastScan`` with its rows kept as float16 beside it for the exact scores."""

    def __init__(self, index: Any) -> None:
        """Take an inverted file of codes with the exact rows beside it."""
        super().__init__(index)
        self._cells = _faiss.downcast_index(index.base_index)
        self._rows = _faiss.downcast_index(index.refine_index)

    @classmethod
    def build(cls, vectors: Vectors) -> FaissFastScanIndex:
        """Index the rows of `vectors` (float32, rows of length 1); the same for the same rows.

        ValueError when they are fewer than LEAST_ROWS or their length is no multiple of GROUP.
        """
        count, dimension = vectors.shape
        if count < LEAST_ROWS or dimension % GROUP:
            raise ValueError(f"{count} rows of {dimension} numbers cannot be coded")
        cells = int(2 * math.sqrt(count))
        kind = f"IVF{cells},PQ{dimension // GROUP}x4fs,Refine(SQfp16)"
        index = _faiss.index_factory(dimension, kind, faiss.METRIC_INNER_PRODUCT)
        clustering = _faiss.downcast_index(index.base_index).cp
        clustering.niter = _ROUNDS
        # FAISS warns below this, which a small base has no use for.
        clustering.min_points_per_centroid = 1
        # Drawn, not every so-manieth: rows may come in a rhythm.
        drawn = min(count, max(cells * _LEARNED_FROM_PER_CELL, LEAST_ROWS))
        sample = np.sort(np.random.default_rng(0).choice(count, drawn, replace=False))
        index.train(np.ascontiguousarray(vectors[sample], dtype=np.float32))
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    def _nearest(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        share, selector = min(1.0, math.sqrt(_ALL / len(self))), None
        if allowed is not None:
            left, selector = int(np.count_nonzero(allowed)), only(allowed)
            if left <= _EXACT_TO:
                scores, rows = self._rows.search(queries, count, params=_faiss.SearchParameters(sel=selector))
                return scores, rows
            # The fewer rows a filter leaves in a cell, the more cells are looked into.
            share = min(1.0, share * len(self) / left)
        scan = _faiss.SearchParametersIVF(nprobe=math.ceil(share * self._cells.nlist), sel=selector)
        wider = min(max(_WIDER, _LEAST_COMPARED / count), len(self) / count)
        parameters = _faiss.IndexRefineSearchParameters(k_factor=wider, base_index_params=scan)
        scores, rows = self._index.search(queries, count, params=parameters)
        return scores, rows
