"""The API process: `python -m services.serve`. The web server with the limits of time that it lacks itself.

Uvicorn closes a connection that is idle after an answer, but waits for ever for the first byte of the first request and
for the rest of a request's head; a proxy in front may see to that, `make run` has none. The time of bodies and of
receivers that do not read is bounded in `services.core.request_guard`.
"""

import asyncio
import os

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.core import process
from services.core.addresses import is_loopback
from services.core.logs import configure_logging
from services.core.settings import Settings

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
KEEP_ALIVE_SECONDS = 20
# Open files besides connections: the database, Redis, logs, models.
FILES_ASIDE = 400
MOST_CONNECTIONS = 20_000


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads must come within ten seconds and 64 KB, from the first moment of a connection on."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        # What comes after an answer is the next head, or the rest of a body that nobody read.
        if self._head_timer is None and self.cycle is not None and self.cycle.response_complete:
            self._await_head()
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > HEAD_BYTES:
            self._give_up()

    def on_headers_complete(self) -> None:
        self._stop_awaiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_awaiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._stop_awaiting()
        if not self.transport.is_closing():
            self.transport.close()


def configuration(settings: Settings, files: int) -> uvicorn.Config:
    """How the web server runs, `files` being how many may be open."""
    return uvicorn.Config(
        "services.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws="none",
        # Whose X-Forwarded-For counts is the application's to say (TRUSTED_PROXIES).
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        # Idle connections cost little, so they are not what is counted here: their files are.
        limit_concurrency=max(100, min(files - FILES_ASIDE, MOST_CONNECTIONS)),
    )


def main() -> None:
    settings = Settings()
    if not settings.allowed_hosts and is_loopback(settings.host):
        # Read again by the application: no page of the internet reaches it under a name of its own (DNS rebinding).
        os.environ["ALLOWED_HOSTS"] = "127.0.0.1,localhost,::1"
    files = process.prepare(settings.var_dir)
    configure_logging("api")
    uvicorn.Server(configuration(settings, files)).run()


if __name__ == "__main__":
    main()
