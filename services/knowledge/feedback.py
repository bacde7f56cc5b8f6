"""Helpful or not: what citizens say of answers, counted per entry."""

from datetime import datetime

import sqlalchemy as sa

from services.core.database import UnitOfWork
from services.knowledge.models import KnowledgeEntry, KnowledgeFeedback
from services.knowledge.schemas import EntryFeedback, FeedbackPage, FeedbackTotals


def record_feedback(
    uow: UnitOfWork, *, conversation_id: str, seq: int, entry_id: str, helpful: bool, now: datetime
) -> None:
    """Keep what a citizen says of the answer `seq` of a conversation; the last word counts.

    The caller holds the conversation's row lock, so there is one writer for each answer.
    """
    row = uow.session.get(KnowledgeFeedback, (conversation_id, seq))
    if row is None:
        row = KnowledgeFeedback(conversation_id=conversation_id, seq=seq)
        uow.session.add(row)
    row.entry_id, row.helpful, row.at = entry_id, helpful, now


def feedback(uow: UnitOfWork, limit: int, offset: int) -> FeedbackPage:
    """Counts of each entry that was rated and still exists: the lowest share of helpful first, then the most rated."""
    helpful = sa.func.sum(sa.case((KnowledgeFeedback.helpful, 1), else_=0)).label("helpful")
    rated = sa.func.count().label("rated")
    counts = (
        sa.select(KnowledgeFeedback.entry_id, helpful, rated).group_by(KnowledgeFeedback.entry_id).subquery("counts")
    )
    found = sa.select(KnowledgeEntry, counts.c.helpful, counts.c.rated).join(
        counts, counts.c.entry_id == KnowledgeEntry.id
    )
    total = uow.session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
    share = counts.c.helpful * 1.0 / counts.c.rated
    ordered = found.order_by(share, counts.c.rated.desc(), KnowledgeEntry.id).limit(limit).offset(offset)
    rows = uow.session.execute(ordered).all()
    entries = [
        EntryFeedback(
            id=entry.id,
            question=entry.question,
            department=entry.department,
            helpful=yes,
            not_helpful=count - yes,
            share=round(yes / count, 4),
        )
        for entry, yes, count in rows
    ]
    return FeedbackPage(entries=entries, total=total)


def feedback_totals(uow: UnitOfWork, start: datetime | None, end: datetime | None) -> FeedbackTotals:
    """Helpful and not helpful, rated from `start` until before `end` (aware; None is open)."""
    wanted = sa.select(KnowledgeFeedback.helpful, sa.func.count()).group_by(KnowledgeFeedback.helpful)
    if start is not None:
        wanted = wanted.where(KnowledgeFeedback.at >= start)
    if end is not None:
        wanted = wanted.where(KnowledgeFeedback.at < end)
    counts: dict[bool, int] = {bool(helpful): count for helpful, count in uow.session.execute(wanted).all()}
    return FeedbackTotals(helpful=counts.get(True, 0), not_helpful=counts.get(False, 0))
