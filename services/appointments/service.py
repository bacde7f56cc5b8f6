"""Appointments: what can be booked, booking and changing it, the waiting list, the staff's desk.

    appointment = service.book(uow, secrets, key=..., person=Person("phone", number), service="marriage",
                               hall="civil", start_at=moment, conversation_id=..., now=now)

Never commits. Moments are aware, in UTC; days are those of Asia/Shanghai.
"""

from datetime import datetime
from pathlib import Path

from services.appointments import booking, city, repository, views
from services.appointments.agreement import CityFacts, Contradiction, contradictions
from services.appointments.applying import apply_city
from services.appointments.booking import Refused, book, cancel, reschedule
from services.appointments.desk import (
    check_in,
    check_in_by_code,
    day_list,
    halls_of,
    no_show,
    require_department,
    served,
    waiting_of_day,
)
from services.appointments.plan import load_plan
from services.appointments.qr import svg as picture
from services.appointments.schemas import AppointmentOut, Offer, Opening, Person
from services.appointments.waiting import join as join_waiting
from services.appointments.waiting import leave as leave_waiting
from services.appointments.waiting import of_conversation as waiting_of_conversation
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.places import service as places
from services.sla import service as sla
from services.sla.calendar import Span

__all__ = [
    "CityFacts",
    "Contradiction",
    "Person",
    "Refused",
    "apply_city",
    "book",
    "cancel",
    "check_in",
    "check_in_by_code",
    "check_in_text",
    "city_facts",
    "contradictions",
    "day_list",
    "halls_of",
    "join_waiting",
    "leave_waiting",
    "load_plan",
    "needs_code",
    "no_show",
    "of_conversation",
    "offer",
    "openings",
    "picture",
    "read_city_facts",
    "require_department",
    "reschedule",
    "served",
    "waiting_of_conversation",
    "waiting_of_day",
]


def offer(uow: UnitOfWork) -> Offer:
    """Services and halls of the city; both empty when it has no appointments."""
    plan = load_plan(uow)
    return views.of_rules(plan) if plan else Offer(services=[], halls=[])


def openings(uow: UnitOfWork, *, service: str, now: datetime, hall: str | None = None) -> list[Opening]:
    """Every hour that a citizen may book now with its free places, by hall and in order.

    Raises NotFound for an unknown service, and for a hall that does not do it.
    """
    plan = load_plan(uow)
    found = plan.rules.service(service) if plan else None
    if plan is None or found is None:
        raise NotFound("没有这个预约事项")
    halls = [one for one in plan.rules.halls_for(service) if hall in (None, one.code)]
    if not halls:
        raise NotFound("没有这个办理地点")
    return [opening for one in halls for opening in views.openings(uow, plan, found, one, now)]


def city_facts(uow: UnitOfWork) -> CityFacts | None:
    """What the city's applied files say of its halls and services; None without appointments."""
    plan = load_plan(uow)
    return CityFacts(plan.rules, plan.calendar.hours, places.addresses(uow)) if plan else None


def read_city_facts(directory: Path) -> CityFacts:
    """The same of a city's directory. Raises Unprocessable with one line that names file and field."""
    files = sla.read_city(directory)
    rules, _ = city.read_file(directory, {one.name for one in files.departments.departments})
    return CityFacts(rules, tuple(Span(span.start, span.end) for span in files.calendar.hours))


def of_conversation(uow: UnitOfWork, secrets: Secrets, conversation_id: str) -> list[AppointmentOut]:
    """The live appointments that were made in a conversation, with their check-in codes, soonest first."""
    plan = booking.require_plan(uow)
    return [
        views.of_appointment(plan, secrets, row, repository.slot(uow.session, row.slot_id), with_code=True)
        for row in repository.of_conversation(uow.session, conversation_id)
    ]


def needs_code(
    uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, person: Person, service: str, now: datetime
) -> bool:
    """Whether the phone has to be verified before this citizen books this service."""
    plan = booking.require_plan(uow)
    found = plan.rules.service(service)
    return found is not None and booking.needs_code(uow, plan, secrets, found, person, conversation_id, now)


def check_in_text(uow: UnitOfWork, conversation_id: str, no: str) -> str:
    """What the picture of an appointment's check-in code says. Raises NotFound for somebody else's."""
    row = repository.appointment(uow.session, booking.appointment_id(no))
    if row is None or row.conversation_id != conversation_id:
        raise NotFound("没有这个预约")
    return f"{row.no}-{row.code}"
