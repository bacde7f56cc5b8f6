"""A new version of the city's rules or calendar, and what it does to what is booked already.

Nobody is moved who still fits: whose time begins while the hall is open keeps it. Who is booked into a time at which
the hall is closed now is told and keeps the appointment until it is moved or cancelled, and is told again when the
hall opens after all.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from services.appointments import city, repository, texts
from services.appointments.events import AppointmentNews
from services.appointments.models import Appointment, RulesVersion, Slot
from services.appointments.openings import Hour, reminder_for
from services.appointments.plan import Plan, Seat, load_plan
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.notifications import service as notifications
from services.sla import service as sla
from services.sla.schemas import AppliedDocument

DOCUMENT = "appointments"


class _Places(NamedTuple):
    """The places of an hour, 0 of one that is closed now."""

    hall: str
    windows: str
    start_at: datetime
    end_at: datetime
    capacity: int


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[AppliedDocument]:
    """Make appointments.yaml of `directory` the current version; without the file nothing can be booked any more.

    Comes after `sla.apply_city` in the same transaction. Hours ahead get the places of the new rules and calendar;
    whose time changes or is closed now is told so. Raises Unprocessable with one line naming file and line.
    """
    names = {department.name for department in sla.departments(uow)}
    parsed, content = city.read_file(directory, names)
    repository.change_rules(uow.session)
    before = repository.newest_rules(uow.session)
    if before is None and not parsed.services:
        return []
    mark = city.digest(content)
    changed = before is None or before.digest != mark
    number = before.version if before is not None else 0
    if changed:
        number += 1
        uow.session.add(RulesVersion(version=number, digest=mark, content=content, applied_at=now))
        uow.session.flush()
    adjust(uow, Plan(parsed, sla.load_calendar(uow)), now)
    return [AppliedDocument(DOCUMENT, "default", number, changed=changed)]


def follow_notices(uow: UnitOfWork, now: datetime) -> bool:
    """Let the calendar, and the hours by it, follow what this release knows of the State Council's notices; returns
    whether there was something new (`sla.follow_notices`)."""
    if not sla.follow_notices(uow, now):
        return False
    repository.change_rules(uow.session)
    plan = load_plan(uow)
    if plan is not None:
        adjust(uow, plan, now)
    return True


def adjust(uow: UnitOfWork, plan: Plan, now: datetime) -> None:
    """Let what is booked ahead follow the rules of now; nobody may be booking meanwhile (`repository.change_rules`)."""
    slots = repository.future_slots(uow.session, now)
    looked_at = {_follow(uow, plan, one, slot, now) for one, slot in repository.booked_ahead(uow.session, now)}
    uow.session.flush()
    looked_at |= {_counted(plan, slot) for slot in slots}
    crowded = [hours for hours in looked_at if hours is not None and _is_crowded(uow, hours)]
    if crowded:
        stamp = now.astimezone(SHANGHAI).isoformat()
        for recipient in notifications.everybody_who("hears.crowded_hours"):
            notifications.tell_staff(
                uow,
                recipient=recipient,
                kind="appointments_crowded",
                body={"hours": len(crowded)},
                dedupe_key=f"appointments-crowded:{stamp}:{recipient}",
                now=now,
            )


def _follow(uow: UnitOfWork, plan: Plan, one: Appointment, slot: Slot, now: datetime) -> _Places | None:
    """Keep, shift or displace one appointment, and tell whose it is when something is different for them; returns the
    hour that has one more than before."""
    service, hall = plan.service_name(one.service), plan.hall_name(slot.hall)
    seat = plan.seat(one.service, slot)
    if seat is None:
        if one.displaced_at is None:
            one.displaced_at = now
            _tell(uow, one, "closed", texts.closed(service, hall, slot.start_at, slot.end_at), now)
        return None
    was_displaced, one.displaced_at = one.displaced_at is not None, None
    shifted = seat.start_at != slot.start_at
    moved = shifted or seat.hour.windows.code != slot.windows
    if moved:
        _reseat(uow, one, slot, seat)
    if shifted or was_displaced:
        one.remind_at = reminder_for(seat.start_at, plan.rules.rules.remind_at, now)
    if was_displaced:
        _tell(uow, one, "reopened", texts.reopened(service, hall, seat.start_at, seat.end_at), now)
    elif shifted or seat.end_at < slot.end_at:
        _tell(uow, one, "changed", texts.changed(service, hall, seat.start_at, seat.end_at), now)
    return _places(seat.hour) if moved else None


def _reseat(uow: UnitOfWork, one: Appointment, slot: Slot, seat: Seat) -> None:
    repository.give_place_back(uow.session, slot.id)
    one.slot_id = repository.ensure_slot(
        uow.session,
        hall=slot.hall,
        windows=seat.hour.windows.code,
        start_at=seat.start_at,
        end_at=seat.end_at,
        capacity=seat.hour.capacity,
    )
    one.start_at = seat.start_at
    repository.take_place(uow.session, one.slot_id)


def _counted(plan: Plan, slot: Slot) -> _Places | None:
    """Give the slot its end and places of now; returns its hour when that has other places than before."""
    hour = plan.hour_of(slot)
    capacity = hour.capacity if hour is not None else 0
    changed, slot.capacity = capacity != slot.capacity, capacity
    if hour is not None:
        slot.end_at = hour.end_at if hour.start_at == slot.start_at else min(slot.end_at, hour.end_at)
    if not changed:
        return None
    if hour is not None:
        return _places(hour)
    # Only who begins with the slot itself: what is left of the hour may be open and have a slot of its own.
    return _Places(slot.hall, slot.windows, slot.start_at, slot.start_at + timedelta(minutes=1), 0)


def _places(hour: Hour) -> _Places:
    return _Places(hour.hall.code, hour.windows.code, hour.start_at, hour.end_at, hour.capacity)


def _is_crowded(uow: UnitOfWork, hour: _Places) -> bool:
    booked = repository.booked_between(uow.session, hour.hall, hour.windows, hour.start_at, hour.end_at)
    return sum(booked.values()) > hour.capacity


def _tell(uow: UnitOfWork, one: Appointment, what: str, text: str, now: datetime) -> None:
    if one.conversation_id is not None:
        dedupe = f"appointment-{what}:{one.id}:{now.isoformat()}"
        uow.collect(AppointmentNews(one.conversation_id, text, dedupe, now, {"no": one.no, "status": what}))
