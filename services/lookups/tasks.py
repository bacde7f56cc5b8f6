"""Worker jobs of lookups."""

import asyncio
from datetime import timedelta

from services.core.clock import Clock
from services.core.database import Database
from services.lookups import outages
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService

RETENTION = timedelta(days=30)


def run_pending(service: LookupService, gateway: Gateway, *, limit: int = 20) -> int:
    """Finish lookups that citizens wait for (call it every second or so); returns how many were tried.

    Runs an event loop of its own, so it must be called from a thread without one; it takes as long as the slowest
    system, up to a minute, so that thread should have nothing else to do.
    """
    if not service.due(limit=1):
        return 0

    async def sweep() -> int:
        try:
            return await service.finish_due(limit=limit)
        finally:
            await gateway.aclose()

    return asyncio.run(sweep())


def watch_systems(database: Database, gateway: Gateway, clock: Clock) -> int:
    """Look again at systems that are down, and tell whoever waits for one that is back; returns how many were told.

    For the worker, every quarter of a minute or so, from a thread without an event loop.
    """
    if outages.systems_down(database):

        async def sweep() -> None:
            try:
                await outages.look_again(database, gateway, clock)
            finally:
                await gateway.aclose()

        asyncio.run(sweep())
    return outages.tell(database, gateway.connectors, clock)


def forget_watches(database: Database, clock: Clock) -> int:
    """Forget who has waited for a week (call it once a day); returns how many."""
    return outages.forget_watches(database, clock)


def forget_old(service: LookupService) -> int:
    """Delete finished jobs after their retention (call it once a day); returns how many."""
    return service.forget_finished(older_than=RETENTION)
