"""Entries in the database, and the snapshots published from them.

The long part of a publish (embedding) runs outside of any transaction: a version is reserved, built aside, and then
switched to in one short transaction. Every replica follows the active version (`LiveKnowledge`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError

from knowledge_base import (
    Embedder,
    EmbeddingCache,
    Entry,
    ImportResult,
    KnowledgeBase,
    KnowledgeBaseError,
    Reranker,
    Synonyms,
)
from services.core import audit
from services.core.database import Database, UnitOfWork
from services.core.errors import BadRequest, Conflict, NotFound
from services.core.events import Event
from services.knowledge import repository
from services.knowledge.schemas import ImportReport, RowNote, SnapshotView

log = structlog.get_logger(__name__)

READY, BUILDING, FAILED = "ready", "building", "failed"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class KnowledgePublished(Event):
    """Another version is active now."""

    version: int


def snapshot_directory(root: Path, version: int) -> Path:
    """Where a published version lies below the knowledge folder."""
    return root / f"v{version:06d}"


def store_import(uow: UnitOfWork, result: ImportResult, *, actor: str, now: datetime) -> ImportReport:
    """Create or update the entries of an imported file; those that are the same already are left alone."""
    known = repository.content_hashes(uow.session)
    created = [entry for entry in result.entries if entry.id not in known]
    updated = [entry for entry in result.entries if known.get(entry.id, entry.content_hash) != entry.content_hash]
    repository.upsert(uow.session, [*created, *updated], actor, now)
    report = ImportReport(
        created=len(created),
        updated=len(updated),
        unchanged=len(result.entries) - len(created) - len(updated),
        rejected=[RowNote(row=row.row, reason=row.reason) for row in result.rejected],
        reported=[RowNote(row=note.row, reason=note.note) for note in result.reported],
    )
    counts = {"created": report.created, "updated": report.updated, "rejected": len(report.rejected)}
    audit.record(uow, actor=actor, action="knowledge.import", subject="knowledge", now=now, detail=counts)
    return report


def publish(
    database: Database,
    embedder: Embedder,
    root: Path,
    *,
    actor: str,
    now: datetime,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Build a snapshot of all entries below `root` and make it the active one; returns (version, entries).

    Raises BadRequest when there is no entry, Conflict when another publish takes the same version.
    """
    with database.unit_of_work() as uow:
        entries = repository.all_entries(uow.session)
        if not entries:
            raise BadRequest("知识库还没有条目，无法发布")
        try:
            version = repository.reserve_version(uow.session, embedder.identity, len(entries), actor, now)
            uow.commit()
        except IntegrityError:
            raise Conflict("另一个发布正在进行，请稍后再试") from None
    try:
        root.mkdir(parents=True, exist_ok=True)
        KnowledgeBase.build(
            entries,
            embedder,
            snapshot_directory(root, version),
            created_at=now,
            cache=cache,
            progress=progress,
        )
    except BaseException:
        with database.unit_of_work() as uow:
            _set_state(uow, version, FAILED)
            uow.commit()
        raise
    with database.unit_of_work() as uow:
        _set_state(uow, version, READY)
        _activate(uow, version, actor, "knowledge.publish", now)
        uow.commit()
    return version, len(entries)


def roll_back(uow: UnitOfWork, version: int, *, actor: str, now: datetime) -> None:
    """Point at an earlier (or later) published version. Raises NotFound when it was never completed."""
    row = repository.snapshot(uow.session, version)
    if row is None or row.state != READY:
        raise NotFound("没有这个已发布的版本")
    _activate(uow, version, actor, "knowledge.rollback", now)


def list_snapshots(uow: UnitOfWork, limit: int = 50) -> list[SnapshotView]:
    active = repository.active_version(uow.session)
    return [
        SnapshotView.model_validate(
            {
                "version": row.version,
                "state": row.state,
                "active": row.version == active,
                "entries": row.entries,
                "model": row.model,
                "created_at": row.created_at,
                "created_by": row.created_by,
            }
        )
        for row in repository.snapshots(uow.session, limit)
    ]


def all_entries(uow: UnitOfWork) -> list[Entry]:
    return repository.all_entries(uow.session)


def find_entries(
    uow: UnitOfWork, text: str, department: str | None, limit: int, offset: int
) -> tuple[list[Entry], int]:
    entries, total = repository.entry_page(uow.session, text, department, limit, offset)
    return list(entries), total


def active_version(uow: UnitOfWork) -> int | None:
    return repository.active_version(uow.session)


def _set_state(uow: UnitOfWork, version: int, state: str) -> None:
    row = repository.snapshot(uow.session, version)
    if row is not None:
        row.state = state


def _activate(uow: UnitOfWork, version: int, actor: str, action: str, now: datetime) -> None:
    repository.activate(uow.session, version)
    audit.record(uow, actor=actor, action=action, subject=f"knowledge:v{version}", now=now)
    uow.collect(KnowledgePublished(version))


class LiveKnowledge:
    """The snapshot that this process answers from; `refresh` switches to the active version without a pause.

    A search holds a reference to the snapshot that it started with, so a switch never mixes two versions.
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
        self.problem: str | None = "知识库尚未加载"

    def refresh(self) -> bool:
        """Follow the active version; True when it changed. A version that cannot be opened leaves the old one live."""
        with self._database.unit_of_work(read_only=True) as uow:
            wanted = repository.active_version(uow.session)
        if wanted is None:
            self.problem = "知识库尚未发布"
            return False
        if self._current is not None and self._current[0] == wanted:
            return False
        try:
            opened = KnowledgeBase.open(
                snapshot_directory(self._root, wanted),
                self._embedder(),
                reranker=self._reranker(),
                synonyms=self._synonyms(),
            )
        except KnowledgeBaseError as error:
            if self.problem != str(error):
                log.error("snapshot not opened", version=wanted, kind=type(error).__name__)
            self.problem = str(error)
            return False
        self._current = (wanted, opened)
        self.problem = None
        log.info("snapshot live", version=wanted, entries=len(opened))
        return True

    @property
    def current(self) -> KnowledgeBase | None:
        return self._current[1] if self._current else None

    @property
    def version(self) -> int | None:
        return self._current[0] if self._current else None
