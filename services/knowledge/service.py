"""Entries in the database, and the snapshots published from them (`publishing`, `live`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from knowledge_base import Entry, ImportRejected, make_entry, readable
from services.core import audit
from services.core.clock import EARLIEST, LATEST
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable
from services.knowledge import drafts, repository
from services.knowledge.drafts import DraftState, draft, draft_of, drop_draft, forget_drafts, list_drafts
from services.knowledge.feedback import feedback, feedback_totals, record_feedback
from services.knowledge.importing import store_import
from services.knowledge.live import LiveKnowledge, is_usable, snapshot_directory
from services.knowledge.models import KnowledgeEntry
from services.knowledge.publishing import (
    KnowledgePublished,
    Progress,
    Publication,
    activate,
    complete,
    publish,
    work_due,
)
from services.knowledge.schemas import EntryDetail, SnapshotView

__all__ = [
    "DraftState",
    "KnowledgePublished",
    "LiveKnowledge",
    "Progress",
    "Publication",
    "accept_draft",
    "active_version",
    "all_entries",
    "complete",
    "create_entry",
    "delete_entry",
    "draft",
    "draft_of",
    "drop_draft",
    "feedback",
    "feedback_totals",
    "find_entries",
    "forget_drafts",
    "get_entry",
    "is_usable",
    "list_drafts",
    "list_snapshots",
    "publish",
    "record_feedback",
    "roll_back",
    "snapshot_directory",
    "store_import",
    "update_entry",
    "work_due",
]


def get_entry(uow: UnitOfWork, entry_id: str) -> EntryDetail:
    """One entry as editors keep it. Raises NotFound."""
    return _detail(_row(uow, entry_id))


def create_entry(uow: UnitOfWork, values: Mapping[str, Any], *, actor: str, now: datetime) -> EntryDetail:
    """Add an entry; without an id it gets one that follows from its question.

    Raises Unprocessable when the values make no entry, Conflict when the id is taken.
    """
    entry = _made(values)
    try:
        repository.add_entry(uow.session, entry, actor, now)
    except IntegrityError:
        raise Conflict("已有这个编号或同一问题的条目，请编辑它") from None
    _record(uow, actor, "knowledge.create", entry.id, now)
    return _detail(_row(uow, entry.id))


def update_entry(
    uow: UnitOfWork, entry_id: str, values: Mapping[str, Any], *, expected: str | None, actor: str, now: datetime
) -> EntryDetail:
    """Replace an entry. `expected` is the content hash that the editor saw; None overwrites whatever is there.

    Raises NotFound, Unprocessable, and Conflict when somebody else has changed the entry since.
    """
    row = _row(uow, entry_id, lock=True)
    _expect(row, expected)
    # Columns of the imported file that no form shows stay, unless they are given anew.
    before = Entry.from_dict(row.content)
    entry = _made({**before.extra, **values, "id": entry_id})
    if entry.content_hash != row.content_hash:
        old, new = before.to_dict(), entry.to_dict()
        repository.fill(row, entry, actor, now)
        fields = sorted(name for name in new if new[name] != old[name])
        _record(uow, actor, "knowledge.update", entry_id, now, {"fields": fields})
    return _detail(row)


def delete_entry(uow: UnitOfWork, entry_id: str, *, expected: str | None, actor: str, now: datetime) -> None:
    """Delete an entry; versions published before keep it. Raises NotFound, Conflict (see `update_entry`)."""
    row = _row(uow, entry_id, lock=True)
    _expect(row, expected)
    uow.session.delete(row)
    _record(uow, actor, "knowledge.delete", entry_id, now)


def accept_draft(
    uow: UnitOfWork, draft_id: int, values: Mapping[str, Any], *, actor: str, now: datetime
) -> EntryDetail:
    """Make an entry of an open draft, as the editor has worded it; citizens see it after the next publish.

    The entry keeps the case's number as `case_no`. Raises NotFound, Unprocessable, and Conflict when the draft has been
    decided already or there is such an entry.
    """
    row = drafts.open_draft(uow, draft_id)
    named = (
        {"case_no": row.origin.removeprefix(drafts.CASE_ORIGIN)} if row.origin.startswith(drafts.CASE_ORIGIN) else {}
    )
    made = create_entry(uow, {**values, **named}, actor=actor, now=now)
    row.state, row.entry_id, row.decided_at, row.decided_by = "accepted", made.id, now, actor
    audit.record(uow, actor=actor, action="knowledge.draft.accept", subject=f"knowledge:draft:{row.id}", now=now)
    return made


def roll_back(uow: UnitOfWork, version: int, *, actor: str, now: datetime) -> None:
    """Point at an earlier (or later) published version. Raises NotFound when it was never completed."""
    # Held before the version is looked at: versions are retired under this lock.
    active = repository.locked_active_version(uow.session)
    row = repository.snapshot(uow.session, version)
    if row is None or row.state != repository.READY:
        raise NotFound("没有这个已发布的版本")
    activate(uow, version, active, actor, "knowledge.rollback", now)


def list_snapshots(uow: UnitOfWork, limit: int = 50) -> list[SnapshotView]:
    active = repository.active_version(uow.session)
    return [
        SnapshotView.model_validate(
            {
                "version": row.version,
                "state": row.state,
                "active": row.version == active,
                "entries": row.entries,
                "model": row.model,
                "created_at": row.created_at,
                "created_by": row.created_by,
                "base_version": row.base_version,
                "delta": row.delta,
                "answers_pending": row.answers_pending,
                "done": row.done,
                "total": row.total,
            }
        )
        for row in repository.snapshots(uow.session, limit)
    ]


def all_entries(uow: UnitOfWork) -> list[Entry]:
    return repository.all_entries(uow.session)


def find_entries(
    uow: UnitOfWork, text: str, department: str | None, limit: int, offset: int
) -> tuple[list[Entry], int]:
    entries, total = repository.entry_page(uow.session, text, department, limit, offset)
    return list(entries), total


def active_version(uow: UnitOfWork) -> int | None:
    return repository.active_version(uow.session)


def _row(uow: UnitOfWork, entry_id: str, *, lock: bool = False) -> KnowledgeEntry:
    row = repository.entry(uow.session, entry_id, lock=lock)
    if row is None:
        raise NotFound("没有这个条目")
    return row


def _expect(row: KnowledgeEntry, expected: str | None) -> None:
    if expected is not None and expected != row.content_hash:
        raise Conflict("条目已被别人修改，请重新打开后再保存")


def _made(values: Mapping[str, Any]) -> Entry:
    try:
        made = make_entry(values)
    except ImportRejected as error:
        raise Unprocessable(str(error)) from None
    for day in (made.valid_from, made.valid_to):
        if day is not None and not EARLIEST <= day <= LATEST:
            raise Unprocessable(f"生效和失效日期应在 {EARLIEST.year} 至 {LATEST.year} 年之间，长期有效请留空")
    return made


def _detail(row: KnowledgeEntry) -> EntryDetail:
    return EntryDetail.model_validate(
        row.content
        | {
            "answer_text": readable(str(row.content["answer"])),
            "content_hash": row.content_hash,
            "updated_at": row.updated_at,
            "updated_by": row.updated_by,
        }
    )


def _record(
    uow: UnitOfWork, actor: str, action: str, entry_id: str, now: datetime, detail: dict[str, Any] | None = None
) -> None:
    audit.record(uow, actor=actor, action=action, subject=f"knowledge:entry:{entry_id}", now=now, detail=detail)
