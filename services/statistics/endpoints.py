"""Statistics over HTTP, for supervisors and managers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.web import container_of
from services.statistics import service
from services.statistics.schemas import Answers, Timeliness

router = APIRouter(prefix="/api/v1/statistics", tags=["statistics"])

Reader = Annotated[StaffUser, Depends(current_staff("statistics.read"))]


@router.get("/timeliness")
def timeliness(
    request: Request,
    user: Reader,
    start: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    end: Annotated[str | None, Query(alias="to", max_length=40)] = None,
    by: Literal["department", "month"] | None = None,
) -> Timeliness:
    """How timely the cases created from `from` to `to` (dates, both included) were answered."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        figures = service.timeliness(uow, start=start, end=end, by=by, now=container.clock.now(), reader=user)
    return Timeliness.model_validate(figures)


@router.get("/answers")
def answers(
    request: Request,
    user: Reader,
    start: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    end: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> Answers:
    """How good the answers from the knowledge base were from `from` to `to` (dates, both included)."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        return service.answers(uow, container.conversations, start=start, end=end)
