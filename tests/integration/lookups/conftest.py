"""The real sandbox on a real port, and a lookup service over each database."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import purgatory.domain.model
import pytest
import uvicorn

import services
from services.core.clock import FixedClock
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.lookups.connectors import Connector, load_connectors
from services.lookups.events import LookupFinished
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService
from services.sandbox.app import create_app

KEY = "integration-test-key"
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
CONNECTORS = Path(services.__file__).parent / "demo_city" / "connectors"


class Sandbox:
    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, headers={"X-Api-Key": KEY}, trust_env=False)

    def fault(self, system: str, **fault: Any) -> None:
        self._client.post("/_control", json={"system": system, **fault}).raise_for_status()

    def calls(self, system: str) -> int:
        return int(self._client.get("/_control").json()[system]["calls"])

    def heal(self) -> None:
        for system in self._client.get("/_control").json():
            self.fault(system)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    app = create_app(1, api_key=KEY, today=date(2026, 11, 21))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Sandbox(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    thread.join(5)


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Iterator[Sandbox]:
    sandbox_server.heal()
    yield sandbox_server
    sandbox_server.heal()


@pytest.fixture
def connectors(sandbox: Sandbox) -> dict[str, Connector]:
    """The demonstration city's, with waits short enough for tests and no cache."""
    loaded = load_connectors(CONNECTORS, {"sandbox_url": sandbox.url}, {"sandbox": KEY})
    return {kind: quick(one) for kind, one in loaded.items()}


def quick(connector: Connector) -> Connector:
    return connector.model_copy(
        update={
            "retry": connector.retry.model_copy(update={"first_wait": 0.001, "longest_wait": 0.002}),
            "cache_seconds": 0.0,
        }
    )


@pytest.fixture
def gateway(connectors: dict[str, Connector]) -> Gateway:
    return Gateway(connectors)


class BreakerClock:
    """The time that circuit breakers go by, which stands still until a test moves it."""

    def __init__(self) -> None:
        self._now = NOW.timestamp()

    def time(self) -> float:
        """Stands in for time.time."""
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture
def breaker_clock(monkeypatch: pytest.MonkeyPatch) -> BreakerClock:
    made = BreakerClock()
    monkeypatch.setattr(purgatory.domain.model, "time", made)
    return made


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def vault() -> dict[tuple[str, str], str]:
    """What placeholders of which conversation stand for."""
    return {}


@pytest.fixture
def finished(database: Database) -> list[LookupFinished]:
    """Events, noted only when their transaction is that of the stored result."""
    events: list[LookupFinished] = []

    def note(uow: UnitOfWork, event: LookupFinished) -> None:
        events.append(event)

    database.bus.on(LookupFinished, note)
    return events


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(["k" * 32])


@pytest.fixture
def make_service(
    database: Database, gateway: Gateway, clock: FixedClock, vault: dict[tuple[str, str], str], secrets: Secrets
) -> Callable[..., LookupService]:
    def make(**changes: Any) -> LookupService:
        def resolve(conversation_id: str, placeholder: str) -> str | None:
            return vault.get((conversation_id, placeholder))

        parts: dict[str, Any] = {
            "database": database,
            "gateway": gateway,
            "clock": clock,
            "secrets": secrets,
            "resolve": resolve,
        }
        return LookupService(**(parts | changes))

    return make


@pytest.fixture
def service(make_service: Callable[..., LookupService]) -> LookupService:
    return make_service()
