"""The scan over all bindings: in batches by id, resumable, by one worker at a time.

A batch is asked for outside of any transaction, the lease kept up while answers come, and stored in one: what was
found, its messages, and how far the scan is. A worker that dies leaves a lease that runs out; another goes on after the
last batch that was stored, and what was asked for twice is told once (`reminders_sent`). At night the scan stands still
where it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.bindings import keeping, repository
from services.bindings.models import Binding, Scan
from services.bindings.scan import NEWS, SOURCES, Finding, Look, look
from services.bindings.schemas import Ask, Bound
from services.citizens import service as citizens
from services.citizens.schemas import CitizensFile, ReminderKind
from services.core import audit, leases
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork

log = structlog.get_logger(__name__)

NAME = "bindings"
BATCH = 200
AT_ONCE = 20
LEASE = timedelta(minutes=3)
UNUSED_AT_ONCE = 500


@dataclass(frozen=True)
class Scanned:
    """Of one call: bindings looked at, reminders sent, those whose system was away; whether the round is over."""

    looked: int = 0
    told: int = 0
    failed: int = 0
    finished: bool = False


@dataclass(frozen=True)
class _Batch:
    """Bindings after `after_id`, with what their citizens want; `fence` is the round and place it was read at."""

    fence: tuple[int, int]
    bound: Sequence[tuple[Binding, Bound, frozenset[ReminderKind]]]
    rules: CitizensFile


async def scan(
    database: Database,
    secrets: Secrets,
    ask: Ask,
    moment: Callable[[], datetime],
    owner: str,
    *,
    batch: int = BATCH,
    at_once: int = AT_ONCE,
    go_on: Callable[[], bool] = lambda: True,
    run: Callable[..., Awaitable[object]] = asyncio.to_thread,
) -> Scanned:
    """Go on with the round that is due, batch after batch, until it is over, night falls, or `go_on` says no.

    Returns at once when no round is due or another worker has it. `owner` names this worker and no other.
    """
    looked = told = failed = 0
    while go_on():
        taken = await run(_take, database, secrets, moment(), owner, batch)
        if not isinstance(taken, _Batch):
            return Scanned(looked, told, failed)
        leased_at = now = moment()

        async def keep() -> bool:
            nonlocal leased_at
            if moment() - leased_at < LEASE / leases.RENEWED_WITHIN:
                return True
            leased_at = moment()
            at = leased_at
            return bool(await run(database.write, lambda uow: leases.renew(uow, Scan, NAME, owner, at, LEASE)))

        looks = await _look_at_all(taken, ask, now, at_once, keep)
        if looks is None:
            return Scanned(looked, told, failed)
        stored = await run(_store, database, taken, looks, moment(), owner)
        if not isinstance(stored, Scanned):
            return Scanned(looked, told, failed)
        looked, told, failed = looked + stored.looked, told + stored.told, failed + stored.failed
        if stored.finished:
            log.info("bindings scanned", looked=looked, told=told, failed=failed)
            return Scanned(looked, told, failed, finished=True)
    return Scanned(looked, told, failed)


def remove_unused(database: Database, now: datetime) -> int:
    """Delete bindings that nobody used for as long as the city says; returns how many."""

    def step(uow: UnitOfWork) -> int:
        before = now - timedelta(days=citizens.load_rules(uow).bindings.unused_days)
        stale = repository.unused(uow.session, before, UNUSED_AT_ONCE)
        for citizen, binding_id in stale:
            keeping.unbind(uow, citizen=citizen, binding_id=binding_id, now=now, actor="system")
        return len(stale)

    return database.write(step)


async def _look_at_all(
    taken: _Batch, ask: Ask, now: datetime, at_once: int, keep: Callable[[], Awaitable[bool]]
) -> list[Look] | None:
    """None as soon as `keep`, asked before each look, says that another worker has the scan now."""
    today = now.astimezone(SHANGHAI).date()
    gate = asyncio.Semaphore(at_once)
    lost = False

    async def one(bound: Bound, wanted: frozenset[ReminderKind]) -> Look | None:
        nonlocal lost
        async with gate:
            lost = lost or not await keep()
            return None if lost else await look(bound, wanted, ask, taken.rules.reminders, today, {})

    looks = await asyncio.gather(*(one(bound, wanted) for _, bound, wanted in taken.bound))
    return None if lost else [found for found in looks if found is not None]


def _take(database: Database, secrets: Secrets, now: datetime, owner: str, limit: int) -> _Batch | None:
    """Lease the scan and read its next bindings; None when it is night, not yet time, or another worker has it."""

    def step(uow: UnitOfWork) -> _Batch | None:
        rules = citizens.load_rules(uow)
        if citizens.is_quiet(rules.reminders.quiet, now):
            return None
        repository.ensure_scan(uow.session, NAME)
        row = repository.lock_scan(uow.session, NAME)
        if not leases.take(row, owner, now, LEASE):
            return None
        if row.started_at is None or row.finished_at is not None:
            if row.finished_at is not None and row.started_at is not None:
                if now - row.started_at < timedelta(hours=rules.reminders.scan_hours):
                    leases.give_back(row)
                    return None
                row.round += 1
            row.after_id, row.started_at, row.finished_at = 0, now, None
            row.looked = row.told = row.failed = 0
        found = repository.batch(uow.session, row.after_id, limit)
        wanted = citizens.choices_of(uow, {one.citizen for one in found})
        read = [
            (one, keeping.bound_of(secrets, one), frozenset(wanted.get(one.citizen, ())) & _possible(one.kind))
            for one in found
        ]
        return _Batch((row.round, row.after_id), read, rules)

    return database.write(step)


def _store(database: Database, taken: _Batch, looks: Sequence[Look], now: datetime, owner: str) -> Scanned | None:
    """Store a batch and the scan's new place; None when another worker went on meanwhile: then nothing is stored."""

    def step(uow: UnitOfWork) -> Scanned | None:
        row = repository.lock_scan(uow.session, NAME)
        if not leases.is_held(row, owner) or (row.round, row.after_id) != taken.fence:
            return None
        if citizens.is_quiet(taken.rules.reminders.quiet, now):
            return None
        # In one order of citizens; what still crosses a turn runs again (`Database.write`).
        order = sorted(range(len(looks)), key=lambda number: taken.bound[number][0].citizen)
        present = repository.lock_present(uow.session, [bound.id for _, bound, _ in taken.bound])
        told = failed = 0
        for number in order:
            binding, found = present.get(taken.bound[number][1].id), looks[number]
            failed += bool(found.failed)
            if found.asked or found.failed:
                _record(uow, taken.bound[number][0], found, now)
            if binding is None:
                continue
            told += _tell(uow, binding, found, now)
        if taken.bound:
            row.after_id = max(bound.id for _, bound, _ in taken.bound)
            leases.take(row, owner, now, LEASE)
        else:
            row.finished_at = now
            leases.give_back(row)
        row.looked += len(looks)
        row.told += told
        row.failed += failed
        return Scanned(len(looks), told, failed, finished=not taken.bound)

    return database.write(step)


