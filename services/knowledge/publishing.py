"""Entries of the database become a published version.

The long part (embedding) runs outside of any transaction: a version is reserved, built aside, and then switched to in
one short transaction, provided that the active version is still the one that the build started from. A process that
dies in the middle leaves the old version live, and its embeddings in the cache.

A few edits make a delta above the base of the active version; many make a new base.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy.exc import IntegrityError

from knowledge_base import Answers, Embedder, EmbeddingCache, Entry, KnowledgeBase, KnowledgeBaseError
from services.core import audit, leases
from services.core.database import Database, UnitOfWork
from services.core.errors import BadRequest, Conflict
from services.core.events import Event
from services.knowledge import repository
from services.knowledge.live import LiveKnowledge, snapshot_directory
from services.knowledge.models import KnowledgeSnapshot
from services.knowledge.repository import BUILDING, FAILED, READY

Progress = Callable[[int, int], None]

# A delta may grow to this share of the entries before a publish builds a new base, within these bounds.
DELTA_SHARE = 20
SMALLEST_DELTA_LIMIT, LARGEST_DELTA_LIMIT = 64, 2_000
# A completion that was not heard of for so long died with its process.
LEASE = timedelta(minutes=5)
OVERTAKEN = "发布期间另一个版本已生效，请重新发布"


@dataclass(frozen=True)
class KnowledgePublished(Event):
    """Another version is active now."""

    version: int


class Publication(NamedTuple):
    """What a publish did. `changed` and `removed` count the entries that differ from the version before."""

    version: int
    entries: int
    kind: Literal["full", "delta", "unchanged"]
    changed: int
    removed: int
    answers_pending: int


@dataclass(frozen=True)
class _Plan:
    """What is to be built, as the database was at one moment. `onto` is None for a new base."""

    active: int | None
    onto: KnowledgeBase | None
    entries: list[Entry]
    gone: frozenset[str]
    total: int


def delta_limit(entries: int) -> int:
    """How many edits a delta over a base of so many entries may hold."""
    return max(SMALLEST_DELTA_LIMIT, min(LARGEST_DELTA_LIMIT, entries // DELTA_SHARE))


def publish(
    database: Database,
    embedder: Embedder,
    root: Path,
    *,
    actor: str,
    now: datetime,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    live: LiveKnowledge | None = None,
    full: bool = False,
    answers: Answers = "now",
) -> Publication:
    """Make a version of all entries below `root` and activate it.

    `live` lends the versions that it has open. `full` builds a new base also for a few edits. With `answers` "later"
    the version is usable as soon as its questions are embedded, and `complete` makes the rest.
    Raises BadRequest when there is no entry, Conflict when another version was activated meanwhile.
    """
    live = live or LiveKnowledge(database, lambda: embedder, root)
    plan = _plan(database, live, full)
    if isinstance(plan, Publication):
        return plan
    changed = len(plan.entries) if plan.onto is not None else plan.total
    # What is newer than the active version, and what has to be built for it.
    with database.unit_of_work() as uow:
        version = _reserve(uow, plan, embedder, actor, now)
        uow.commit()
    built = _build(
        database, embedder, root, version, plan, now=lambda: now, cache=cache, progress=progress, answers=answers
    )
    _finish(database, version, built, plan.active, actor, "knowledge.publish", now)
    live.adopt(version, built)
    kind: Literal["full", "delta"] = "full" if plan.onto is None else "delta"
    return Publication(version, len(built), kind, changed, len(plan.gone), built.answers_pending)


def work_due(database: Database) -> bool:
    """Whether the active version waits for `complete`: answers to embed, or a delta to merge."""
    with database.unit_of_work(read_only=True) as uow:
        row = repository.active_snapshot(uow.session)
        return row is not None and _waits(row)


def _waits(row: KnowledgeSnapshot) -> bool:
    return row.answers_pending > 0 or row.delta > delta_limit(row.entries) // 2


def complete(
    database: Database,
    embedder: Embedder,
    root: Path,
    *,
    actor: str,
    moment: Callable[[], datetime],
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    live: LiveKnowledge | None = None,
) -> Publication | None:
    """Build the base that the active version waits for, out of that version's own entries: answers that were not
    embedded yet are, and its delta is merged. Edits that nobody published stay unpublished.

    Returns None when there is nothing to do, or somebody else is at it. Raises Conflict when another version was
    activated meanwhile, or somebody else took this work over; what was embedded stays in the cache, so that the next
    attempt goes on from there.
    """
    holder = leases.new_holder()
    active = database.write(lambda uow: _take(uow, holder, moment()))
    if active is None:
        return None

    def keep(uow: UnitOfWork) -> bool:
        return leases.renew(uow, KnowledgeSnapshot, active, holder, moment(), LEASE)

    live = live or LiveKnowledge(database, lambda: embedder, root)
    try:
        with leases.kept(database, keep, LEASE):
            onto = live.open(active)
            plan = _Plan(active, None, list(onto.entries), frozenset(), len(onto))
            with database.unit_of_work() as uow:
                version = _reserve(uow, plan, embedder, actor, moment())
                uow.commit()
            built = _build(
                database,
                embedder,
                root,
                version,
                plan,
                now=moment,
                cache=cache,
                progress=progress,
                answers="now",
                keep=keep,
            )
        _finish(database, version, built, active, actor, "knowledge.complete", moment(), holder)
    finally:
        database.write(lambda uow: _give_back(uow, active, holder))
    live.adopt(version, built)
    return Publication(version, len(built), "full", 0, 0, 0)


def _take(uow: UnitOfWork, holder: str, now: datetime) -> int | None:
    """Lease the completion of the active version; its number, or None when it waits for none or somebody has it."""
    active = repository.active_version(uow.session)
    row = repository.lock_snapshot(uow.session, active) if active is not None else None
    if row is None or not _waits(row) or not leases.take(row, holder, now, LEASE):
        return None
    return row.version


def _give_back(uow: UnitOfWork, version: int, holder: str) -> None:
    row = repository.lock_snapshot(uow.session, version)
    if row is not None and leases.is_held(row, holder):
        leases.give_back(row)


def _plan(database: Database, live: LiveKnowledge, full: bool) -> _Plan | Publication:
    with database.unit_of_work(read_only=True) as uow:
        active = repository.active_version(uow.session)
    current = None
    if active is not None:
        try:
            current = live.open(active)
        except KnowledgeBaseError:
            # Made with another model, or damaged: a new base is the way out.
            current = None
    with database.unit_of_work(read_only=True) as uow:
        hashes = repository.content_hashes(uow.session)
        if not hashes:
            raise BadRequest("知识库还没有条目，无法发布")
        if current is not None and not full:
            changed, gone = current.compare(hashes)
            if active is not None and not changed and not gone:
                return Publication(active, len(current), "unchanged", 0, 0, current.answers_pending)
            if current.delta_size_after(changed, gone) <= delta_limit(len(hashes)):
                entries = repository.entries_by_id(uow.session, changed)
                return _Plan(active, current, entries, gone, len(hashes))
        entries = repository.all_entries(uow.session)
        return _Plan(active, None, entries, frozenset(), len(entries))


def _reserve(uow: UnitOfWork, plan: _Plan, embedder: Embedder, actor: str, now: datetime) -> int:
    try:
        return repository.reserve_version(uow.session, embedder.identity, plan.total, actor, now)
    except IntegrityError:
        raise Conflict("另一个发布正在进行，请稍后再试") from None


def _build(
    database: Database,
    embedder: Embedder,
    root: Path,
    version: int,
    plan: _Plan,
    *,
    now: Callable[[], datetime],
    cache: EmbeddingCache | None,
    progress: Progress | None,
    answers: Answers,
    keep: Callable[[UnitOfWork], bool] = lambda uow: True,
) -> KnowledgeBase:
    """Raises Conflict as soon as `keep`, asked at each report, says that this work is somebody else's."""

    def report(done: int, total: int) -> None:
        def step(uow: UnitOfWork) -> bool:
            repository.report_progress(uow.session, version, done, total, now())
            return keep(uow)

        if not database.write(step):
            raise Conflict(OVERTAKEN)
        if progress is not None:
            progress(done, total)

    directory = snapshot_directory(root, version)
    root.mkdir(parents=True, exist_ok=True)
    try:
        if plan.onto is None:
            return KnowledgeBase.build(
                plan.entries,
                embedder,
                directory,
                created_at=now(),
                cache=cache,
                progress=report,
                answers=answers,
            )
        return plan.onto.extend(
            plan.entries,
            plan.gone,
            directory,
            created_at=now(),
            cache=cache,
            progress=report,
            answers=answers,
        )
    except BaseException:
        database.write(lambda uow: repository.set_state(uow.session, version, FAILED))
        raise


