"""All SQL of knowledge."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from knowledge_base import Entry
from services.knowledge.models import ActiveSnapshot, KnowledgeEntry, KnowledgeSnapshot

ACTIVE_ROW = 1


def content_hashes(session: Session) -> dict[str, str]:
    return {
        entry_id: content_hash
        for entry_id, content_hash in session.execute(sa.select(KnowledgeEntry.id, KnowledgeEntry.content_hash))
    }


def upsert(session: Session, entries: Iterable[Entry], actor: str, now: datetime) -> None:
    for entry in entries:
        session.merge(
            KnowledgeEntry(
                id=entry.id,
                question=entry.question,
                department=entry.department,
                content=entry.to_dict(),
                content_hash=entry.content_hash,
                updated_at=now,
                updated_by=actor,
            )
        )


def all_entries(session: Session) -> list[Entry]:
    rows = session.scalars(sa.select(KnowledgeEntry.content).order_by(KnowledgeEntry.id))
    return [Entry.from_dict(content) for content in rows]


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
            version=version, state="building", entries=entries, model=model, created_at=now, created_by=actor
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


def activate(session: Session, version: int) -> None:
    session.merge(ActiveSnapshot(id=ACTIVE_ROW, version=version))
