"""Errors that callers of the library tell apart. Messages are Chinese: editors read them."""

from __future__ import annotations


class KnowledgeBaseError(Exception):
    """Base of every error that this library raises on purpose."""


class ModelUnavailable(KnowledgeBaseError):
    """The embedding model cannot be loaded (not installed, not found, not readable)."""


class IndexMismatch(KnowledgeBaseError):
    """A snapshot was built with another model or dimension than the one at hand."""

    def __init__(self, built_with: str, current: str) -> None:
        super().__init__(f"索引由模型 {built_with} 建立，当前模型是 {current}，请重新发布")
        self.built_with = built_with
        self.current = current


class SnapshotDamaged(KnowledgeBaseError):
    """A snapshot folder is missing, incomplete or its checksums do not match."""


class ImportRejected(KnowledgeBaseError):
    """A whole file cannot be read (unknown format, unreadable, no header); single bad rows do not raise."""


class EmbedderBusy(KnowledgeBaseError):
    """More questions wait for the embedding model than it can answer in time."""
