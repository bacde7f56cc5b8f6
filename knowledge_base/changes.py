"""What changed since a version, and the delta that brings it up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from knowledge_base.columns import Columns
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache, Progress
from knowledge_base.entry import Entry
from knowledge_base.layers import Layers
from knowledge_base.writing import Answers, write_layer


@dataclass(frozen=True, slots=True)
class Change:
    """New or edited entries, and the ids of entries that are gone."""

    changed: tuple[Entry, ...]
    removed: frozenset[str]


def compare(
    columns: Columns, rows: Mapping[str, int], hashes: Mapping[str, str]
) -> tuple[frozenset[str], frozenset[str]]:
    """What differs between the entries at `rows` of `columns` and those given as {id: content_hash}.

    Returns (ids that are new or edited, ids that are gone).
    """
    ours = columns.content_hashes
    changed = frozenset(
        entry_id
        for entry_id, content_hash in hashes.items()
        if (row := rows.get(entry_id)) is None or ours[row] != content_hash
    )
    return changed, frozenset(rows.keys() - hashes.keys())


def write_delta(
    layers: Layers,
    change: Change,
    directory: Path,
    embedder: Embedder,
    *,
    created_at: datetime,
    cache: EmbeddingCache | None,
    progress: Progress | None,
    answers: Answers,
) -> None:
    """Write the version that `change` makes of `layers`, as a delta above the same base.

    Raises ValueError on duplicate ids, or when `directory` is not beside the base.
    """
    gone = {entry.id for entry in change.changed} | change.removed
    kept = [entry for entry in layers.delta.entries if entry.id not in gone] if layers.delta is not None else []
    in_base = np.flatnonzero(np.isin(np.arange(len(layers.base.columns)), layers.removed, invert=True))
    replaced = [int(row) for row in in_base if layers.base.columns.ids[row] in gone]
    write_layer(
        directory,
        [*kept, *change.changed],
        embedder,
        created_at=created_at,
        cache=cache,
        progress=progress,
        ranker=layers.base.ranker,
        answers=answers,
        base=layers.base,
        reference=layers.reference,
        removed=np.union1d(layers.removed, np.array(replaced, dtype=np.int64)),
    )
