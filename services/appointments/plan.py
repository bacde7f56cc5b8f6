"""The city's rules and calendar of the moment."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from services.appointments import repository
from services.appointments.models import Slot
from services.appointments.openings import Hour, find_hour, hour_at, hours_of_day
from services.appointments.schemas import AppointmentsFile, Hall, Service, Windows
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.sla import service as sla
from services.sla.calendar import WorkingCalendar


@dataclass(frozen=True)
class Seat:
    """The time (moments in UTC) at which somebody is served, within an hour that is open."""

    hour: Hour
    start_at: datetime
    end_at: datetime


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

    def hour_at(self, hall: str, windows: str, moment: datetime) -> Hour | None:
        """The hour of these windows within which the moment lies; None when the rules do not know one."""
        place = self.rules.hall(hall)
        found = next((one for one in place.windows if one.code == windows), None) if place else None
        return hour_at(place, found, self.calendar, moment) if place and found else None

    def hour_of(self, slot: Slot) -> Hour | None:
        return self.hour_at(slot.hall, slot.windows, slot.start_at)

    def seat(self, service: str, slot: Slot) -> Seat | None:
        """Where somebody who is booked into the slot for this service is served by the rules of now.

        Whoever's time begins while the hall is open keeps it, to the end of the hour at most. Where the hall opens only
        later within the booked time, it begins then. None when the hall is closed all the time that was booked.
        """
        hall = self.rules.hall(slot.hall)
        windows = hall.windows_for(service) if hall else None
        if hall is None or windows is None:
            return None
        hours = hours_of_day(hall, windows, self.calendar, slot.start_at.astimezone(SHANGHAI).date())
        for hour in hours:
            if hour.start_at == slot.start_at:
                return Seat(hour, hour.start_at, hour.end_at)
            if hour.has(slot.start_at):
                return Seat(hour, slot.start_at, min(slot.end_at, hour.end_at))
            if slot.start_at < hour.start_at < slot.end_at:
                return Seat(hour, hour.start_at, hour.end_at)
        return None

    def hours_for(self, service: str, hall: str, first: datetime, last: datetime) -> list[Hour]:
        """The hours of a service in a hall that begin in [first, last), in order; empty where it is not done."""
        place = self.rules.hall(hall)
        windows = place.windows_for(service) if place else None
        if place is None or windows is None:
            return []
        day, final = first.astimezone(SHANGHAI).date(), last.astimezone(SHANGHAI).date()
        found: list[Hour] = []
        while day <= final:
            hours = hours_of_day(place, windows, self.calendar, day)
            found += [hour for hour in hours if first <= hour.start_at < last]
            day += timedelta(days=1)
        return found

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
