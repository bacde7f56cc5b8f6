"""Supervision and absences over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import service
from services.cases.schemas import AbsenceIn, AbsenceOut, AlertLevelIn, AlertLevelOut, SupervisionReportOut
from services.core.clock import parse_moment
from services.core.errors import BadRequest
from services.core.web import container_of
from services.core.wire import Id

router = APIRouter(prefix="/api/v1", tags=["supervision"])

Supervisor = Annotated[StaffUser, Depends(current_staff("supervision.read"))]
Leveller = Annotated[StaffUser, Depends(current_staff("supervision.set_level"))]
Staff = Annotated[StaffUser, Depends(current_staff("absences.own"))]


@router.get("/supervision/alert-level")
def alert_level(request: Request, user: Supervisor) -> AlertLevelOut:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.alert_level(uow)


@router.post("/supervision/alert-level")
def set_alert_level(body: AlertLevelIn, request: Request, user: Leveller) -> AlertLevelOut:
    """Level 1 turns on two reports a day, 2 one a day, 3 one every other day, 0 none."""
    the = container_of(request)
    return the.database.write(
        lambda uow: service.set_alert_level(uow, user=user, level=body.level, now=the.clock.now())
    )


@router.get("/supervision/reports")
def reports(
    request: Request, user: Supervisor, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[SupervisionReportOut]:
    """The reports that were written, the newest first."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.reports(uow, limit=limit)


@router.get("/staff/absences")
def absences(request: Request, user: Staff) -> list[AbsenceOut]:
    """Absences that are not over, the next first."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        return service.absences(uow, container.clock.now())


@router.post("/staff/absences", status_code=201)
def set_absence(body: AbsenceIn, request: Request, user: Staff) -> AbsenceOut:
    """Everybody for themselves, a supervisor for anybody (`name`)."""
    the = container_of(request)
    starts_at, ends_at = _moment(body.starts_at), _moment(body.ends_at)
    return the.database.write(
        lambda uow: service.set_absence(
            uow,
            user=user,
            name=body.name or user.name,
            starts_at=starts_at,
            ends_at=ends_at,
            now=the.clock.now(),
        )
    )


@router.delete("/staff/absences/{absence_id}", status_code=204)
def end_absence(absence_id: Id, request: Request, user: Staff) -> None:
    the = container_of(request)
    the.database.write(lambda uow: service.end_absence(uow, user=user, absence_id=absence_id, now=the.clock.now()))


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError:
        raise BadRequest("时间应写作 2026-09-30T16:30") from None
