"""FAQ entries in, ranked answers with calibrated confidence out. See README.md in this folder."""

from pathlib import Path

from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.cache import SqliteEmbeddingCache
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache, Progress
from knowledge_base.entry import Entry
from knowledge_base.errors import (
    EmbedderBusy,
    ImportRejected,
    IndexMismatch,
    KnowledgeBaseError,
    ModelUnavailable,
    SnapshotDamaged,
)
from knowledge_base.evaluate import OutOfScope, Query, evaluate, read_out_of_scope, read_queries
from knowledge_base.explain import Explanation, explain
from knowledge_base.formats import (
    NO_DEPARTMENT,
    ImportResult,
    Note,
    Origin,
    Rejection,
    RowError,
    SheetLeftOut,
    emptied,
    export_bytes,
    export_file,
    import_bytes,
    import_file,
    make_entry,
    onto,
)
from knowledge_base.lint import Finding, lint
from knowledge_base.markup import readable
from knowledge_base.retrieval.reranker import Reranker, load_reranker
from knowledge_base.retrieval.result import Bands, Hit, SearchResult
from knowledge_base.retrieval.synonyms import Synonyms
from knowledge_base.snapshot import Manifest
from knowledge_base.writing import Answers

__all__ = [
    "NO_DEPARTMENT",
    "Answers",
    "Bands",
    "Embedder",
    "EmbedderBusy",
    "EmbeddingCache",
    "Entry",
    "Explanation",
    "Finding",
    "Hit",
    "ImportRejected",
    "ImportResult",
    "IndexMismatch",
    "KnowledgeBase",
    "KnowledgeBaseError",
    "Manifest",
    "ModelUnavailable",
    "Note",
    "Origin",
    "OutOfScope",
    "Progress",
    "Query",
    "Rejection",
    "Reranker",
    "RowError",
    "SearchResult",
    "SheetLeftOut",
    "SnapshotDamaged",
    "SqliteEmbeddingCache",
    "Synonyms",
    "emptied",
    "evaluate",
    "explain",
    "export_bytes",
    "export_file",
    "import_bytes",
    "import_file",
    "lint",
    "load_embedder",
    "load_reranker",
    "make_entry",
    "onto",
    "read_out_of_scope",
    "read_queries",
    "readable",
]


def load_embedder(model: str | None = None, models_directory: Path | None = None) -> Embedder:
    """The embedder named by `model` (a sentence-transformers name or folder); None is the bundled offline model.

    The bundled model is unpacked below `models_directory` (var/models) on first use. Raises ModelUnavailable.
    """
    # Imported here: torch takes seconds, and much of the library works without it.
    from knowledge_base.embedding.sentence_transformer import load_embedder as load

    return load(model) if models_directory is None else load(model, models_directory)
