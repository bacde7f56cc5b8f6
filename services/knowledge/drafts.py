"""Drafts: what staff thinks belongs into the knowledge base, until an editor takes it in or drops it."""

from datetime import datetime
from typing import Literal

from sqlalchemy.exc import IntegrityError

from knowledge_base import Entry
from services.core import audit
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound
from services.knowledge import repository
from services.knowledge.models import KnowledgeDraft
from services.knowledge.schemas import DraftPage, DraftView

DraftState = Literal["open", "accepted", "dropped"]
CASE_ORIGIN = "case:"


def draft(
    uow: UnitOfWork, *, origin: str, question: str, answer: str, department: str | None, actor: str, now: datetime
) -> tuple[DraftView, bool]:
    """Write a draft once per `origin`: a second call gives the first draft as it is now, and False.

    The texts must hold nothing personal; the caller has seen to that.
    """
    known = repository.draft_of(uow.session, origin)
    if known is not None:
        return view(known), False
    row = KnowledgeDraft(
        origin=origin,
        state="open",
        question=question,
        answer=answer,
        department=department,
        created_at=now,
        created_by=actor,
    )
    try:
        with uow.session.begin_nested():
            uow.session.add(row)
            uow.session.flush()
    except IntegrityError:
        # Somebody else drafted it in this very moment.
        known = repository.draft_of(uow.session, origin)
        if known is None:
            raise
        return view(known), False
    audit.record(uow, actor=actor, action="knowledge.draft", subject=f"knowledge:draft:{row.id}", now=now)
    return view(row), True


def draft_of(uow: UnitOfWork, origin: str) -> DraftView | None:
    row = repository.draft_of(uow.session, origin)
    return view(row) if row is not None else None


def forget_drafts(uow: UnitOfWork, origin: str, *, actor: str, now: datetime) -> None:
    """Take back what was drafted from an origin that nobody may know of any more: its draft, decided or not, and the
    origin's name in the entry that became of it (the entry itself holds nothing that is not everybody's)."""
    row = repository.draft_of(uow.session, origin)
    if row is None:
        return
    if row.entry_id is not None:
        entry = repository.entry(uow.session, row.entry_id, lock=True)
        if entry is not None:
            extra = {name: value for name, value in entry.content.get("extra", {}).items() if name != "case_no"}
            repository.fill(entry, Entry.from_dict({**entry.content, "extra": extra}), actor, now)
    uow.session.delete(row)
    audit.record(uow, actor=actor, action="knowledge.draft.forget", subject=f"knowledge:draft:{row.id}", now=now)


def list_drafts(uow: UnitOfWork, state: DraftState, limit: int, offset: int) -> DraftPage:
    """One page of the drafts in a state, the oldest first."""
    rows, total = repository.draft_page(uow.session, state, limit, offset)
    return DraftPage(drafts=[view(row) for row in rows], total=total)


def drop_draft(uow: UnitOfWork, draft_id: int, *, actor: str, now: datetime) -> DraftView:
    """Put an open draft aside. Raises NotFound, Conflict."""
    row = open_draft(uow, draft_id)
    row.state, row.decided_at, row.decided_by = "dropped", now, actor
    audit.record(uow, actor=actor, action="knowledge.draft.drop", subject=f"knowledge:draft:{row.id}", now=now)
    return view(row)


def open_draft(uow: UnitOfWork, draft_id: int) -> KnowledgeDraft:
    """A draft that nobody has decided yet, locked. Raises NotFound, Conflict."""
    row = repository.lock_draft(uow.session, draft_id)
    if row is None:
        raise NotFound("没有这个草稿")
    if row.state != "open":
        raise Conflict("草稿已经处理过")
    return row


def view(row: KnowledgeDraft) -> DraftView:
    is_case = row.origin.startswith(CASE_ORIGIN)
    return DraftView.model_validate(
        {
            "id": row.id,
            "state": row.state,
            "question": row.question,
            "answer": row.answer,
            "department": row.department,
            "case_no": row.origin.removeprefix(CASE_ORIGIN) if is_case else None,
            "entry_id": row.entry_id,
            "created_at": row.created_at,
            "created_by": row.created_by,
        }
    )