def _finish(
    database: Database,
    version: int,
    built: KnowledgeBase,
    expected: int | None,
    actor: str,
    action: str,
    now: datetime,
    holder: str | None = None,
) -> None:
    """Switch to a built version, unless another one than `expected` is active by now or its completion is no longer
    `holder`'s."""
    with database.unit_of_work() as uow:
        if _still_held(uow, expected, holder) and activate(uow, version, expected, actor, action, now):
            repository.complete_snapshot(
                uow.session,
                version,
                entries=len(built),
                base_version=int(built.base_name.removeprefix("v")),
                delta=built.delta_size,
                answers_pending=built.answers_pending,
            )
            uow.commit()
            return
    database.write(lambda uow: repository.set_state(uow.session, version, FAILED))
    raise Conflict(OVERTAKEN)


def _still_held(uow: UnitOfWork, version: int | None, holder: str | None) -> bool:
    if version is None or holder is None:
        return True
    row = repository.lock_snapshot(uow.session, version)
    return row is not None and leases.is_held(row, holder)


def activate(uow: UnitOfWork, version: int, expected: int | None, actor: str, action: str, now: datetime) -> bool:
    """Point every replica at `version`, unless another version than `expected` is active; says whether it did."""
    if not repository.switch(uow.session, version, expected):
        return False
    audit.record(uow, actor=actor, action=action, subject=f"knowledge:v{version}", now=now)
    uow.collect(KnowledgePublished(version))
    return True


__all__ = ["BUILDING", "FAILED", "READY", "KnowledgePublished", "Publication", "complete", "publish", "work_due"]
