"""The bundled model, unpacked once for all runs, and the embeddings that any run has made (tests/e2e keeps them)."""

from pathlib import Path

import pytest

from knowledge_base import Embedder, SqliteEmbeddingCache, load_embedder

VAR = Path(__file__).resolve().parents[2] / "var"


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder(None, VAR / "models")


@pytest.fixture(scope="session")
def embeddings() -> SqliteEmbeddingCache:
    return SqliteEmbeddingCache(VAR / "embeddings.db")
