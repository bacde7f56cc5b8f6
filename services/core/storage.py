"""Whether the database can be written to just now, as its writers find it: told apart without taking its lock.

Every write says how it went; what nobody said for a while is asked by `watch`, once a moment and process, so that no
request for the service's state ever stands in the line of the writers.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio.to_thread
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.core.errors import Unavailable

# A write that waits for longer than this says that the database is locked; others fail at once after the second.
SLOW_SECONDS = 0.4
# A long write of our own (an import) or a slow machine is not yet a locked database.
LOCKED_SECONDS = 10.0
# What failed is remembered for so long after the last failure: the repeats of those who were refused try again.
REMEMBERED_SECONDS = 5.0
WATCH_SECONDS = 0.25
FREE_BYTES = 32 * 1024 * 1024
RETRY_SECONDS = 3

LOCKED, FULL, READ_ONLY, AWAY = "locked", "disk full", "read only", "away"
# PostgreSQL: lock_not_available; disk_full; read_only_sql_transaction; statement_timeout (57014) says nothing.
STATES = {"55P03": LOCKED, "53100": FULL, "25006": READ_ONLY}
SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: AWAY,
}


class StorageUnavailable(Unavailable):
    """Nothing can be stored just now; the same request may be made again after `Retry-After` seconds."""

    def __init__(self, trouble: str) -> None:
        super().__init__("系统暂时无法保存，请稍后重试", retry_after=RETRY_SECONDS)
        self.trouble = trouble


def trouble_in(error: BaseException) -> str | None:
    """What keeps the database from storing, when this error says so; None for a mistake of the statement's own."""
    if isinstance(error, StorageUnavailable):
        return error.trouble
    if isinstance(error, PoolTimeout):
        return AWAY
    if not isinstance(error, DBAPIError):
        return None
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return SQLITE.get((getattr(original, "sqlite_errorcode", 0) or 0) & 0xFF)
    state = getattr(original, "sqlstate", None)
    if state in STATES:
        return STATES[state]
    lost = error.connection_invalidated or (state is None and isinstance(error, OperationalError | InterfaceError))
    # Class 08: connections; class 57P: the server is shut down or starts.
    return AWAY if lost or (state or "").startswith(("08", "57P")) else None


class StorageState:
    """What the writers of this process found; safe to use from any thread. Times are seconds of a monotonic clock."""

    def __init__(self, folder: Path | None, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._now = now
        self._waiting: dict[object, float] = {}
        self._failed: tuple[str, float] | None = None
        self._stored_at = float("-inf")

    @property
    def trouble(self) -> str | None:
        """Why nothing can be stored, or None."""
        if self.waited() > SLOW_SECONDS:
            return LOCKED
        failed = self._failed
        if failed is not None and self._now() - failed[1] < REMEMBERED_SECONDS:
            return failed[0]
        return FULL if self._is_full() else None

    def waited(self) -> float:
        """How long the writer in front has been waiting for the database, in seconds."""
        waiting = list(self._waiting.values())
        return self._now() - min(waiting) if waiting else 0.0

    def refuse_if_locked(self) -> None:
        """Raises StorageUnavailable once somebody has waited so long that standing in line behind it is in vain."""
        if self.waited() > LOCKED_SECONDS:
            raise StorageUnavailable(LOCKED)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait of one writer for the lock of the database."""
        key = object()
        self._waiting[key] = self._now()
        try:
            yield
        finally:
            del self._waiting[key]

    def failed(self, error: BaseException) -> None:
        """Remember an error of a write, if it says that nothing can be stored."""
        trouble = trouble_in(error)
        if trouble is not None and not isinstance(error, StorageUnavailable):
            self._failed = (trouble, self._now())

    def stored(self) -> None:
        """A write was committed: whatever was in the way is gone."""
        self._failed = None
        self._stored_at = self._now()

    def reached(self) -> None:
        """The database answered and let a writer in: what else may be in the way only a write can tell."""
        failed = self._failed
        if failed is not None and failed[0] in (LOCKED, AWAY):
            self._failed = None

    def is_quiet(self) -> bool:
        """Whether nobody has stored or tried to lately, so that nothing is known."""
        now = self._now()
        tried = self._waiting or (self._failed is not None and now - self._failed[1] < WATCH_SECONDS)
        return not tried and now - self._stored_at >= WATCH_SECONDS

    def _is_full(self) -> bool:
        if self._folder is None:
            return False
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return False
        return found.f_bavail * found.f_frsize < FREE_BYTES


async def watch(state: StorageState, probe: Callable[[], None]) -> None:
    """Try the lock of the database when nobody has said anything of it for a moment, until cancelled.

    `probe` blocks for as long as the database is locked; only one runs at a time.
    """
    alone = anyio.CapacityLimiter(1)
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if not state.is_quiet():
            continue
        try:
            await anyio.to_thread.run_sync(probe, abandon_on_cancel=True, limiter=alone)
            state.reached()
        except Exception as error:  # the state has it; this is only how it is found out
            state.failed(error)
