"""Booking, rescheduling and cancelling: a place is counted in its slot's row in the transaction that gives it away.

The row of an hour is locked, then everybody who is booked within the hour is counted against its places by the rules
of now, which do not change before the transaction ends (`hold_plan`).

Each takes a `key` of the request: asked again with the same key, it gives the first one's result. Locks are taken in
one order (request, appointment, slot, waiting entry, new appointment); what still crosses runs again
(`Database.write`).
"""

import secrets as randomness
from datetime import datetime, timedelta
from typing import Any, Literal

from services.appointments import blocks, people, repository, texts, views
from services.appointments.events import AppointmentNews
from services.appointments.models import BOOKED, CANCELLED, FILLED, WAITING, Appointment, Slot
from services.appointments.openings import Hour, bookable_days, free_places, limits_of, reminder_for
from services.appointments.plan import Plan, load_plan
from services.appointments.schemas import AppointmentOut, Hall, Person, Service
from services.citizens import service as citizens
from services.core import audit
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound

Origin = Literal["citizen", "staff"]
Reason = Literal["unknown", "closed", "early", "late", "full", "blocked", "live", "limit", "over", "free", "unverified"]

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 8
FILLED_AT_ONCE = 200


class Refused(Conflict):
    """A booking that the rules do not allow; `reason` says which, `until` when a block ends."""

    title = "不能预约"

    def __init__(self, reason: Reason, detail: str, *, until: datetime | None = None) -> None:
        super().__init__(detail, reason=reason)
        if until is not None:
            self.extra["until"] = until.isoformat()
        self.reason: Reason = reason
        self.until = until


def require_plan(uow: UnitOfWork) -> Plan:
    plan = load_plan(uow)
    if plan is None:
        raise Refused("unknown", "本市还没有开通在线预约")
    return plan


def hold_plan(uow: UnitOfWork) -> Plan:
    """Like `require_plan`, for whoever gives places away: no new rules are applied before this transaction ends."""
    repository.keep_rules(uow.session)
    return require_plan(uow)


def offered(plan: Plan, service: str, hall: str) -> tuple[Service, Hall]:
    """The service and the hall by their codes. Raises Refused when that hall does not do it."""
    found, place = plan.rules.service(service), plan.rules.hall(hall)
    if found is None or place is None or place.windows_for(service) is None:
        raise Refused("unknown", "没有这个预约事项或办理地点")
    return found, place


def book(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    key: str,
    person: Person,
    service: str,
    hall: str,
    start_at: datetime,
    now: datetime,
    conversation_id: str | None = None,
    origin: Origin = "citizen",
    actor: str = "citizen",
) -> AppointmentOut:
    """Book the hour that begins at `start_at`. Staff (`origin`) may book up to its beginning and for blocked persons.

    Raises Refused; the caller's transaction then ends without effect.
    """
    plan = hold_plan(uow)
    if not repository.begin_request(uow.session, key, now):
        return _first_result(uow, plan, secrets, key)
    found, place = offered(plan, service, hall)
    hour = _bookable(plan, found, place, start_at, now, staff=origin == "staff")
    who = people.columns(secrets, person)
    if origin == "citizen":
        refuse_unverified(uow, plan, secrets, found, person, conversation_id, now)
        refuse_blocked(uow, plan, who["person_hash"], now)
        if conversation_id is not None:
            ahead = repository.count_ahead(uow.session, conversation_id, now)
            if ahead >= plan.rules.rules.per_conversation:
                raise Refused("limit", f"同时最多有 {plan.rules.rules.per_conversation} 个预约，请先取消不需要的")
    slot_id = _take(uow, hour)
    waits = repository.waits_for(uow.session, who["person_hash"], service)
    if waits is not None:
        repository.close_waiting(uow.session, waits.id, CANCELLED, now)
    made = _insert(uow, plan, who, service, slot_id, hour.start_at, now, origin, conversation_id)
    if made is None:
        raise Refused("live", f"已经有一个{found.name}的预约，不能重复预约；可以改期或取消")
    repository.finish_request(uow.session, key, appointment_id=made)
    return _recorded(uow, plan, secrets, made, "appointment.book", actor, now)


def reschedule(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    key: str,
    no: str,
    start_at: datetime,
    now: datetime,
    hall: str | None = None,
    conversation_id: str | None = None,
    actor: str = "citizen",
) -> AppointmentOut:
    """Move an appointment to another hour, by default in the same hall; it keeps its number and code.

    `conversation_id` restricts to that conversation's own. Raises NotFound and Refused.
    """
    plan = hold_plan(uow)
    if not repository.begin_request(uow.session, key, now):
        return _first_result(uow, plan, secrets, key)
    row = changeable(uow, plan, no, now, conversation_id)
    old = repository.slot(uow.session, row.slot_id)
    found, place = offered(plan, row.service, hall or old.hall)
    hour = _bookable(plan, found, place, start_at, now, staff=actor != "citizen")
    if (place.code, hour.start_at) != (old.hall, old.start_at):
        row.slot_id = _take(uow, hour)
        row.start_at = hour.start_at
        row.displaced_at = None
        row.remind_at = reminder_for(hour.start_at, plan.rules.rules.remind_at, now)
        uow.session.flush()
        _free(uow, plan, old, now)
    repository.finish_request(uow.session, key, appointment_id=row.id)
    return _recorded(uow, plan, secrets, row.id, "appointment.reschedule", actor, now)


