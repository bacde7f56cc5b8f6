"""Which vector index a base gets: exact while that is fast, a graph from then on."""

from __future__ import annotations

from pathlib import Path

import faiss

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.faiss_flat import FaissFlatIndex
from knowledge_base.index.faiss_hnsw import FaissHnswIndex

# Exact search takes some 0.13 us a row, the graph some 1 ms whatever the rows: they meet at 8,000. Until then exact
# is as fast, needs no build and misses nothing.
HNSW_FROM = 8_000


def build_vector_index(vectors: Vectors) -> FaissFlatIndex | FaissHnswIndex:
    """Index the rows of `vectors` (float32 (n, dimension), rows of length 1), by the way that suits their number."""
    return FaissHnswIndex.build(vectors) if len(vectors) >= HNSW_FROM else FaissFlatIndex.build(vectors)


def open_vector_index(path: Path) -> FaissFlatIndex | FaissHnswIndex:
    """Map an index file into memory; pages are shared between processes. RuntimeError when it is no index of ours."""
    # IO_FLAG_MMAP would copy these indexes; this flag maps them.
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if isinstance(index, faiss.IndexHNSWSQ):
        return FaissHnswIndex(index)
    if isinstance(index, faiss.IndexFlat):
        return FaissFlatIndex(index)
    raise RuntimeError(f"{path.name} holds a {type(index).__name__}")
