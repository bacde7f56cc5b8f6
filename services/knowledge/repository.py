"""All SQL of knowledge."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from knowledge_base import Entry
from services.core.sql import insert
from services.knowledge.models import ActiveSnapshot, KnowledgeDraft, KnowledgeEntry, KnowledgeSnapshot

ACTIVE_ROW = 1
READY, BUILDING, FAILED, RETIRED = "ready", "building", "failed", "retired"
IDS_AT_ONCE = 500


def content_hashes(session: Session) -> dict[str, str]:
    # Past the ORM, which would take twice the time: this runs over all entries at every publish.
    rows = session.connection().execute(sa.select(KnowledgeEntry.id, KnowledgeEntry.content_hash))
    return {entry_id: content_hash for entry_id, content_hash in rows}


def upsert(session: Session, entries: Sequence[Entry], actor: str, now: datetime) -> None:
    for start in range(0, len(entries), IDS_AT_ONCE):
        part = entries[start : start + IDS_AT_ONCE]
        there = sa.select(KnowledgeEntry).where(KnowledgeEntry.id.in_([entry.id for entry in part]))
        rows = {row.id: row for row in session.scalars(there)}
        for entry in part:
            row = rows.get(entry.id) or KnowledgeEntry(id=entry.id)
            fill(row, entry, actor, now)
            session.add(row)
        session.flush()


def all_entries(session: Session) -> list[Entry]:
    rows = session.scalars(sa.select(KnowledgeEntry.content).order_by(KnowledgeEntry.id))
    return [Entry.from_dict(content) for content in rows]


def entries_by_id(session: Session, ids: Iterable[str], *, lock: bool = False) -> list[Entry]:
    """The entries with these ids, in their order; ids without an entry are left out. `lock`: nobody else edits them."""
    wanted = sorted(ids)
    found: list[Entry] = []
    for start in range(0, len(wanted), IDS_AT_ONCE):
        part = wanted[start : start + IDS_AT_ONCE]
        query = sa.select(KnowledgeEntry.content).where(KnowledgeEntry.id.in_(part)).order_by(KnowledgeEntry.id)
        if lock:
            query = query.with_for_update()
        found.extend(Entry.from_dict(content) for content in session.scalars(query))
    return found


def entry(session: Session, entry_id: str, *, lock: bool = False) -> KnowledgeEntry | None:
    return session.get(KnowledgeEntry, entry_id, with_for_update=lock)


def add_entry(session: Session, new: Entry, actor: str, now: datetime) -> None:
    """IntegrityError when the id is taken."""
    row = KnowledgeEntry(id=new.id)
    session.add(row)
    fill(row, new, actor, now)
    session.flush()


def fill(row: KnowledgeEntry, new: Entry, actor: str, now: datetime) -> None:
    row.question, row.department, row.content = new.question, new.department, new.to_dict()
    row.content_hash, row.updated_at, row.updated_by = new.content_hash, now, actor


def entry_page(
    session: Session, text: str, department: str | None, limit: int, offset: int
) -> tuple[Sequence[Entry], int]:
    query = sa.select(KnowledgeEntry.content)
    if text:
        in_answer = KnowledgeEntry.content["answer"].as_string().contains(text, autoescape=True)
        query = query.where(sa.or_(KnowledgeEntry.question.contains(text, autoescape=True), in_answer))
    if department:
        query = query.where(KnowledgeEntry.department == department)
    total = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(KnowledgeEntry.id).limit(limit).offset(offset))
    return [Entry.from_dict(content) for content in rows], total


def reserve_version(session: Session, model: str, entries: int, actor: str, now: datetime) -> int:
    """A row for the next version; a publish at the same moment fails on the primary key."""
    version = (session.scalar(sa.select(sa.func.max(KnowledgeSnapshot.version))) or 0) + 1
    session.add(
        KnowledgeSnapshot(
            version=version,
            state=BUILDING,
            entries=entries,
            model=model,
            created_at=now,
            created_by=actor,
            delta=0,
            answers_pending=0,
            done=0,
            total=0,
            reported_at=now,
        )
    )
    session.flush()
    return version


def snapshot(session: Session, version: int) -> KnowledgeSnapshot | None:
    return session.get(KnowledgeSnapshot, version)


def snapshots(session: Session, limit: int) -> Sequence[KnowledgeSnapshot]:
    return session.scalars(sa.select(KnowledgeSnapshot).order_by(KnowledgeSnapshot.version.desc()).limit(limit)).all()


def active_version(session: Session) -> int | None:
    return session.scalar(sa.select(ActiveSnapshot.version))


def switch(session: Session, version: int, expected: int | None) -> bool:
    """Make `version` the active one if `expected` is; None means that none ever was. Says whether it did.

    One statement looks and writes. Where there is no row yet, a lock finds nothing to hold: two first publishes would
    both see none, and the later one take the place of the earlier.
    """
    if expected is None:
        first = insert(session, ActiveSnapshot).values(id=ACTIVE_ROW, version=version)
        statement = first.on_conflict_do_nothing(index_elements=["id"]).returning(ActiveSnapshot.version)
    else:
        statement = (
            sa.update(ActiveSnapshot)
            .where(ActiveSnapshot.id == ACTIVE_ROW, ActiveSnapshot.version == expected)
            .values(version=version)
            .returning(ActiveSnapshot.version)
        )
    return session.scalar(statement) is not None


def active_snapshot(session: Session) -> KnowledgeSnapshot | None:
    return session.scalar(
        sa.select(KnowledgeSnapshot).join(ActiveSnapshot, ActiveSnapshot.version == KnowledgeSnapshot.version)
    )


def lock_snapshot(session: Session, version: int) -> KnowledgeSnapshot | None:
    return session.get(KnowledgeSnapshot, version, with_for_update=True, populate_existing=True)


def locked_active_version(session: Session) -> int | None:
    """The active version; nobody else can change it until this transaction ends."""
    return session.scalar(sa.select(ActiveSnapshot.version).with_for_update())


def set_state(session: Session, version: int, state: str) -> None:
    session.execute(sa.update(KnowledgeSnapshot).where(KnowledgeSnapshot.version == version).values(state=state))


def complete_snapshot(
    session: Session, version: int, *, entries: int, base_version: int, delta: int, answers_pending: int
) -> None:
    session.execute(
        sa.update(KnowledgeSnapshot)
        .where(KnowledgeSnapshot.version == version)
        .values(state=READY, entries=entries, base_version=base_version, delta=delta, answers_pending=answers_pending)
    )


def report_progress(session: Session, version: int, done: int, total: int, now: datetime) -> None:
    session.execute(
        sa.update(KnowledgeSnapshot)
        .where(KnowledgeSnapshot.version == version)
        .values(done=done, total=total, reported_at=now)
    )


def retire(session: Session, keep: int, stale: datetime) -> list[int]:
    """Mark versions that may be deleted, and builds that have not reported since `stale` as failed; their numbers."""
    active = locked_active_version(session)
    rows = session.scalars(sa.select(KnowledgeSnapshot).order_by(KnowledgeSnapshot.version.desc())).all()
    ready = [row for row in rows if row.state == READY]
    kept = [row for place, row in enumerate(ready) if place < keep or row.version == active]
    needed = {row.version for row in kept} | {row.base_version for row in kept}
    gone = [row for row in ready if row.version not in needed]
    for row in rows:
        if row.state == BUILDING and row.reported_at is not None and row.reported_at < stale:
            row.state = FAILED
    for row in gone:
        row.state = RETIRED
    return [row.version for row in gone]


def draft_of(session: Session, origin: str) -> KnowledgeDraft | None:
    return session.scalars(sa.select(KnowledgeDraft).where(KnowledgeDraft.origin == origin)).first()


def lock_draft(session: Session, draft_id: int) -> KnowledgeDraft | None:
    return session.get(KnowledgeDraft, draft_id, with_for_update=True, populate_existing=True)


def draft_page(session: Session, state: str, limit: int, offset: int) -> tuple[Sequence[KnowledgeDraft], int]:
    """One page, the oldest first, and the number of all in that state."""
    wanted = KnowledgeDraft.state == state
    total = session.scalar(sa.select(sa.func.count()).select_from(KnowledgeDraft).where(wanted)) or 0
    rows = sa.select(KnowledgeDraft).where(wanted).order_by(KnowledgeDraft.id).limit(limit).offset(offset)
    return session.scalars(rows).all(), total