def cancel(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    key: str,
    no: str,
    now: datetime,
    conversation_id: str | None = None,
    actor: str = "citizen",
) -> AppointmentOut:
    """Give an appointment back; its place goes to the waiting list. Raises NotFound and Refused."""
    plan = hold_plan(uow)
    if not repository.begin_request(uow.session, key, now):
        return _first_result(uow, plan, secrets, key)
    row = changeable(uow, plan, no, now, conversation_id)
    row.status, row.closed_at, row.remind_at = CANCELLED, now, None
    uow.session.flush()
    _free(uow, plan, repository.slot(uow.session, row.slot_id), now)
    repository.finish_request(uow.session, key, appointment_id=row.id)
    return _recorded(uow, plan, secrets, row.id, "appointment.cancel", actor, now)


def fill(uow: UnitOfWork, plan: Plan, hour: Hour, now: datetime) -> int:
    """Give the free places of an hour to those who wait for it, in order; returns how many got one.

    Not so late that they could not come (`waiting_notice_minutes`). Each is told by AppointmentNews.
    """
    if hour.start_at - now < plan.notice:
        return 0
    count, last = 0, 0
    for _ in range(FILLED_AT_ONCE):
        slot_id = _slot_with_place(uow, hour)
        if slot_id is None:
            break
        entry = repository.next_waiting(uow.session, hour.hall.code, hour.windows.services, hour.start_at, last)
        if entry is None:
            break
        last = entry.id
        if block_of(uow, plan, entry.person_hash, now) is not None:
            continue
        who = {
            "person_hash": entry.person_hash,
            "person_encrypted": entry.person_encrypted,
            "person_masked": entry.person_masked,
            "name_encrypted": entry.name_encrypted,
        }
        made = _insert(uow, plan, who, entry.service, slot_id, hour.start_at, now, WAITING, entry.conversation_id)
        if made is None:
            repository.close_waiting(uow.session, entry.id, CANCELLED, now)
            continue
        repository.take_place(uow.session, slot_id)
        repository.close_waiting(uow.session, entry.id, FILLED, now, made)
        count += 1
        slot = repository.slot(uow.session, slot_id)
        _tell_filled(uow, plan, made, entry.service, slot, entry.conversation_id, now)
    return count


def block_of(uow: UnitOfWork, plan: Plan, person_hash: str, now: datetime) -> datetime | None:
    """Until when this person cannot book, or None."""
    rule = plan.rules.rules.no_show
    since = now - timedelta(days=rule.within_days * 2 + rule.block_days)
    until = blocks.blocked_until(rule, repository.missed_since(uow.session, person_hash, since))
    return until if until is not None and until > now else None


def refuse_blocked(uow: UnitOfWork, plan: Plan, person_hash: str, now: datetime) -> None:
    until = block_of(uow, plan, person_hash, now)
    if until is not None:
        raise Refused("blocked", f"因多次预约未到，{texts.day_of(until)}之前暂不能预约", until=until)


def needs_code(
    uow: UnitOfWork,
    plan: Plan,
    secrets: Secrets,
    service: Service,
    person: Person,
    conversation_id: str | None,
    now: datetime,
) -> bool:
    """Whether this citizen has to verify the phone first: the city asks for it, and it was not verified lately."""
    wanted = plan.rules.rules.verify_phone if service.verify_phone is None else service.verify_phone
    if not wanted or person.kind != "phone" or conversation_id is None:
        return False
    rules = citizens.load_rules(uow).codes
    known = citizens.verified_phone(uow, secrets, rules, citizen=conversation_id, now=now, number=person.number)
    return known is None


def refuse_unverified(
    uow: UnitOfWork,
    plan: Plan,
    secrets: Secrets,
    service: Service,
    person: Person,
    conversation_id: str | None,
    now: datetime,
) -> None:
    if needs_code(uow, plan, secrets, service, person, conversation_id, now):
        raise Refused("unverified", "请先用短信验证码验证手机号")


def appointment_id(no: str) -> int:
    """Raises NotFound for what cannot be a number of ours."""
    digits = no.strip().upper().removeprefix("YY")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise NotFound("没有这个预约")
    return int(digits)


