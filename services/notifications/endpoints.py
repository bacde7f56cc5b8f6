"""Notices of the staff member who asks."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.web import container_of
from services.notifications import repository

router = APIRouter(prefix="/api/v1", tags=["notifications"])


class Notice(BaseModel):
    id: int
    kind: str
    body: dict[str, Any]
    at: datetime


@router.get("/notices")
def notices(request: Request, user: StaffUser = Depends(current_staff())) -> list[Notice]:  # noqa: B008
    """The newest fifty notices to this person, role or department."""
    recipients = [f"user:{user.name}", f"role:{user.role}"]
    if user.department:
        recipients.append(f"department:{user.department}")
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        rows = repository.notices_for(uow.session, recipients, 50)
    return [Notice(id=row.outbox_id, kind=row.kind, body=row.body, at=row.at) for row in rows]
