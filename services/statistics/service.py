"""Figures for managers. They are the case desk's own report, so the page and the command line never disagree."""

from datetime import datetime
from typing import Any, Literal

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.conversations.service import Conversations
from services.core.database import UnitOfWork
from services.knowledge import service as knowledge
from services.statistics.schemas import Answers


def timeliness(
    uow: UnitOfWork,
    *,
    start: str | None,
    end: str | None,
    by: Literal["department", "month"] | None,
    now: datetime,
    reader: StaffUser | None = None,
) -> dict[str, Any]:
    """The report of `services.cases.service.report` for a period written as dates (an end date is included).

    Confidential cases that `reader` may not know of are in no figure. Raises BadRequest for a period that cannot be
    read or is empty.
    """
    begin, until = cases.period(start, end)
    return cases.report(uow, start=begin, end=until, now=now, by=by, reader=reader)


def answers(uow: UnitOfWork, conversations: Conversations, *, start: str | None, end: str | None) -> Answers:
    """Figures of the answers from the knowledge base in a period written as dates (see `timeliness`)."""
    begin, until = cases.period(start, end)
    given = conversations.answer_counts(uow, begin, until)
    said = knowledge.feedback_totals(uow, begin, until)
    rated = said.helpful + said.not_helpful
    return Answers(
        answers=given["answer"],
        candidates=given["candidates"],
        rated=rated,
        helpful=said.helpful,
        not_helpful=said.not_helpful,
        helpful_rate=round(said.helpful / rated, 4) if rated else None,
        rated_rate=round(min(1.0, rated / given["answer"]), 4) if given["answer"] else None,
    )