def changeable(uow: UnitOfWork, plan: Plan, no: str, now: datetime, conversation_id: str | None) -> Appointment:
    """The appointment, locked, while it can be moved or cancelled. Somebody else's is NotFound."""
    row = repository.lock_appointment(uow.session, appointment_id(no))
    if row is None or (conversation_id is not None and row.conversation_id != conversation_id):
        raise NotFound("没有这个预约")
    if row.status != BOOKED:
        raise Refused("over", "这个预约已经取消或已经办结")
    found = plan.rules.service(row.service)
    limit = limits_of(plan.rules.rules, found).cancel if found and conversation_id is not None else timedelta()
    if row.start_at - limit <= now:
        raise Refused("late", "已经过了可以改期或取消的时间，请直接联系办理大厅")
    return row


def _bookable(plan: Plan, service: Service, hall: Hall, start_at: datetime, now: datetime, *, staff: bool) -> Hour:
    hour = plan.hour(service, hall, start_at)
    if hour is None:
        raise Refused("closed", f"{hall.name}在这个时间不办理{service.name}")
    limits = limits_of(plan.rules.rules, service)
    if hour.start_at < now + (timedelta() if staff else limits.latest):
        raise Refused("late", "这个时间已经过了可以预约的时候，请选择晚一些的时间")
    if hour.start_at.astimezone(SHANGHAI).date() > bookable_days(limits, now)[1]:
        raise Refused("early", f"{service.name}最多提前 {limits.earliest_days} 天预约")
    return hour


def _free(uow: UnitOfWork, plan: Plan, slot: Slot, now: datetime) -> None:
    """Give a place back; whoever waits for its hour gets it."""
    repository.give_place_back(uow.session, slot.id)
    hour = plan.hour_of(slot)
    if hour is not None:
        fill(uow, plan, hour, now)


def _take(uow: UnitOfWork, hour: Hour) -> int:
    slot_id = _slot_with_place(uow, hour)
    if slot_id is None:
        raise Refused("full", "这个时间已经约满")
    repository.take_place(uow.session, slot_id)
    return slot_id


def _slot_with_place(uow: UnitOfWork, hour: Hour) -> int | None:
    """The slot in which an hour is booked, locked; None when all places of the hour are taken."""
    hall, windows = hour.hall.code, hour.windows.code
    slot_id = repository.ensure_slot(
        uow.session,
        hall=hall,
        windows=windows,
        start_at=hour.start_at,
        end_at=hour.end_at,
        capacity=hour.capacity,
    )
    repository.lock_slot(uow.session, slot_id)
    booked = repository.booked_between(uow.session, hall, windows, hour.start_at, hour.end_at)
    return slot_id if free_places(hour, booked) else None


def _insert(
    uow: UnitOfWork,
    plan: Plan,
    who: dict[str, Any],
    service: str,
    slot_id: int,
    start_at: datetime,
    now: datetime,
    origin: str,
    conversation_id: str | None,
) -> int | None:
    values = {
        **who,
        "service": service,
        "slot_id": slot_id,
        "start_at": start_at,
        "conversation_id": conversation_id,
        "status": BOOKED,
        "origin": origin,
        "code": "".join(randomness.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)),
        "booked_at": now,
        "remind_at": reminder_for(start_at, plan.rules.rules.remind_at, now),
    }
    return repository.insert_appointment(uow.session, values)


def _tell_filled(
    uow: UnitOfWork, plan: Plan, made: int, service: str, slot: Slot, conversation_id: str | None, now: datetime
) -> None:
    no = f"YY{made:08d}"
    detail = {"slot": slot.id, "service": service}
    audit.record(
        uow, actor="waiting list", action="appointment.fill", subject=f"appointment:{no}", now=now, detail=detail
    )
    if conversation_id is not None:
        text = texts.filled(plan.service_name(service), plan.hall_name(slot.hall), slot.start_at, slot.end_at)
        data = {"kind": "appointment", "no": no, "status": BOOKED}
        uow.collect(AppointmentNews(conversation_id, text, f"appointment-filled:{made}", now, data))


def _recorded(
    uow: UnitOfWork, plan: Plan, secrets: Secrets, made: int, action: str, actor: str, now: datetime
) -> AppointmentOut:
    view = _view(uow, plan, secrets, made)
    detail = {"service": view.service, "hall": view.hall, "start_at": view.start_at.isoformat()}
    audit.record(uow, actor=actor, action=action, subject=f"appointment:{view.no}", now=now, detail=detail)
    return view


def _first_result(uow: UnitOfWork, plan: Plan, secrets: Secrets, key: str) -> AppointmentOut:
    done = repository.request(uow.session, key)
    if done is None or done.appointment_id is None:
        raise Conflict("这个请求已经用于别的操作")
    return _view(uow, plan, secrets, done.appointment_id)


def _view(uow: UnitOfWork, plan: Plan, secrets: Secrets, made: int) -> AppointmentOut:
    row = repository.appointment(uow.session, made)
    if row is None:
        raise NotFound("没有这个预约")
    return views.of_appointment(plan, secrets, row, repository.slot(uow.session, row.slot_id), with_code=True)
