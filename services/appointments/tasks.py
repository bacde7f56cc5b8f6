"""Jobs of the worker: each narrows first, then locks a row, looks again and commits on its own."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.appointments import applying, booking, desk, repository, texts, waiting
from services.appointments.events import AppointmentNews
from services.appointments.models import BOOKED, CANCELLED, EXPIRED
from services.appointments.openings import Hour
from services.appointments.plan import Plan, load_plan
from services.appointments.repository import Line
from services.citizens import service as citizens
from services.core.database import Database, UnitOfWork
from services.sla import service as sla

log = structlog.get_logger(__name__)

BATCH = 500
REQUESTS_KEPT = timedelta(days=30)
T = TypeVar("T")


class Swept(NamedTuple):
    reminded: int
    missed: int
    filled: int
    expired: int


def sweep(database: Database, now: datetime, limit: int = BATCH) -> Swept:
    """Remind, mark missed appointments, fill free places, end waiting that cannot be filled any more."""
    with database.unit_of_work(read_only=True) as uow:
        plan = load_plan(uow)
        if plan is None:
            return Swept(0, 0, 0, 0)
        grace = timedelta(minutes=plan.rules.rules.no_show.after_minutes)
        # Nobody is woken by a reminder that could not be sent in time.
        quiet = citizens.is_quiet(citizens.load_rules(uow).reminders.quiet, now)
        reminders = [] if quiet else repository.due_reminders(uow.session, now, limit)
        over = repository.over(uow.session, now - grace, limit)
        lines = waiting.look(uow, plan, now)
    current = plan
    return Swept(
        _each(database, reminders, lambda uow, row_id: _remind(uow, current, row_id, now)),
        _each(database, over, lambda uow, row_id: _miss(uow, current, row_id, now)),
        _each(database, lines.hours[:limit], lambda uow, hour: _fill(uow, hour, now)),
        _each(database, lines.ended[:limit], lambda uow, waiting_id: _expire(uow, waiting_id, now)),
    )


def follow_notices(database: Database, now: datetime) -> bool:
    """Let calendar and hours follow the notices that a new release of this software brings; returns whether it did.

    Whatever follows the calendar's version, running clocks for one, follows then.
    """
    with database.unit_of_work(read_only=True) as uow:
        if not sla.has_new_notices(uow):
            return False
    return database.write(lambda uow: applying.follow_notices(uow, now))


def tidy(database: Database, now: datetime, retention: timedelta) -> None:
    """Remove numbers and names past the retention, and keys of requests that nobody repeats any more."""

    def step(uow: UnitOfWork) -> None:
        repository.forget_persons(uow.session, now - retention)
        repository.delete_requests(uow.session, now - REQUESTS_KEPT)

    database.write(step)


def _each(database: Database, found: Sequence[T], step: Callable[[UnitOfWork, T], int]) -> int:
    total = 0
    for one in found:
        try:
            total += database.write(lambda uow, one=one: step(uow, one))  # type: ignore[misc]
        except SQLAlchemyError as error:
            row = one if isinstance(one, int) else None
            log.error("appointment not swept", row=row, kind=type(error).__name__)
    return total


def _remind(uow: UnitOfWork, plan: Plan, row_id: int, now: datetime) -> int:
    row = repository.lock_appointment(uow.session, row_id)
    if row is None or row.remind_at is None or row.remind_at > now:
        return 0
    row.remind_at = None
    slot = repository.slot(uow.session, row.slot_id)
    if row.status != BOOKED or slot.start_at <= now or row.conversation_id is None or row.displaced_at is not None:
        return 0
    if "appointment" not in citizens.choices(uow, row.conversation_id):
        return 0
    service, hall = plan.rules.service(row.service), plan.rules.hall(slot.hall)
    text = texts.reminder(
        plan.service_name(row.service),
        plan.hall_name(slot.hall),
        hall.address if hall else "",
        slot.start_at,
        slot.end_at,
        service.bring if service else "",
        now,
    )
    # A moved appointment is reminded of again, for its new hour.
    dedupe = f"appointment-reminder:{row.id}:{int(slot.start_at.timestamp())}"
    data = {"kind": "appointment", "no": row.no, "status": BOOKED}
    uow.collect(AppointmentNews(row.conversation_id, text, dedupe, now, data))
    return 1


def _miss(uow: UnitOfWork, plan: Plan, row_id: int, now: datetime) -> int:
    row = repository.lock_appointment(uow.session, row_id)
    if row is None or row.status != BOOKED:
        return 0
    slot = repository.slot(uow.session, row.slot_id)
    if slot.end_at + timedelta(minutes=plan.rules.rules.no_show.after_minutes) > now:
        return 0
    if row.displaced_at is not None:
        # The hall was closed: nobody could come. The appointment ends without blame.
        row.status, row.closed_at, row.remind_at = CANCELLED, now, None
        return 0
    desk.mark_missed(uow, plan, row, slot, "system", now)
    return 1


def _fill(uow: UnitOfWork, hour: Hour, now: datetime) -> int:
    plan = booking.hold_plan(uow)
    again = plan.hour_at(hour.hall.code, hour.windows.code, hour.start_at)
    return booking.fill(uow, plan, again, now) if again is not None else 0


def _expire(uow: UnitOfWork, waiting_id: int, now: datetime) -> int:
    plan = booking.hold_plan(uow)
    entry = repository.waiting(uow.session, waiting_id)
    if entry is None:
        return 0
    line = Line(entry.hall, entry.service, entry.from_at, entry.until_at)
    if waiting.hours_of(plan, line, now) or not repository.close_waiting(uow.session, waiting_id, EXPIRED, now):
        return 0
    if entry.conversation_id is not None:
        were_hours = plan.hours_for(entry.service, entry.hall, entry.from_at, entry.until_at)
        text = texts.expired if were_hours else texts.no_hours
        said = text(plan.service_name(entry.service), plan.hall_name(entry.hall))
        dedupe = f"appointment-waiting-expired:{entry.id}"
        uow.collect(AppointmentNews(entry.conversation_id, said, dedupe, now, {"status": EXPIRED}))
    return 1
