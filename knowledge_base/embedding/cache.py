"""A cache of embeddings in one SQLite file."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.protocol import Embedder, EmbeddingCache, Progress, Vectors

_KEYS_AT_ONCE = 500
_TEXTS_AT_ONCE = 256
_TABLE = "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"


def cache_key(identity: str, kind: str, text: str) -> str:
    """Key of the vector of `text` under a model: SHA-256 (hex) over identity, kind and text."""
    return hashlib.sha256("\0".join((identity, kind, text)).encode("utf-8")).hexdigest()


class SqliteEmbeddingCache:
    """EmbeddingCache in a SQLite file (write-ahead log; vectors as float16).

    Every call opens its own connection, so that threads and processes may share the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_TABLE)

    def get_many(self, keys: Sequence[str], dimension: int) -> dict[str, Vectors]:
        """The vectors that are there, by key; one of another length than `dimension` counts as absent."""
        found: dict[str, Vectors] = {}
        with self._connection() as connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                part = [bytes.fromhex(key) for key in keys[start : start + _KEYS_AT_ONCE]]
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)
                for key, blob in rows:
                    vector = np.frombuffer(blob, dtype=np.float16)
                    if vector.shape == (dimension,):
                        found[key.hex()] = vector.astype(np.float32)
        return found

    def put_many(self, vectors: Mapping[str, Vectors] | Iterable[tuple[str, Vectors]]) -> None:
        """Store vectors; a key that exists keeps its vector."""
        pairs = vectors.items() if isinstance(vectors, Mapping) else vectors
        rows = [(bytes.fromhex(key), vector.astype(np.float16).tobytes()) for key, vector in pairs]
        with self._connection() as connection:
            connection.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=60.0)) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection


def embed_passages_cached(
    embedder: Embedder, texts: Sequence[str], cache: EmbeddingCache | None, progress: Progress | None = None
) -> Vectors:
    """Embed passages, taking from `cache` what it has and storing what is new as it goes (a stopped run resumes)."""
    result = np.empty((len(texts), embedder.dimension), dtype=np.float32)
    keys = [cache_key(embedder.identity, "passage", text) for text in texts]
    known = cache.get_many(keys, embedder.dimension) if cache is not None else {}
    missing: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        vector = known.get(key)
        if vector is None:
            missing.setdefault(key, []).append(position)
        else:
            result[position] = vector
    done = len(texts) - sum(len(positions) for positions in missing.values())
    if progress is not None:
        progress(done, len(texts))
    # Texts of similar length together: batches are padded to their longest.
    todo = sorted(missing, key=lambda key: -len(texts[missing[key][0]]))
    for start in range(0, len(todo), _TEXTS_AT_ONCE):
        part = todo[start : start + _TEXTS_AT_ONCE]
        # Through float16, so that a vector is the same whether it came from the cache or not.
        fresh = embedder.embed_passages([texts[missing[key][0]] for key in part])
        vectors = fresh.astype(np.float16).astype(np.float32)
        for key, vector in zip(part, vectors, strict=True):
            result[missing[key]] = vector
            done += len(missing[key])
        if cache is not None:
            cache.put_many(list(zip(part, vectors, strict=True)))
        if progress is not None:
            progress(done, len(texts))
    return result


def cached_passages(
    embedder: Embedder, texts: Sequence[str], cache: EmbeddingCache | None
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """The vectors of `texts` that `cache` has (rows of the others are zero), and which these are. Embeds nothing."""
    result = np.zeros((len(texts), embedder.dimension), dtype=np.float32)
    keys = [cache_key(embedder.identity, "passage", text) for text in texts]
    known = cache.get_many(keys, embedder.dimension) if cache is not None else {}
    there = np.array([key in known for key in keys], dtype=np.bool_)
    for row in np.flatnonzero(there):
        result[row] = known[keys[row]]
    return result, there
