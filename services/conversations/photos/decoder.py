"""Has photos decoded, one at a time, each by a process that ends with it (`decode.py`)."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from services.conversations.photos import decode
from services.core.errors import Unavailable, Unprocessable

log = structlog.get_logger(__name__)

MEGABYTES = 512
# Of the processor, and by the wall clock: on a busy machine the one passes slower than the other.
PROCESSOR_SECONDS = 10
SECONDS = 20.0
# Who comes while so many wait is told to come again: each waiting one holds a thread and its upload.
MOST_WAITING = 6
WAITED_FOR = 30.0
_SCRIPT: Final = Path(decode.__file__)
# What an interpreter needs to start; nothing of our settings, among which are keys.
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")

UNREADABLE = "只收 JPG、PNG、WebP 照片或 PDF 文件，这个文件读不出来"
TOO_LARGE = "照片太大，请换一张小一些的"
TOO_LONG = "这张照片处理不了，请换一张，或截图后再发"
BUSY = "正在处理的照片较多，请稍后再发"


class Picture(NamedTuple):
    """A JPEG with nothing but the picture in it; `width` and `height` in pixels."""

    data: bytes
    width: int
    height: int


class Decoder:
    """One decoder of this process. `megabytes` of address space and seconds bound each photo.

    >>> Decoder().clean(upload)  # doctest: +SKIP
    Picture(data=b'...', width=2048, height=1536)
    """

    def __init__(
        self,
        *,
        megabytes: int = MEGABYTES,
        seconds: float = SECONDS,
        most_waiting: int = MOST_WAITING,
        waited_for: float = WAITED_FOR,
    ) -> None:
        self._megabytes = megabytes
        self._seconds = seconds
        self._waited_for = waited_for
        self._places = threading.BoundedSemaphore(1 + most_waiting)
        self._turn = threading.Lock()

    def clean(self, upload: bytes) -> Picture:
        """The photo in `upload`. Raises Unprocessable with the sentence for its citizen, Unavailable when too many
        wait."""
        if not self._places.acquire(blocking=False):
            raise Unavailable(BUSY, retry_after=5)
        try:
            if not self._turn.acquire(timeout=self._waited_for):
                raise Unavailable(BUSY, retry_after=5)
            try:
                return self._decoded(upload)
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _decoded(self, upload: bytes) -> Picture:
        command = [sys.executable, "-I", str(_SCRIPT), str(PROCESSOR_SECONDS), str(self._megabytes)]
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            done = subprocess.run(
                command, input=upload, capture_output=True, timeout=self._seconds, env=environment, check=False
            )
        except subprocess.TimeoutExpired:  # the process has been killed
            log.warning("photo refused", reason="took too long")
            raise Unprocessable(TOO_LONG) from None
        if done.returncode == decode.DONE:
            size, _, data = done.stdout.partition(b"\n")
            width, height = size.split()
            return Picture(data, int(width), int(height))
        if done.returncode == decode.UNREADABLE:
            raise Unprocessable(UNREADABLE)
        log.warning("photo refused", reason="too large" if done.returncode == decode.TOO_LARGE else "decoder died")
        raise Unprocessable(TOO_LARGE if done.returncode == decode.TOO_LARGE else TOO_LONG)
