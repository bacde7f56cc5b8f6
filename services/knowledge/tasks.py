"""What the worker does for the knowledge base: finish what a publish left for later, and clear away."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from knowledge_base import Embedder, EmbeddingCache
from services.core.database import Database
from services.core.errors import Conflict
from services.knowledge import publishing, repository
from services.knowledge.live import snapshot_directory

log = structlog.get_logger(__name__)

ACTOR = "worker"
KEPT_VERSIONS = 20
STALE = timedelta(days=1)


def finish_publication(
    database: Database,
    embedder: Callable[[], Embedder],
    root: Path,
    moment: Callable[[], datetime],
    cache: Callable[[], EmbeddingCache],
) -> bool:
    """Complete the active version when it waits for that; True when a new version went live.

    The embedding model is loaded only then. A worker that finds another one at it leaves it alone.
    """
    if not publishing.work_due(database):
        return False
    try:
        done = publishing.complete(database, embedder(), root, actor=ACTOR, moment=moment, cache=cache())
    except Conflict:
        # Somebody published in between; the next round takes that version, and the cache has what was embedded.
        log.info("publication overtaken")
        return False
    if done is not None:
        log.info("publication complete", version=done.version, entries=done.entries)
    return done is not None


def clear_old_versions(database: Database, root: Path, now: datetime) -> int:
    """Delete versions beyond the last KEPT_VERSIONS (never the active one or a base in use) and what crashed builds
    left; returns how many versions went."""

    gone = database.write(lambda uow: repository.retire(uow.session, KEPT_VERSIONS, now - STALE))
    for version in gone:
        shutil.rmtree(snapshot_directory(root, version), ignore_errors=True)
    if root.is_dir():
        for folder in root.glob(".v*-*"):
            if datetime.fromtimestamp(folder.stat().st_mtime, tz=now.tzinfo) < now - STALE:
                shutil.rmtree(folder, ignore_errors=True)
    return len(gone)
