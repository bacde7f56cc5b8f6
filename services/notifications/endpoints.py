"""Notices of the staff member who asks."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.web import container_of
from services.core.wire import Id, Offset
from services.notifications import repository
from services.notifications.dead_letters import DeadLetters, dead_letters, resend

router = APIRouter(prefix="/api/v1", tags=["notifications"])


class Notice(BaseModel):
    """`link` is the page that it leads to; None when there is none that this reader may open."""

    id: int
    link: str | None
    kind: str
    body: dict[str, Any]
    at: datetime


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
def notices(request: Request, user: StaffUser = Depends(current_staff("notices.read"))) -> list[Notice]:  # noqa: B008
    """The newest fifty notices to this person, role or department; none of a case that they may not know of."""
    recipients = [f"user:{user.name}", f"role:{user.role}"]
    if user.department:
        recipients.append(f"department:{user.department}")
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        rows = repository.notices_for(uow.session, recipients, 50, the.hidden_cases(uow, user))
        links = the.case_links(uow, user, [row.body["case_no"] for row in rows if row.body.get("case_no")])
    return [
        Notice(id=row.id, kind=row.kind, body=row.body, at=row.at, link=links.get(str(row.body.get("case_no"))))
        for row in rows
    ]
