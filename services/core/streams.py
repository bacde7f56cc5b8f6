"""Server-sent events in bounds: so many streams of one conversation, so many of one process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.core.errors import TooManyRequests, Unavailable

PER_OWNER = 5
IN_ALL = 2000
RETRY_SECONDS = 30


class Streams:
    """Counts the open streams of this process; used on the event loop only."""

    def __init__(self, *, per_owner: int = PER_OWNER, in_all: int = IN_ALL) -> None:
        self._per_owner = per_owner
        self._in_all = in_all
        self._open: Counter[str] = Counter()

    def check(self, owner: str) -> None:
        """Raises TooManyRequests when `owner` has as many as anybody may, Unavailable when the process has."""
        if self._open[owner] >= self._per_owner:
            raise TooManyRequests("这个会话打开的页面太多，请关闭其他页面", retry_after=RETRY_SECONDS)
        if self._open.total() >= self._in_all:
            raise Unavailable("在线人数较多，新消息会稍慢显示", retry_after=RETRY_SECONDS)

    @contextmanager
    def hold(self, owner: str) -> Iterator[None]:
        """One stream of `owner`, for as long as it is open."""
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]

    def __len__(self) -> int:
        return self._open.total()
