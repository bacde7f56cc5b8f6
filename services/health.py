"""What is up and what is down, for `/readyz` and `huiying doctor`."""

from typing import Any

import anyio
import anyio.to_thread
import httpx
import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.container import Container
from services.worker import HEARTBEAT_KEY

PROBE_SECONDS = 2.0
UP = "up"
# Without these two no message can be answered at all; the others only take something away.
ESSENTIAL = ("database", "knowledge")


async def check(container: Container) -> dict[str, Any]:
    """{status: ready|degraded|down, checks: {part: {status, detail?}}}; each probe is bounded by two seconds."""
    settings = container.settings
    checks = {
        "database": await anyio.to_thread.run_sync(_database, container),
        "redis": await anyio.to_thread.run_sync(_redis, container),
        "knowledge": _knowledge(container),
        "worker": await anyio.to_thread.run_sync(_worker, container),
    }
    async with httpx.AsyncClient(timeout=PROBE_SECONDS) as client:
        checks["rasa"] = await _http(client, settings.rasa_url, "/webhooks/huiying/")
        checks["actions"] = await _http(client, settings.action_url, "/health")
        if settings.sandbox_url:
            checks["sandbox"] = await _http(client, settings.sandbox_url, "/healthz")
    down = [name for name, result in checks.items() if result["status"] != UP]
    status = "ready" if not down else ("down" if any(name in ESSENTIAL for name in down) else "degraded")
    return {"status": status, "checks": checks}


async def systems(container: Container) -> dict[str, str]:
    """What the probe of each departmental system finds, by kind: up, down, or `no probe`; each bounded in time."""
    found: dict[str, str] = {}
    gateway = container.gateway

    async def one(kind: str) -> None:
        if gateway.connectors[kind].probe is None:
            found[kind] = "no probe"
            return
        with anyio.move_on_after(PROBE_SECONDS):
            found[kind] = UP if await gateway.probe(kind) else "down"
        found.setdefault(kind, "down")

    async with anyio.create_task_group() as group:
        for kind in gateway.connectors:
            group.start_soon(one, kind)
    await gateway.aclose()
    return dict(sorted(found.items()))


def _database(container: Container) -> dict[str, str]:
    try:
        with container.database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return _down(error)
    return {"status": UP}


def _redis(container: Container) -> dict[str, str]:
    try:
        container.signals.client.ping()
    except redis.RedisError as error:
        return _down(error)
    return {"status": UP}


def _worker(container: Container) -> dict[str, str]:
    try:
        beat = container.signals.client.get(HEARTBEAT_KEY)
    except redis.RedisError as error:
        return _down(error)
    return {"status": UP} if beat else {"status": "down", "detail": "no heartbeat"}


def _knowledge(container: Container) -> dict[str, str]:
    problem = container.knowledge.problem
    if problem is not None:
        return {"status": "down", "detail": problem}
    return {"status": UP, "detail": f"v{container.knowledge.version}"}


async def _http(client: httpx.AsyncClient, base: str, path: str) -> dict[str, str]:
    if not base:
        return {"status": "down", "detail": "no address configured"}
    try:
        response = await client.get(base + path)
    except httpx.HTTPError as error:
        return _down(error)
    return {"status": UP} if response.is_success else {"status": "down", "detail": f"HTTP {response.status_code}"}


def _down(error: Exception) -> dict[str, str]:
    return {"status": "down", "detail": type(error).__name__}
