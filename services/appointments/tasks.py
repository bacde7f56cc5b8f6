"""Jobs of the worker: each narrows first, then locks a row, looks again and commits on its own."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.appointments import booking, desk, repository, texts
from services.appointments.events import AppointmentNews
from services.appointments.models import BOOKED, CANCELLED, EXPIRED
from services.appointments.plan import Plan, load_plan
from services.citizens import service as citizens
from services.core.database import Database, UnitOfWork

log = structlog.get_logger(__name__)

BATCH = 500
REQUESTS_KEPT = timedelta(days=30)


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
        fillable = repository.slots_with_places_and_waiting(uow.session, now + plan.notice, limit)
        expired = repository.expired_waiting(uow.session, now + plan.notice, limit)
    current = plan
    return Swept(
        _each(database, reminders, lambda uow, row_id: _remind(uow, current, row_id, now)),
        _each(database, over, lambda uow, row_id: _miss(uow, current, row_id, now)),
        _each(database, fillable, lambda uow, slot_id: booking.fill(uow, current, slot_id, now)),
        _each(database, expired, lambda uow, waiting_id: _expire(uow, current, waiting_id, now)),
    )


def tidy(database: Database, now: datetime, retention: timedelta) -> None:
    """Remove numbers and names past the retention, and keys of requests that nobody repeats any more."""

    def step(uow: UnitOfWork) -> None:
        repository.forget_persons(uow.session, now - retention)
        repository.delete_requests(uow.session, now - REQUESTS_KEPT)

    database.write(step)


def _each(database: Database, ids: Sequence[int], step: Callable[[UnitOfWork, int], int]) -> int:
    total = 0
    for row_id in ids:
        try:
            total += database.write(lambda uow, row_id=row_id: step(uow, row_id))  # type: ignore[misc]
        except SQLAlchemyError as error:
            log.error("appointment not swept", row=row_id, kind=type(error).__name__)
    return total


def _remind(uow: UnitOfWork, plan: Plan, row_id: int, now: datetime) -> int:
    row = repository.lock_appointment(uow.session, row_id)
    if row is None or row.remind_at is None or row.remind_at > now:
        return 0
    row.remind_at = None
    slot = repository.slot(uow.session, row.slot_id)
    if row.status != BOOKED or slot.start_at <= now or row.conversation_id is None:
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
    if plan.capacity_of(slot) == 0:
        # The hall was closed: nobody could come. The appointment ends without blame.
        row.status, row.closed_at, row.remind_at = CANCELLED, now, None
        return 0
    desk.mark_missed(uow, plan, row, slot, "system", now)
    return 1


def _expire(uow: UnitOfWork, plan: Plan, waiting_id: int, now: datetime) -> int:
    entry = repository.waiting(uow.session, waiting_id)
    if entry is None or not repository.close_waiting(uow.session, waiting_id, EXPIRED, now):
        return 0
    if entry.conversation_id is not None:
        text = texts.expired(plan.service_name(entry.service), plan.hall_name(entry.hall))
        dedupe = f"appointment-waiting-expired:{entry.id}"
        uow.collect(AppointmentNews(entry.conversation_id, text, dedupe, now, {"status": EXPIRED}))
    return 1
