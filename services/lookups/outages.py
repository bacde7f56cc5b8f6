"""Systems that are down: who wants to hear of their return, and the probes that find it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import anyio
import structlog

from services.core.clock import SHANGHAI, Clock
from services.core.database import Database, UnitOfWork
from services.lookups import rendering, repository
from services.lookups.connectors import Connector
from services.lookups.events import SystemBack
from services.lookups.gateway import Gateway

log = structlog.get_logger(__name__)

BATCH = 500
WATCH_KEPT = timedelta(days=7)
# A return at night is told in the morning.
WAKING_HOURS = (7, 22)


def watch(uow: UnitOfWork, conversation_id: str, kind: str, now: datetime) -> bool:
    """The citizen wants to be told when this system is back; False when it is not known to be down (any more)."""
    if repository.outage(uow.session, kind) is None:
        return False
    repository.add_watch(uow.session, conversation_id, kind, now)
    return True


def systems_down(database: Database) -> dict[str, datetime]:
    """Kinds whose system is known to be down, and since when."""
    with database.unit_of_work(read_only=True) as uow:
        return {one.kind: one.since for one in repository.outages(uow.session)}


async def look_again(database: Database, gateway: Gateway, clock: Clock) -> list[str]:
    """Probe the systems that are down; those that work again are not down any more. Returns their kinds.

    A system is left alone until its breaker has let calls through again: a citizen who is told that it is back can ask.
    """
    with database.unit_of_work(read_only=True) as uow:
        down = repository.outages(uow.session)
    back: list[str] = []

    async def one(kind: str, last_failure_at: datetime) -> None:
        connector = gateway.connectors.get(kind)
        if connector is not None:
            if connector.probe is None:
                return
            if clock.now() - last_failure_at < timedelta(seconds=connector.breaker.open_seconds):
                return
            if not await gateway.probe(kind):
                return
        # Also what a city has no connector for any more is not down.
        await anyio.to_thread.run_sync(_end, database, kind, last_failure_at)
        back.append(kind)

    async with anyio.create_task_group() as group:
        for outage in down:
            group.start_soon(one, outage.kind, outage.last_failure_at)
    return back


def tell(database: Database, connectors: Mapping[str, Connector], clock: Clock, *, limit: int = BATCH) -> int:
    """Tell whoever waits for a system that is back, once each; returns how many were told."""
    now = clock.now()
    if not WAKING_HOURS[0] <= now.astimezone(SHANGHAI).hour < WAKING_HOURS[1]:
        return 0
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.fulfilled_watches(uow.session, limit)
    return sum(database.write(_telling(watch_id, connectors, now)) for watch_id in ids)


def forget_watches(database: Database, clock: Clock) -> int:
    """Nobody waits for a week."""
    return database.write(lambda uow: repository.delete_watches(uow.session, before=clock.now() - WATCH_KEPT))


def _end(database: Database, kind: str, seen_failing_at: datetime) -> None:
    database.write(lambda uow: repository.end_outage(uow.session, kind, unless_failed_after=seen_failing_at))
    log.info("departmental system works again", kind=kind)


def _telling(watch_id: int, connectors: Mapping[str, Connector], now: datetime) -> Callable[[UnitOfWork], int]:
    def step(uow: UnitOfWork) -> int:
        taken = repository.take_watch(uow.session, watch_id)
        if taken is None:
            return 0
        connector = connectors.get(taken.kind)
        if connector is None:
            return 0
        text, again = rendering.system_back(connector.system), connector.texts.get("again", "")
        dedupe = f"lookup-watch:{taken.id}:{int(taken.asked_at.timestamp())}"
        uow.collect(SystemBack(taken.conversation_id, taken.kind, text, again, dedupe, now))
        return 1

    return step
