"""The waiting list: whoever stands in it gets the first place that becomes free, in order, and is told.

Filled automatically rather than offered for some minutes: no place stands empty while somebody does not look at
the chat, and the person gives it back with one word. Therefore a place filled in this way never counts as missed, and
is not given away shortly before its hour.
"""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from services.appointments import booking, people, repository, views
from services.appointments.booking import Refused
from services.appointments.models import CANCELLED, WAITING
from services.appointments.openings import Hour, bookable_hours, free_places
from services.appointments.plan import Plan
from services.appointments.repository import Line
from services.appointments.schemas import Person, WaitingOut
from services.core import audit
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict

# Looked at in one round; a line is everybody who waits for the same time.
LINES = 5_000


def join(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    key: str,
    person: Person,
    service: str,
    hall: str,
    from_at: datetime,
    until_at: datetime,
    now: datetime,
    conversation_id: str | None = None,
) -> WaitingOut:
    """Stand in line for any hour that begins in [from_at, until_at); a place that is free already is given at once.

    Raises Refused: `live` for somebody who has an appointment for this service or waits for it already.
    """
    plan = booking.hold_plan(uow)
    if not repository.begin_request(uow.session, key, now):
        return _first_result(uow, secrets, key)
    found, place = booking.offered(plan, service, hall)
    wanted = [
        hour
        for hour in bookable_hours(plan.rules, found, place, plan.calendar, now)
        if from_at <= hour.start_at < until_at and hour.start_at - now >= plan.notice
    ]
    if not wanted:
        raise Refused("late", "这段时间已经来不及排队了，请换个时间")
    who = people.columns(secrets, person)
    booking.refuse_unverified(uow, plan, secrets, found, person, conversation_id, now)
    booking.refuse_blocked(uow, plan, who["person_hash"], now)
    if repository.live(uow.session, who["person_hash"], service) is not None:
        raise Refused("live", f"已经有一个{found.name}的预约，不用排队；可以改期或取消")
    values = {
        **who,
        "service": service,
        "hall": hall,
        "from_at": from_at,
        "until_at": min(until_at, wanted[-1].end_at),
        "conversation_id": conversation_id,
        "status": WAITING,
        "created_at": now,
    }
    made = repository.insert_waiting(uow.session, values)
    if made is None:
        raise Refused("live", f"已经在排{found.name}的队了，有空位会马上通知您")
    repository.finish_request(uow.session, key, appointment_id=None, waiting_id=made)
    audit.record(uow, actor="citizen", action="appointment.wait", subject=f"waiting:{made}", now=now)
    for hour in wanted:
        booking.fill(uow, plan, hour, now)
    return _view(uow, secrets, made)


def hours_of(plan: Plan, line: Line, now: datetime) -> list[Hour]:
    """The hours that somebody who stands in a line can still be given, free or not."""
    return plan.hours_for(line.service, line.hall, max(line.from_at, now + plan.notice), line.until_at)


class Round(NamedTuple):
    """What the waiting list needs now: `hours` with free places for which somebody waits, `ended` the entries whose
    time has no hour any more, each in order."""

    hours: list[Hour]
    ended: list[int]


def look(uow: UnitOfWork, plan: Plan, now: datetime) -> Round:
    """Everything that waits, against the hours of now: also those that the rules have added or taken away since."""
    wanted: dict[tuple[str, str, datetime], Hour] = {}
    ended: list[int] = []
    for line in repository.waiting_lines(uow.session, LINES):
        hours = hours_of(plan, line, now)
        wanted.update({(hour.hall.code, hour.windows.code, hour.start_at): hour for hour in hours})
        if not hours:
            ended += repository.waiting_in(uow.session, line, LINES)
    groups: dict[tuple[str, str], list[Hour]] = defaultdict(list)
    for hall, windows, start_at in sorted(wanted):
        groups[hall, windows].append(wanted[hall, windows, start_at])
    found: list[Hour] = []
    for (hall, windows), hours in groups.items():
        booked = repository.booked_between(uow.session, hall, windows, hours[0].start_at, hours[-1].end_at)
        found += [hour for hour in hours if free_places(hour, booked)]
    return Round(sorted(found, key=lambda hour: hour.start_at), ended)


def leave(uow: UnitOfWork, *, conversation_id: str, now: datetime, service: str | None = None) -> int:
    """End this conversation's waiting, for one service or all; returns how many entries it ended."""
    ended = 0
    for entry in repository.waiting_of_conversation(uow.session, conversation_id):
        if service in (None, entry.service) and repository.close_waiting(uow.session, entry.id, CANCELLED, now):
            ended += 1
            audit.record(uow, actor="citizen", action="appointment.unwait", subject=f"waiting:{entry.id}", now=now)
    return ended


def of_conversation(uow: UnitOfWork, conversation_id: str) -> list[WaitingOut]:
    plan = booking.require_plan(uow)
    entries = repository.waiting_of_conversation(uow.session, conversation_id)
    return [views.of_waiting(uow, plan, entry, None) for entry in entries]


def _first_result(uow: UnitOfWork, secrets: Secrets, key: str) -> WaitingOut:
    done = repository.request(uow.session, key)
    if done is None or done.waiting_id is None:
        raise Conflict("这个请求已经用于别的操作")
    return _view(uow, secrets, done.waiting_id)


def _view(uow: UnitOfWork, secrets: Secrets, made: int) -> WaitingOut:
    plan = booking.require_plan(uow)
    entry = repository.waiting(uow.session, made)
    assert entry is not None
    uow.session.refresh(entry)
    given = None
    if entry.appointment_id is not None:
        row = repository.appointment(uow.session, entry.appointment_id)
        assert row is not None
        given = views.of_appointment(plan, secrets, row, repository.slot(uow.session, row.slot_id), with_code=True)
    return views.of_waiting(uow, plan, entry, given)
