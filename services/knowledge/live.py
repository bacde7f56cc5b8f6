"""The snapshot that a process answers from."""

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from knowledge_base import (
    Embedder,
    IndexMismatch,
    KnowledgeBase,
    KnowledgeBaseError,
    Reranker,
    SnapshotDamaged,
    Synonyms,
)
from knowledge_base.snapshot import check_model, read_manifest
from services.core.database import Database
from services.knowledge import repository

log = structlog.get_logger(__name__)

# Versions that stay open beside the live one: mapped files, so that going back to one takes no time.
KEPT = 3


def snapshot_directory(root: Path, version: int) -> Path:
    """Where a published version lies below the knowledge folder."""
    return root / f"v{version:06d}"


def is_usable(root: Path, version: int, embedder: Embedder) -> bool:
    """Whether a published version is there, of a format that this release reads, and made with this model."""
    try:
        check_model(read_manifest(snapshot_directory(root, version)), embedder.identity, embedder.dimension)
    except (SnapshotDamaged, IndexMismatch):
        return False
    return True


class LiveKnowledge:
    """The snapshot that this process answers from; `refresh` switches to the active version without a pause.

    A search holds a reference to the snapshot that it started with, so a switch never mixes two versions. Versions that
    stand on the same base share it.
    """

    def __init__(
        self,
        database: Database,
        embedder: Callable[[], Embedder],
        root: Path,
        reranker: Callable[[], Reranker | None] = lambda: None,
        synonyms: Callable[[], Synonyms | None] = lambda: None,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._root = root
        self._reranker = reranker
        self._synonyms = synonyms
        self._current: tuple[int, KnowledgeBase] | None = None
        self._kept: dict[int, KnowledgeBase] = {}
        # Guards opening; a search never waits for it.
        self._lock = threading.RLock()
        self.problem: str | None = "知识库尚未加载"

    def refresh(self) -> bool:
        """Follow the active version; True when it changed. A version that cannot be opened leaves the old one live."""
        with self._lock:
            with self._database.unit_of_work(read_only=True) as uow:
                wanted = repository.active_version(uow.session)
            if wanted is None:
                self.problem = "知识库尚未发布"
                return False
            if self._current is not None and self._current[0] == wanted:
                self.problem = None
                return False
            try:
                opened = self.open(wanted)
            except KnowledgeBaseError as error:
                if self.problem != str(error):
                    log.error("snapshot not opened", version=wanted, kind=type(error).__name__)
                self.problem = str(error)
                return False
            self._current = (wanted, opened)
            self.problem = None
        log.info("snapshot live", version=wanted, entries=len(opened), answers_pending=opened.answers_pending)
        return True

    def open(self, version: int) -> KnowledgeBase:
        """A published version, opened at most once while it is among the last few. KnowledgeBaseError."""
        with self._lock:
            opened = self._kept.pop(version, None)
            if opened is None:
                directory = snapshot_directory(self._root, version)
                share = tuple(self._kept.values())
                opened = self._opened(directory, share, check=True)
            self._keep(version, opened)
            return opened

    def adopt(self, version: int, built: KnowledgeBase) -> None:
        """Keep a version that this process has just built, so that its files need not be checked again."""
        with self._lock:
            self._keep(version, self._opened(built.directory, (built,), check=False))

    def _opened(self, directory: Path, share: tuple[KnowledgeBase, ...], *, check: bool) -> KnowledgeBase:
        return KnowledgeBase.open(
            directory,
            self._embedder(),
            check=check,
            reranker=self._reranker(),
            synonyms=self._synonyms(),
            share=share,
        )

    def _keep(self, version: int, opened: KnowledgeBase) -> None:
        self._kept.pop(version, None)
        self._kept[version] = opened
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def snapshot(self) -> tuple[int, KnowledgeBase] | None:
        """The live version with its number, both of the same moment."""
        return self._current

    @property
    def current(self) -> KnowledgeBase | None:
        live = self._current
        return live[1] if live else None

    @property
    def version(self) -> int | None:
        live = self._current
        return live[0] if live else None
