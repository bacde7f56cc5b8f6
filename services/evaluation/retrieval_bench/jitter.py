"""Vectors for more texts than a bench can wait to embed: real ones, moved a little."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from knowledge_base import Embedder, EmbeddingCache, Progress
from knowledge_base.embedding.cache import embed_passages_cached
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.writing import passage_text
from services.evaluation.retrieval_bench import texts

# Length of the noise added to a vector of length 1: the moved vector has a cosine of about .96 with the real one, as
# the nearest two of the generated questions have with each other, and two that were moved from one place .92: they are
# neighbours, not twins among which the first ten would be a matter of chance. Such places are all alike full, which
# an index by cells learns more easily than what people write: a recall measured here tells more of codes than of cells.
NOISE = 0.3
_QUESTION_CHARACTERS = 60


def jittered(base: Vectors, count: int, seed: int = 1) -> Vectors:
    """`count` unit vectors (count, dimension): the rows of `base` in turn, each with Gaussian noise of length NOISE."""
    draw = np.random.default_rng(seed)
    result = np.empty((count, base.shape[1]), dtype=np.float32)
    for start in range(0, count, 50_000):
        part = result[start : start + 50_000]
        draw.standard_normal(out=part, dtype=np.float32)
        part *= NOISE / np.sqrt(base.shape[1])
        part += base[np.arange(start, start + len(part)) % len(base)]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return result


class JitteringEmbedder:
    """Embedder whose questions go to the real model and whose passages are real for the first `base` generated entries.

    Every other passage gets the vector of one of these, moved by `jittered`: of a question or of a question with its
    answer, by its length.
    """

    def __init__(
        self, embedder: Embedder, base: int, progress: Progress | None = None, cache: EmbeddingCache | None = None
    ) -> None:
        """Embeds 2 x `base` texts, of which those in `cache` are taken from there."""
        self._embedder = embedder
        listed = list(texts.entries(base))
        known = [entry.question for entry in listed] + [passage_text(entry) for entry in listed]
        self.base = (
            embedder.embed_passages(known, progress)
            if cache is None
            else embed_passages_cached(embedder, known, cache, progress)
        )
        self._questions, self._passages = self.base[:base], self.base[base:]
        self._known = {text: row for row, text in enumerate(known)}

    @property
    def identity(self) -> str:
        """Never that of the real model: such vectors must not get into a cache."""
        return f"{self._embedder.identity}+jitter"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions by the real model."""
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Real vectors for known texts, moved ones for the others."""
        near = np.empty((len(texts), self.dimension), dtype=np.float32)
        moved = np.ones(len(texts), dtype=np.bool_)
        for row, text in enumerate(texts):
            if text in self._known:
                near[row], moved[row] = self.base[self._known[text]], False
            else:
                kind = self._questions if len(text) < _QUESTION_CHARACTERS else self._passages
                near[row] = kind[zlib.crc32(text.encode()) % len(kind)]
        if moved.any():
            seed = zlib.crc32("\n".join(texts).encode())
            near[moved] = jittered(near[moved], int(moved.sum()), seed)
        if progress is not None:
            progress(len(texts), len(texts))
        return near
