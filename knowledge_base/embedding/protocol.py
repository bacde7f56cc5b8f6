"""What the library asks of an embedding model and of a cache of its vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]


class Embedder(Protocol):
    """Turns texts into float32 vectors of length 1. Implementations are safe to call from several threads."""

    @property
    def identity(self) -> str:
        """Name of model and weights; two embedders with the same identity give interchangeable vectors."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions as citizens ask them; shape (len(texts), dimension)."""

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Embed texts of the base; `progress(done, total)` is called along the way."""


class EmbeddingCache(Protocol):
    """Keeps vectors by key (`cache_key`); safe to share between processes."""

    def get_many(self, keys: Sequence[str], dimension: int) -> dict[str, Vectors]:
        """The vectors that are there, by key."""

    def put_many(self, vectors: Mapping[str, Vectors] | Iterable[tuple[str, Vectors]]) -> None:
        """Store vectors; a key that exists keeps its vector."""
