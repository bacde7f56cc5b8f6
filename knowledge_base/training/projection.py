"""Fit the bundled model to citizens' questions: a linear map after pooling, learned from labelled pairs.

The map stays near the identity (ridge penalty) and is the same for questions and passages, so that it carries over to
bases it has never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from knowledge_base.embedding.protocol import Embedder, Progress, Vectors

_STEPS = 200
_BATCH = 512
_LEARNING_RATE = 1e-3
_TEMPERATURE = 0.05
_PENALTY = 0.1


@dataclass(frozen=True)
class LabelledVectors:
    """Vectors of questions, the number of the entry each belongs to, and the entries' question and passage vectors."""

    questions: Vectors
    owners: npt.NDArray[np.int64]
    entry_questions: Vectors
    entry_passages: Vectors

    def of(self, entries: npt.NDArray[np.bool_]) -> LabelledVectors:
        """Only the entries under the mask, and their questions."""
        kept = entries[self.owners]
        renumbered = np.cumsum(entries) - 1
        return LabelledVectors(
            self.questions[kept],
            renumbered[self.owners[kept]],
            self.entry_questions[entries],
            self.entry_passages[entries],
        )


def fit_projection(data: LabelledVectors, seed: int) -> Vectors:
    """The map as a float32 matrix M (dimension, dimension); a vector v becomes M @ v, scaled to length 1.

    Softmax over all entries: each question must come nearest to its own entry's question and passage.
    """
    generator = torch.Generator().manual_seed(seed)
    questions, owners = torch.from_numpy(data.questions), torch.from_numpy(data.owners)
    wanted = [torch.from_numpy(data.entry_questions), torch.from_numpy(data.entry_passages)]
    change = torch.zeros(questions.shape[1], questions.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([change], lr=_LEARNING_RATE)
    for _ in range(_STEPS):
        batch = torch.randint(len(questions), (_BATCH,), generator=generator)
        left = _project(questions[batch], change)
        loss = _PENALTY * (change**2).sum()
        for side in wanted:
            loss = loss + functional.cross_entropy(left @ _project(side, change).T / _TEMPERATURE, owners[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    matrix: Vectors = (torch.eye(len(change)) + change.detach().T).numpy()
    return matrix


def first_places(data: LabelledVectors) -> float:
    """Share of questions that come nearest to their own entry, question and passage added."""
    scores = data.questions @ (data.entry_questions + data.entry_passages).T
    return float((scores.argmax(axis=1) == data.owners).mean())


def project(vectors: Vectors, matrix: Vectors) -> Vectors:
    """Apply the map to the rows of `vectors`; rows of length 1."""
    moved = vectors @ matrix.T
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return moved


class ProjectedEmbedder:
    """An embedder whose vectors go through a map; remembers the texts it has seen."""

    def __init__(self, embedder: Embedder, memory: dict[tuple[str, str], Vectors]) -> None:
        self._embedder = embedder
        self._memory = memory
        self.matrix: Vectors = np.eye(embedder.dimension, dtype=np.float32)

    @property
    def identity(self) -> str:
        """Changes with the map."""
        return f"{self._embedder.identity}*{abs(hash(self.matrix.tobytes())):x}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions."""
        self._learn("query", texts)
        return project(np.stack([self._memory["query", text] for text in texts]), self.matrix)

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Embed passages."""
        self._learn("passage", texts)
        return project(np.stack([self._memory["passage", text] for text in texts]), self.matrix)

    def _learn(self, kind: str, texts: Sequence[str]) -> None:
        new = sorted({text for text in texts if (kind, text) not in self._memory})
        if new:
            embed = self._embedder.embed_queries if kind == "query" else self._embedder.embed_passages
            self._memory.update(((kind, text), vector) for text, vector in zip(new, embed(new), strict=True))


def _project(vectors: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    return functional.normalize(vectors + vectors @ change, dim=1)
