"""Rows become what people read."""

from collections import defaultdict
from datetime import date, datetime

from services.appointments import people, repository
from services.appointments.models import Appointment, Slot, WaitingEntry
from services.appointments.openings import bookable_hours, free_places
from services.appointments.plan import Plan
from services.appointments.schemas import (
    AppointmentOut,
    Hall,
    HallOut,
    Offer,
    Opening,
    Service,
    ServiceOut,
    WaitingOut,
)
from services.core.crypto import Secrets
from services.core.database import UnitOfWork


def of_appointment(
    plan: Plan, secrets: Secrets, row: Appointment, slot: Slot, *, with_code: bool = False
) -> AppointmentOut:
    """`with_code` for the citizen whose appointment it is, and nobody else."""
    service, found = plan.rules.service(row.service), plan.windows_of(slot)
    hall = plan.rules.hall(slot.hall)
    return AppointmentOut.model_validate(
        {
            "no": row.no,
            "status": row.status,
            "service": row.service,
            "service_name": plan.service_name(row.service),
            "hall": slot.hall,
            "hall_name": plan.hall_name(slot.hall),
            "address": hall.address if hall else "",
            "windows": found[1].name if found else slot.windows,
            "start_at": slot.start_at,
            "end_at": slot.end_at,
            "person": row.person_masked,
            "name": people.name_of(secrets, row),
            "origin": row.origin,
            "booked_at": row.booked_at,
            "bring": service.bring if service else "",
            "code": row.code if with_code else None,
            "displaced": row.displaced_at is not None,
        }
    )


def of_waiting(uow: UnitOfWork, plan: Plan, entry: WaitingEntry, appointment: AppointmentOut | None) -> WaitingOut:
    return WaitingOut.model_validate(
        {
            "service": entry.service,
            "service_name": plan.service_name(entry.service),
            "hall": entry.hall,
            "hall_name": plan.hall_name(entry.hall),
            "from_at": entry.from_at,
            "until_at": entry.until_at,
            "status": entry.status,
            "ahead": repository.count_waiting_ahead(uow.session, entry) if entry.status == "waiting" else 0,
            "appointment": appointment,
        }
    )


def of_rules(plan: Plan) -> Offer:
    halls = [
        HallOut(
            code=hall.code,
            name=hall.name,
            address=hall.address,
            services=[code for windows in hall.windows for code in windows.services],
        )
        for hall in plan.rules.halls
    ]
    services = [
        ServiceOut(
            code=service.code,
            name=service.name,
            department=service.department,
            bring=service.bring,
            halls=[hall.code for hall in plan.rules.halls_for(service.code)],
        )
        for service in plan.rules.services
    ]
    return Offer(services=services, halls=halls)


def openings(uow: UnitOfWork, plan: Plan, service: Service, hall: Hall, now: datetime) -> list[Opening]:
    """Every bookable hour of a hall for a service with its free places, in order; one look at the database."""
    hours = list(bookable_hours(plan.rules, service, hall, plan.calendar, now))
    if not hours:
        return []
    first, last = hours[0].start_at, hours[-1].end_at
    booked = repository.booked_between(uow.session, hall.code, hours[0].windows.code, first, last)
    by_day: dict[date, dict[datetime, int]] = defaultdict(dict)
    for start_at, count in booked.items():
        by_day[start_at.date()][start_at] = count
    return [
        Opening(
            hall=hall.code,
            hall_name=hall.name,
            windows=hour.windows.name,
            start_at=hour.start_at,
            end_at=hour.end_at,
            capacity=hour.capacity,
            free=free_places(hour, by_day[hour.start_at.date()]),
        )
        for hour in hours
    ]
