"""Limits: so many of something per minute and client, counted in Redis (without it nothing is), and so many at once."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
import structlog

from services.core.errors import TooManyRequests, Unavailable

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
BUSY = "现在使用的人太多，请稍后再试"


@dataclass(frozen=True)
class PerAddress:
    """What is let through from one address, counted in the database (`tallies`): by the hour, `identifiers` by the day.

    Many share one: a neighbourhood behind its router, an office, a hall. So these bound what a machine can do, far
    above what hundreds of people do; what one person may do is bounded by conversation.
    """

    alarms: int = 10
    additions: int = 300
    wrong_guesses: int = 100
    identifiers: int = 400


def count_against(client: redis.Redis, *, what: str, who: str, limit: int) -> None:
    """Count one more `what` by `who` in the present minute. Raises TooManyRequests past `limit`."""
    key = f"huiying:limit:{what}:{who}"
    try:
        with client.pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, WINDOW_SECONDS, nx=True)
            count = int(pipeline.execute()[0])
    except redis.RedisError as error:
        log.warning("limit not checked", what=what, kind=type(error).__name__)
        return
    if count > limit:
        raise TooManyRequests("请求过于频繁，请一分钟后再试")


# One call is one member of a sorted set, scored with its moment by the server's clock (microseconds), so that all
# replicas agree. Returns microseconds to wait; 0 means that the call has been counted.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    return oldest[2] + window - now
end
redis.call('ZADD', KEYS[1], now, now .. ':' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return 0
"""


class SharedRate:
    """At most so many calls in any window of time, over all processes that share a Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._take = client.register_script(_TAKE)

    def take(self, what: str, *, calls: int, seconds: float) -> float:
        """Count one call of `what` now; returns 0, or how many seconds to wait when the window is full."""
        try:
            wait = self._take(
                keys=[f"huiying:rate:{what}"], args=[calls, int(seconds * 1_000_000), secrets.token_hex(4)]
            )
        except redis.RedisError as error:
            log.warning("rate not checked", what=what, kind=type(error).__name__)
            return 0.0
        return max(int(wait), 0) / 1_000_000


class Gate:
    """Lets so many threads of this process in at once and so many more wait, none for longer than `seconds`.

        with gate.turn():
            ...                     # costly work

    For work that would take the machine or all threads of the server, if as much of it were begun as is asked for.
    """

    def __init__(self, *, at_once: int, waiting: int, seconds: float) -> None:
        self._free = threading.Semaphore(at_once)
        self._here = threading.Semaphore(at_once + waiting)
        self._seconds = seconds

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises Unavailable, with a time to come back: at once when too many wait, else when no turn comes."""
        if not self._here.acquire(blocking=False):
            raise Unavailable(BUSY)
        try:
            if not self._free.acquire(timeout=self._seconds):
                raise Unavailable(BUSY)
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._here.release()
