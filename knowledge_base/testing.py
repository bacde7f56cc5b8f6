"""A deterministic embedder for fast tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from knowledge_base.embedding.protocol import Progress, Vectors


class FakeEmbedder:
    """Hashes character uni- and bigrams into a vector: texts that share characters are near each other.

    >>> FakeEmbedder().embed_queries(["身份证"]).shape
    (1, 384)
    """

    def __init__(self, dimension: int = 384, identity: str = "fake") -> None:
        self._dimension = dimension
        self._identity = identity
        self.texts_embedded = 0

    @property
    def identity(self) -> str:
        """Name of this embedder."""
        return self._identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions, the same way as passages; not counted."""
        return self._vectors(texts)

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Embed passages; `texts_embedded` counts them."""
        result = self._vectors(texts)
        if progress is not None:
            for row in range(len(texts)):
                progress(row + 1, len(texts))
        self.texts_embedded += len(texts)
        return result

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        result = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for gram in [*text, *(text[i : i + 2] for i in range(len(text) - 1))]:
                digest = hashlib.blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                result[row, int.from_bytes(digest[:4], "big") % self._dimension] += 1.0 if digest[4] % 2 else -1.0
        norms = np.linalg.norm(result, axis=1, keepdims=True)
        result /= np.maximum(norms, 1e-12)
        return result
