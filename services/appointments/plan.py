"""The city's rules and calendar of the moment, and the applying of a new version."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from services.appointments import city, repository, texts
from services.appointments.events import AppointmentNews
from services.appointments.models import RulesVersion, Slot
from services.appointments.openings import Hour, find_hour
from services.appointments.schemas import AppointmentsFile, Hall, Service, Windows
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.notifications import service as notifications
from services.sla import service as sla
from services.sla.calendar import WorkingCalendar
from services.sla.schemas import AppliedDocument

DOCUMENT = "appointments"


@dataclass(frozen=True)
class Plan:
    """What can be booked, by one version of the rules and the city's calendar."""

    rules: AppointmentsFile
    calendar: WorkingCalendar

    def service_name(self, code: str) -> str:
        found = self.rules.service(code)
        return found.name if found else code

    def hall_name(self, code: str) -> str:
        found = self.rules.hall(code)
        return found.name if found else code

    def windows_of(self, slot: Slot) -> tuple[Hall, Windows] | None:
        """The hall and the windows of a slot, or None when the rules do not know them any more."""
        hall = self.rules.hall(slot.hall)
        found = next((one for one in hall.windows if one.code == slot.windows), None) if hall else None
        return (hall, found) if hall and found else None

    def capacity_of(self, slot: Slot) -> int:
        """The places that this slot has by the rules of now; 0 when it is not open any more."""
        found = self.windows_of(slot)
        if found is None:
            return 0
        hour = find_hour(*found, self.calendar, slot.start_at)
        return hour.capacity if hour is not None and hour.end_at == slot.end_at else 0

    def hour(self, service: Service, hall: Hall, start_at: datetime) -> Hour | None:
        windows = hall.windows_for(service.code)
        return find_hour(hall, windows, self.calendar, start_at) if windows else None

    @property
    def notice(self) -> timedelta:
        """How long before its hour a place is still given to the waiting list."""
        return timedelta(minutes=self.rules.rules.waiting_notice_minutes)


def load_plan(uow: UnitOfWork) -> Plan | None:
    """None while no city with appointments has been applied."""
    version = repository.newest_rules(uow.session)
    if version is None:
        return None
    rules = _parsed(version.content)
    return Plan(rules, sla.load_calendar(uow)) if rules.services else None


@lru_cache(maxsize=4)
def _parsed(content: str) -> AppointmentsFile:
    return AppointmentsFile.model_validate(json.loads(content))


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[AppliedDocument]:
    """Make appointments.yaml of `directory` the current version; without the file nothing can be booked any more.

    Comes after `sla.apply_city` in the same transaction. Hours ahead get the places of the new rules and calendar;
    whoever is booked into one that is closed now is told so. Raises Unprocessable with one line naming file and line.
    """
    names = {department.name for department in sla.departments(uow)}
    parsed, content = city.read_file(directory, names)
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
    _adjust_slots(uow, Plan(parsed, sla.load_calendar(uow)), now)
    return [AppliedDocument(DOCUMENT, "default", number, changed=changed)]


def _adjust_slots(uow: UnitOfWork, plan: Plan, now: datetime) -> None:
    crowded = 0
    for slot in repository.future_slots(uow.session, now):
        capacity = plan.capacity_of(slot)
        if capacity == slot.capacity:
            continue
        slot.capacity = capacity
        crowded += int(slot.booked > capacity)
        if capacity == 0:
            for news in _closed(uow, plan, slot, now):
                uow.collect(news)
    if crowded:
        stamp = now.astimezone(SHANGHAI).isoformat()
        notifications.enqueue(
            uow,
            channel="staff",
            recipient="role:supervisor",
            kind="appointments_crowded",
            body={"hours": crowded},
            dedupe_key=f"appointments-crowded:{stamp}",
            now=now,
        )


def _closed(uow: UnitOfWork, plan: Plan, slot: Slot, now: datetime) -> Iterator[AppointmentNews]:
    for one in repository.booked_in(uow.session, slot.id):
        if one.conversation_id is not None:
            text = texts.closed(plan.service_name(one.service), plan.hall_name(slot.hall), slot.start_at, slot.end_at)
            dedupe = f"appointment-closed:{one.id}:{int(slot.start_at.timestamp())}"
            yield AppointmentNews(one.conversation_id, text, dedupe, now, {"no": one.no, "status": "closed"})
