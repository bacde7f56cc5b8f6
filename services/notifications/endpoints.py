"""Notices of the staff member who asks, and messages that could not be delivered."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.web import container_of
from services.core.wire import Id, Offset
from services.notifications import service
from services.notifications.bell import Notice, ReadIn
from services.notifications.dead_letters import DeadLetters, dead_letters, resend

router = APIRouter(prefix="/api/v1", tags=["notifications"])


Reader = Annotated[StaffUser, Depends(current_staff("notices.read"))]


@router.get("/outbox/dead")
def dead(
    request: Request,
    limit: int = Query(50, ge=1, le=200),
    offset: Offset = 0,
    user: StaffUser = Depends(current_staff("deliveries.mend")),  # noqa: B008
) -> DeadLetters:
    """Messages that could not be delivered, the newest first."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        return dead_letters(uow, hidden=the.hidden_cases(uow, user), limit=limit, offset=offset)


@router.post("/outbox/{row_id}/resend", status_code=204)
def send_again(
    row_id: Id,
    request: Request,
    user: StaffUser = Depends(current_staff("deliveries.mend")),  # noqa: B008
) -> None:
    """Try a dead one again."""
    the = container_of(request)
    the.database.write(
        lambda uow: resend(uow, row_id, hidden=the.hidden_cases(uow, user), actor=user.name, now=the.clock.now())
    )


@router.get("/notices")
def notices(request: Request, user: Reader, before: Id | None = None) -> list[Notice]:
    """Fifty notices to this person, role or department, the newest first; with `before` those with a smaller id."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        return service.notices(uow, the.notice_reader(uow, user), before=before)


@router.post("/notices/read", status_code=204)
def read(body: ReadIn, request: Request, user: Reader) -> None:
    """Note what the person has read: these notices, those of a case, or all with an id up to `upto`."""
    the = container_of(request)
    the.database.write(lambda uow: service.mark_read(uow, the.notice_reader(uow, user), body, the.clock.now()))
