"""What is up and what is down, for `/readyz` and `huiying doctor`."""

from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import httpx
import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.cases import service as cases
from services.container import Container
from services.core.errors import HuiyingError
from services.worker import HEARTBEAT_KEY

PROBE_SECONDS = 0.8
SYSTEM_SECONDS = 2.0
# Probes have threads of their own: those that hang keep none from a citizen's request.
PROBE_THREADS = 8
UP = "up"
# Without these two no message can be answered at all; the others only take something away.
ESSENTIAL = ("database", "knowledge")


async def check(container: Container) -> dict[str, Any]:
    """{status: ready|degraded|down, checks: {part: {status, detail?}}}, within a second: all probes run at once, and
    none of them writes."""
    settings = container.settings
    checks: dict[str, dict[str, str]] = {}
    threads = anyio.CapacityLimiter(PROBE_THREADS)

    async def probe(name: str, look: Callable[[Container], dict[str, str]]) -> None:
        checks[name] = {"status": "down", "detail": "no answer"}
        with anyio.move_on_after(PROBE_SECONDS):
            checks[name] = await anyio.to_thread.run_sync(look, container, abandon_on_cancel=True, limiter=threads)

    async def ask(name: str, client: httpx.AsyncClient, base: str, path: str) -> None:
        checks[name] = await _http(client, base, path)

    parts = {"rasa": (settings.rasa_url, "/webhooks/huiying/"), "actions": (settings.action_url, "/health")}
    if settings.sandbox_url:
        parts["sandbox"] = (settings.sandbox_url, "/healthz")
    looks = {"database": _database, "redis": _redis, "knowledge": _knowledge, "worker": _worker}
    checks.update({name: {} for name in (*looks, *parts)})
    async with httpx.AsyncClient(timeout=PROBE_SECONDS) as client, anyio.create_task_group() as group:
        for name, look in looks.items():
            group.start_soon(probe, name, look)
        for name, (base, path) in parts.items():
            group.start_soon(ask, name, client, base, path)
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
        with anyio.move_on_after(SYSTEM_SECONDS):
            found[kind] = UP if await gateway.probe(kind) else "down"
        found.setdefault(kind, "down")

    async with anyio.create_task_group() as group:
        for kind in gateway.connectors:
            group.start_soon(one, kind)
    await gateway.aclose()
    return dict(sorted(found.items()))


def tip_offs(container: Container) -> dict[str, Any]:
    """Whom the city names for confidential reports: {named: [NAME], without_account: [NAME], problem: TEXT | None}."""
    try:
        with container.database.unit_of_work(read_only=True) as uow:
            named = cases.tip_off_readers(uow)
    except (SQLAlchemyError, HuiyingError) as error:
        return {"named": [], "without_account": [], "problem": type(error).__name__}
    return {"named": list(named.able), "without_account": list(named.unable), "problem": named.problem}


def _database(container: Container) -> dict[str, str]:
    trouble = container.database.storage.trouble
    if trouble is not None:
        return {"status": "down", "detail": trouble}
    try:
        with container.database.unit_of_work(read_only=True) as uow:
            uow.session.execute(text("SELECT 1"))
    except (SQLAlchemyError, HuiyingError) as error:
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
