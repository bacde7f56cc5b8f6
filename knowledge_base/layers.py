"""A snapshot of two layers: an immutable base and, above it, a small delta of recent edits.

The delta names the base that it belongs to and the rows of it that it replaces. Search sees one set of rows: those of
the base, of which the replaced ones are never found, followed by those of the delta. The base stays mapped and is
shared by every version that stands on it, so that opening the next version costs no more than its delta.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.entry import Entry
from knowledge_base.errors import SnapshotDamaged
from knowledge_base.index.lexical import LexicalIndex
from knowledge_base.index.vector import VectorIndex
from knowledge_base.snapshot import BaseReference, Manifest, Parts, manifest_digest, read_manifest, read_parts, verify


@dataclass(frozen=True)
class Layers:
    """An opened snapshot. `parts` is what search sees; `removed` are the rows of the base that the delta replaces."""

    reference: BaseReference
    base_manifest: Manifest
    base: Parts
    delta: Parts | None
    removed: npt.NDArray[np.int64]
    parts: Parts
    answers_pending: int

    @property
    def live(self) -> npt.NDArray[np.bool_]:
        """Which rows of `parts` are entries of this version."""
        mask = np.ones(len(self.parts.columns), dtype=np.bool_)
        mask[self.removed] = False
        return mask

    @property
    def delta_size(self) -> int:
        """How many entries were added, edited or removed since the base was built."""
        return self.delta_size_after(frozenset(), frozenset())

    def delta_size_after(self, changed: frozenset[str], removed: frozenset[str]) -> int:
        """What `delta_size` becomes when these ids change or go."""
        ids = self.base.columns.ids
        own = set(self.delta.columns.ids) if self.delta is not None else set()
        lost = {ids[row] for row in self.removed}
        known = set(ids) if removed - own else set()
        return len(((own | changed) - removed) | lost | (removed & known))


def open_layers(directory: Path, manifest: Manifest, *, check: bool, share: Layers | None = None) -> Layers:
    """Open the snapshot `directory`; its base is taken from `share` when that stands on the same one.

    SnapshotDamaged when a layer is missing, altered or not the one that the delta was made for.
    """
    if manifest.base is None:
        reference = BaseReference(directory.name, manifest_digest(directory))
        own = share.base if share is not None and share.reference == reference else _opened(directory, manifest, check)
        nothing = np.empty(0, dtype=np.int64)
        return Layers(reference, manifest, own, None, nothing, own, manifest.answers_pending)
    own = _opened(directory, manifest, check)
    reference = BaseReference(manifest.base, manifest.base_digest or "")
    if share is not None and share.reference == reference:
        base_manifest, base = share.base_manifest, share.base
    else:
        base_directory = directory.parent / reference.name
        base_manifest = read_manifest(base_directory)
        if base_manifest.base is not None or manifest_digest(base_directory) != reference.digest:
            raise SnapshotDamaged(f"快照 {directory.name} 所依据的 {reference.name} 已被改动，请重新发布")
        base = _opened(base_directory, base_manifest, check)
    removed = own.removed
    if len(removed) and not 0 <= int(removed.min()) <= int(removed.max()) < len(base.columns):
        raise SnapshotDamaged(f"快照 {directory.name} 与 {reference.name} 不一致，请重新发布")
    pending = base_manifest.answers_pending + manifest.answers_pending
    return Layers(reference, base_manifest, base, own, removed, _together(base, own, removed), pending)


def _opened(directory: Path, manifest: Manifest, check: bool) -> Parts:
    if check:
        verify(directory, manifest)
    return read_parts(directory, manifest)


def _together(base: Parts, delta: Parts, removed: npt.NDArray[np.int64]) -> Parts:
    wordings = _wordings_of(base.wording_starts, removed)
    return Parts(
        entries=LayeredEntries(base.entries, delta.entries),
        columns=base.columns.followed_by(delta.columns),
        wording_starts=np.concatenate([base.wording_starts, delta.wording_starts[1:] + base.wording_starts[-1]]),
        answer_groups=np.concatenate([base.answer_groups, delta.answer_groups]),
        answer_hashes=np.concatenate([base.answer_hashes, delta.answer_hashes]),
        removed=removed,
        question_vectors=LayeredVectors(base.question_vectors, delta.question_vectors),
        answer_vectors=LayeredVectors(base.answer_vectors, delta.answer_vectors),
        questions=LayeredVectorIndex(base.questions, delta.questions, wordings),
        answers=LayeredVectorIndex(base.answers, delta.answers, removed),
        lexical=LayeredLexicalIndex(base.lexical, delta.lexical, removed),
        lexical_answer=LayeredLexicalIndex(base.lexical_answer, delta.lexical_answer, removed),
        sound=LayeredLexicalIndex(base.sound, delta.sound, removed),
        ranker=base.ranker,
    )


def _wordings_of(starts: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    parts = [np.arange(starts[row], starts[row + 1], dtype=np.int64) for row in rows]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


class LayeredEntries(Sequence[Entry]):
    """Entries by row: those of the base, then those of the delta."""

    def __init__(self, base: Sequence[Entry], delta: Sequence[Entry]) -> None:
        self._base, self._delta, self._split = base, delta, len(base)

    def __len__(self) -> int:
        return self._split + len(self._delta)

    def __getitem__(self, row: int) -> Entry:  # type: ignore[override]  # no slices
        return self._base[row] if row < self._split else self._delta[row - self._split]


class LayeredVectors:
    """Vectors by row (float16) of both layers, gathered without copying the base."""

    def __init__(self, base: Any, delta: Any) -> None:
        self._base, self._delta, self._split = base, delta, len(base)

    def __len__(self) -> int:
        return self._split + len(self._delta)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """The vectors of `rows` (integers of any order), shape (len(rows), dimension)."""
        rows = np.asarray(rows, dtype=np.int64)
        above = rows >= self._split
        gathered = np.empty((len(rows), self._base.shape[1]), dtype=np.float16)
        gathered[~above] = self._base[rows[~above]]
        gathered[above] = self._delta[rows[above] - self._split]
        return gathered


class LayeredVectorIndex:
    """VectorIndex over both layers; rows of the base in `removed` are never found."""

    def __init__(self, base: VectorIndex, delta: VectorIndex, removed: npt.NDArray[np.int64]) -> None:
        self._base, self._delta, self._split = base, delta, len(base)
        self._removed = np.zeros(len(base), dtype=np.bool_)
        self._removed[removed] = True
        self._gone = len(removed)

    def __len__(self) -> int:
        return self._split + len(self._delta)

    def search(
        self, queries: Vectors, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Scores and row numbers, best first, of rows in the mask `allowed`; -1 beyond the last."""
        if count <= 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        below_allowed = None if allowed is None else allowed[: self._split] & ~self._removed
        # Replaced rows may stand in front; at most `count` more are asked for, which bounds the cost.
        below_scores, below = self._base.search(queries, count + min(self._gone, count), below_allowed)
        if self._gone:
            gone = (below >= 0) & self._removed[np.maximum(below, 0)]
            below = np.where(gone, -1, below)
        above_scores, above = self._delta.search(queries, count, None if allowed is None else allowed[self._split :])
        rows = np.concatenate([below, np.where(above >= 0, above + self._split, -1)], axis=1)
        scores = np.concatenate([below_scores, above_scores], axis=1)
        scores = np.where(rows >= 0, scores, -np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def save(self, path: Path) -> None:
        """Layers are written one by one, never together."""
        raise NotImplementedError


class LayeredLexicalIndex:
    """Lexical scores of both layers; rows of the base in `removed` score nothing.

    The delta was weighed with the statistics of the base, so that scores of both compare.
    """

    def __init__(self, base: LexicalIndex, delta: LexicalIndex, removed: npt.NDArray[np.int64]) -> None:
        self._base, self._delta, self._removed = base, delta, removed

    def scores(self, text: str) -> tuple[Vectors, float]:
        """The score of every row, and the total rarity of the text."""
        below, total = self._base.scores(text)
        below[self._removed] = 0.0
        above, _ = self._delta.scores(text)
        return np.concatenate([below, above]), total
