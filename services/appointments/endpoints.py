"""Appointments over HTTP: free places for everybody, the desk for staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.appointments import service
from services.appointments.schemas import (
    AppointmentOut,
    BookIn,
    CancelIn,
    CodeIn,
    DayList,
    HallOut,
    MoveIn,
    Offer,
    Opening,
    WaitingPerson,
)
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.core.guards import anybody
from services.core.web import container_of
from services.core.wire import Day

router = APIRouter(prefix="/api/v1/appointments", tags=["appointments"])

Reader = Annotated[StaffUser, Depends(current_staff("appointments.read"))]
Worker = Annotated[StaffUser, Depends(current_staff("appointments.work"))]


@router.get("/services", dependencies=[anybody("appointments.offer")])
def services(request: Request) -> Offer:
    """What can be booked, and where; public."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.offer(uow)


@router.get("/availability", dependencies=[anybody("appointments.offer")])
def availability(
    request: Request,
    name: Annotated[str, Query(alias="service", max_length=64)],
    hall: Annotated[str | None, Query(max_length=64)] = None,
) -> list[Opening]:
    """Every hour that can be booked now with its free places; public, and says nothing of persons."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        return service.openings(uow, service=name, hall=hall, now=the.clock.now())


@router.get("")
def day_list(
    request: Request, user: Reader, hall: Annotated[str, Query(max_length=64)], day: Day | None = None
) -> DayList:
    """A hall's appointments of a day (today when none is named), numbers masked."""
    the = container_of(request)
    chosen = day or the.clock.now().astimezone(SHANGHAI).date()
    with the.database.unit_of_work(read_only=True) as uow:
        return service.day_list(uow, the.secrets, hall=hall, day=chosen, user=user)


@router.get("/halls")
def halls(request: Request, user: Reader) -> list[HallOut]:
    """The halls of this staff member's department; all of them without a department."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.halls_of(uow, user)


@router.get("/waiting")
def waiting(
    request: Request, user: Reader, hall: Annotated[str, Query(max_length=64)], day: Day | None = None
) -> list[WaitingPerson]:
    """Who waits for an hour of a hall's day (today when none is named), numbers masked, the next one first."""
    the = container_of(request)
    chosen = day or the.clock.now().astimezone(SHANGHAI).date()
    with the.database.unit_of_work(read_only=True) as uow:
        return service.waiting_of_day(uow, the.secrets, hall=hall, day=chosen, user=user)


@router.post("", status_code=201)
def book(body: BookIn, request: Request, user: Worker) -> AppointmentOut:
    """Book for somebody who calls or stands at the counter. The same `request_id` again gives the same appointment.

    409 says in `reason` why not: closed, early, late, full, live, unknown.
    """
    the = container_of(request)

    def step(uow: UnitOfWork) -> AppointmentOut:
        service.require_department(uow, user, service=body.service)
        return service.book(
            uow,
            the.secrets,
            key=f"staff:{user.name}:{body.request_id}",
            person=service.Person("phone", body.phone, body.name),
            service=body.service,
            hall=body.hall,
            start_at=body.start_at,
            now=the.clock.now(),
            origin="staff",
            actor=user.name,
        )

    return the.database.write(step)


@router.post("/check-in")
def check_in_by_code(body: CodeIn, request: Request, user: Worker) -> AppointmentOut:
    """Check in with the citizen's code, typed or scanned."""
    the = container_of(request)
    return the.database.write(
        lambda uow: service.check_in_by_code(uow, the.secrets, code=body.code, user=user, now=the.clock.now())
    )


@router.post("/{no}/check-in")
def check_in(no: str, request: Request, user: Worker) -> AppointmentOut:
    the = container_of(request)
    return the.database.write(lambda uow: service.check_in(uow, the.secrets, no=no, user=user, now=the.clock.now()))


@router.post("/{no}/reschedule")
def reschedule(no: str, body: MoveIn, request: Request, user: Worker) -> AppointmentOut:
    """Move to another hour, also of another hall; 409 says in `reason` why not."""
    the = container_of(request)

    def step(uow: UnitOfWork) -> AppointmentOut:
        service.require_department(uow, user, no=no)
        return service.reschedule(
            uow,
            the.secrets,
            key=f"staff:{user.name}:{body.request_id}",
            no=no,
            start_at=body.start_at,
            hall=body.hall,
            now=the.clock.now(),
            actor=user.name,
        )

    return the.database.write(step)


@router.post("/{no}/cancel")
def cancel(no: str, body: CancelIn, request: Request, user: Worker) -> AppointmentOut:
    the = container_of(request)

    def step(uow: UnitOfWork) -> AppointmentOut:
        service.require_department(uow, user, no=no)
        key = f"staff:{user.name}:{body.request_id}"
        return service.cancel(uow, the.secrets, key=key, no=no, now=the.clock.now(), actor=user.name)

    return the.database.write(step)


@router.post("/{no}/served")
def served(no: str, request: Request, user: Worker) -> AppointmentOut:
    """The person who checked in has been served."""
    the = container_of(request)
    return the.database.write(lambda uow: service.served(uow, the.secrets, no=no, user=user, now=the.clock.now()))


@router.post("/{no}/no-show")
def no_show(no: str, request: Request, user: Worker) -> AppointmentOut:
    the = container_of(request)
    return the.database.write(lambda uow: service.no_show(uow, the.secrets, no=no, user=user, now=the.clock.now()))
