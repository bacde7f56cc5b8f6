"""A clock that several processes read from one file, and that the soak moves."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = struct.Struct("<q")


class SharedClock:
    """Stands still until it is moved; `highest` is the latest moment that this process has set it to."""

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        if start is not None:
            path.write_bytes(_MICROSECONDS.pack(0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _MICROSECONDS.size)
        self.path = path
        self.highest = start or EPOCH
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=_MICROSECONDS.unpack(self._shared[:])[0])

    def set(self, moment: datetime) -> None:
        self._shared[:] = _MICROSECONDS.pack((moment - EPOCH) // timedelta(microseconds=1))
        self.highest = max(self.highest, moment)

    def advance(self, by: timedelta) -> None:
        self.set(self.now() + by)