def _record(uow: UnitOfWork, binding: Binding, found: Look, now: datetime) -> None:
    """Each access to a departmental system leaves an audit row: for whom, about what, when, and what for."""
    detail = {"reminders": sorted(found.asked | found.failed), "failed": sorted(found.failed)}
    actor = f"reminders for conversation:{binding.citizen}"
    audit.record(uow, actor=actor, action="lookup.reminder", subject=binding.identifier_hash, now=now, detail=detail)


def _tell(uow: UnitOfWork, binding: Binding, found: Look, now: datetime) -> int:
    told = sum(_tell_one(uow, binding, finding, now) for finding in found.findings)
    if found.asked - set(binding.seen):
        binding.seen = sorted(set(binding.seen) | found.asked)
    if not found.failed:
        binding.scanned_at = now
    return told


def _tell_one(uow: UnitOfWork, binding: Binding, finding: Finding, now: datetime) -> bool:
    about = {"citizen": binding.citizen, "kind": finding.kind, "subject": binding.identifier_hash}
    if finding.kind in NEWS and finding.kind not in binding.seen:
        citizens.set_aside(uow, **about, mark=finding.mark, now=now)  # type: ignore[arg-type]
        return False
    return citizens.remind(uow, **about, mark=finding.mark, text=finding.text, now=now)  # type: ignore[arg-type]


def _possible(kind: str) -> frozenset[ReminderKind]:
    return frozenset(reminder for kinds in SOURCES[kind].values() for reminder in kinds)
