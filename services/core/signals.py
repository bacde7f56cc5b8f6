"""Wake-up hints over Redis: "something is new", never the news itself.

A hint may be lost; whoever waits for one looks into the database anyway every few seconds. So a failed publish
is logged and forgotten.
"""

import asyncio
import contextlib
import queue
import threading
from collections import defaultdict
from collections.abc import AsyncIterator

import redis
import redis.asyncio
import structlog

log = structlog.get_logger(__name__)

CONVERSATION = "huiying:wake:conversation:"
OUTBOX = "huiying:wake:outbox"
KNOWLEDGE = "huiying:wake:knowledge"
# Before whom a notice was for: user:NAME, role:NAME, department:NAME.
STAFF = "huiying:wake:staff:"
SOCKET_TIMEOUT = 2.0
RECONNECT_SECONDS = 1.0
OUTGOING_LIMIT = 1000


def connect(url: str) -> redis.Redis:
    """A synchronous client with bounded waits."""
    return redis.Redis.from_url(
        url, socket_timeout=SOCKET_TIMEOUT, socket_connect_timeout=SOCKET_TIMEOUT, decode_responses=True
    )


class Signals:
    """Publishes hints, and hands those of conversations, staff and the knowledge base to waiters of this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.client = connect(url)
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outgoing: queue.Queue[str | None] = queue.Queue(OUTGOING_LIMIT)
        self._sender: threading.Thread | None = None
        # Whether hints of other processes arrive just now.
        self.hears = False

    def publish(self, channel: str) -> None:
        """Hint at `channel`, in this process at once and in the others through Redis. Callable from any thread.

        Where `run` runs nobody waits for Redis: a thread of its own sends the hints.
        """
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, channel)
        if self._sender is None:
            self._send({channel})
            return
        try:
            self._outgoing.put_nowait(channel)
        except queue.Full:
            log.warning("hint not published", kind="Full")

    def _send(self, channels: set[str]) -> None:
        try:
            with self.client.pipeline(transaction=False) as pipeline:
                for channel in channels:
                    pipeline.publish(channel, "1")
                pipeline.execute()
        except redis.RedisError as error:
            log.warning("hint not published", kind=type(error).__name__)

    def _send_all(self) -> None:
        """Send hints as they come until a None; those that came meanwhile go together, each channel once."""
        while True:
            waiting = [self._outgoing.get()]
            with contextlib.suppress(queue.Empty):
                while len(waiting) < OUTGOING_LIMIT:
                    waiting.append(self._outgoing.get_nowait())
            channels = {channel for channel in waiting if channel is not None}
            if channels:
                self._send(channels)
            if None in waiting:
                return

    @contextlib.asynccontextmanager
    async def listen(self, *channels: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever a hint for one of `channels` arrives; the listener clears it."""
        event = asyncio.Event()
        for channel in channels:
            self._waiters[channel].add(event)
        try:
            yield event
        finally:
            for channel in channels:
                self._waiters[channel].discard(event)
                if not self._waiters[channel]:
                    del self._waiters[channel]

    def _wake(self, channel: str) -> None:
        for event in self._waiters.get(channel, ()):
            event.set()

    async def run(self) -> None:
        """Receive hints of other processes until cancelled; reconnects by itself."""
        self._loop = asyncio.get_running_loop()
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_all, name="hints", daemon=True)
            self._sender.start()
        while True:
            client = redis.asyncio.Redis.from_url(
                self._url, socket_connect_timeout=SOCKET_TIMEOUT, health_check_interval=10, decode_responses=True
            )
            try:
                async with client, client.pubsub() as pubsub:
                    await pubsub.psubscribe(CONVERSATION + "*", STAFF + "*", KNOWLEDGE)
                    self.hears = True
                    while True:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5.0)
                        if message is not None:
                            self._wake(message["channel"])
            except (redis.RedisError, OSError) as error:
                self.hears = False
                log.warning("hints interrupted", kind=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    def close(self) -> None:
        """Send what is still to be sent, within a bounded time."""
        if self._sender is not None:
            with contextlib.suppress(queue.Full):
                self._outgoing.put(None, timeout=SOCKET_TIMEOUT)
            self._sender.join(timeout=SOCKET_TIMEOUT)
        self.client.close()
