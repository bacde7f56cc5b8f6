"""Figures for managers. They are the case desk's own report, so the page and the command line never disagree."""

from datetime import datetime
from typing import Any, Literal

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.core.database import UnitOfWork


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
