"""Which vector index a base gets: exact while that is fast, a scan of short codes from then on."""

from __future__ import annotations

from pathlib import Path

import faiss

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.faiss_fastscan import GROUP, LEAST_ROWS, FaissFastScanIndex
from knowledge_base.index.faiss_flat import FaissFlatIndex

# Exact search takes some 0.13 us a row, the scan some 1 ms and little more a row. Until then exact is as fast, needs no
# build and misses nothing.
SCANNED_FROM = 8_000


def build_vector_index(vectors: Vectors) -> FaissFlatIndex | FaissFastScanIndex:
    """Index the rows of `vectors` (float32 (n, dimension), rows of length 1), by the way that suits their number."""
    count, dimension = vectors.shape
    if count < max(SCANNED_FROM, LEAST_ROWS) or dimension % GROUP:
        return FaissFlatIndex.build(vectors)
    return FaissFastScanIndex.build(vectors)


def open_vector_index(path: Path) -> FaissFlatIndex | FaissFastScanIndex:
    """Map an index file into memory; pages are shared between processes. RuntimeError when it is no index of ours."""
    # IO_FLAG_MMAP would copy these indexes; this flag maps them.
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if isinstance(index, faiss.IndexRefine) and isinstance(
        faiss.downcast_index(index.base_index), faiss.IndexIVFPQFastScan
    ):
        return FaissFastScanIndex(index)
    if isinstance(index, faiss.IndexFlat):
        return FaissFlatIndex(index)
    raise RuntimeError(f"{path.name} holds a {type(index).__name__}")
