"""What staff do: the day's list of a hall, check-in, no-show. A clerk of a department sees that department's halls."""

from datetime import date, datetime, timedelta

from services.accounts.schemas import StaffUser
from services.appointments import booking, people, repository, texts, views
from services.appointments.booking import Refused
from services.appointments.events import AppointmentNews
from services.appointments.models import BOOKED, CHECKED_IN, NO_SHOW, SERVED, Appointment, Slot
from services.appointments.plan import Plan
from services.appointments.schemas import AppointmentOut, DayList, HallOut, WaitingPerson
from services.core import audit
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Forbidden, NotFound

WAITING_SHOWN = 200


def day_list(uow: UnitOfWork, secrets: Secrets, *, hall: str, day: date, user: StaffUser) -> DayList:
    """A hall's appointments of a day (Asia/Shanghai), in order. Raises NotFound for an unknown hall."""
    plan = booking.require_plan(uow)
    place = plan.rules.hall(hall)
    if place is None:
        raise NotFound("没有这个大厅")
    first = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    last = first + timedelta(days=1)
    rows = [row for row in repository.of_day(uow.session, hall, first, last) if may_serve(plan, row[0].service, user)]
    counts = {status: sum(row.status == status for row, _ in rows) for status in (BOOKED, CHECKED_IN, SERVED, NO_SHOW)}
    return DayList(
        hall=hall,
        hall_name=place.name,
        day=day,
        waiting=repository.count_waiting(uow.session, hall, first, last),
        appointments=[views.of_appointment(plan, secrets, row, slot) for row, slot in rows],
        **counts,
    )


def check_in_by_code(uow: UnitOfWork, secrets: Secrets, *, code: str, user: StaffUser, now: datetime) -> AppointmentOut:
    """Check in with what the citizen's code or its picture says ("YY00000012-7K3M9Q2F" or its last part)."""
    found = repository.id_of_code(uow.session, code.strip().upper().rpartition("-")[2])
    if found is None:
        raise NotFound("没有这个签到码，请核对")
    return check_in(uow, secrets, no=f"YY{found:08d}", user=user, now=now)


def check_in(uow: UnitOfWork, secrets: Secrets, *, no: str, user: StaffUser, now: datetime) -> AppointmentOut:
    """The person has come, on the day of the appointment; late ones too. Twice is once.

    Raises NotFound, Forbidden, and Refused on another day or when it was cancelled.
    """
    plan, row, slot = _locked(uow, no, user)
    if row.status not in (CHECKED_IN, SERVED):
        if row.status not in (BOOKED, NO_SHOW):
            raise Refused("over", "这个预约已经取消")
        if slot.start_at.astimezone(SHANGHAI).date() != now.astimezone(SHANGHAI).date():
            raise Refused("closed", f"这个预约的日期是{texts.day_of(slot.start_at)}，不是今天")
        row.status, row.closed_at, row.remind_at = CHECKED_IN, now, None
        _record(uow, "appointment.check_in", row, user.name, now)
    return views.of_appointment(plan, secrets, row, slot)


def no_show(uow: UnitOfWork, secrets: Secrets, *, no: str, user: StaffUser, now: datetime) -> AppointmentOut:
    """The person has not come; possible once the hour has begun. Twice is once."""
    plan, row, slot = _locked(uow, no, user)
    if row.status != NO_SHOW:
        if row.status != BOOKED:
            raise Refused("over", "这个预约已经签到或取消")
        if slot.start_at > now:
            raise Refused("early", "预约时间还没有到")
        mark_missed(uow, plan, row, slot, user.name, now)
    return views.of_appointment(plan, secrets, row, slot)


def served(uow: UnitOfWork, secrets: Secrets, *, no: str, user: StaffUser, now: datetime) -> AppointmentOut:
    """The person who checked in has been served. Twice is once. Raises Refused for one who has not checked in."""
    plan, row, slot = _locked(uow, no, user)
    if row.status != SERVED:
        if row.status != CHECKED_IN:
            raise Refused("over", "请先签到，再标记已办")
        row.status, row.closed_at = SERVED, now
        _record(uow, "appointment.served", row, user.name, now)
    return views.of_appointment(plan, secrets, row, slot)


def halls_of(uow: UnitOfWork, user: StaffUser) -> list[HallOut]:
    """The halls where this staff member's department does something, with what it does there."""
    plan = booking.require_plan(uow)
    found = []
    for hall in views.of_rules(plan).halls:
        mine = [code for code in hall.services if may_serve(plan, code, user)]
        if mine:
            found.append(hall.model_copy(update={"services": mine}))
    return found


def waiting_of_day(uow: UnitOfWork, secrets: Secrets, *, hall: str, day: date, user: StaffUser) -> list[WaitingPerson]:
    """Who waits for an hour of this day in a hall (Asia/Shanghai), in the order in which places are given away."""
    plan = booking.require_plan(uow)
    first = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    rows = repository.waiting_between(uow.session, hall, first, first + timedelta(days=1), WAITING_SHOWN)
    return [
        WaitingPerson(
            service_name=plan.service_name(row.service),
            person=row.person_masked,
            name=people.name_of(secrets, row),
            from_at=row.from_at,
            until_at=row.until_at,
            since=row.created_at,
        )
        for row in rows
        if may_serve(plan, row.service, user)
    ]


def mark_missed(uow: UnitOfWork, plan: Plan, row: Appointment, slot: Slot, actor: str, now: datetime) -> None:
    """The locked appointment was missed; the citizen hears of it, and of a block."""
    row.status, row.closed_at, row.remind_at = NO_SHOW, now, None
    uow.session.flush()
    _record(uow, "appointment.no_show", row, actor, now)
    if row.conversation_id is not None:
        until = booking.block_of(uow, plan, row.person_hash, now)
        text = texts.missed(plan.service_name(row.service), slot.start_at, slot.end_at, until)
        data = {"kind": "appointment", "no": row.no, "status": NO_SHOW}
        uow.collect(AppointmentNews(row.conversation_id, text, f"appointment-missed:{row.id}", now, data))


def _locked(uow: UnitOfWork, no: str, user: StaffUser) -> tuple[Plan, Appointment, Slot]:
    plan = booking.require_plan(uow)
    row = repository.lock_appointment(uow.session, booking.appointment_id(no))
    if row is None:
        raise NotFound("没有这个预约")
    if not may_serve(plan, row.service, user):
        raise Forbidden("这个预约由别的部门办理")
    return plan, row, repository.slot(uow.session, row.slot_id)


def require_department(uow: UnitOfWork, user: StaffUser, *, service: str | None = None, no: str | None = None) -> None:
    """Raises Forbidden when the service, or the appointment of that number, is another department's."""
    plan = booking.require_plan(uow)
    row = repository.appointment(uow.session, booking.appointment_id(no)) if no is not None else None
    about = row.service if row is not None else service
    if about is not None and not may_serve(plan, about, user):
        raise Forbidden("这个事项由别的部门办理")


def may_serve(plan: Plan, service: str, user: StaffUser) -> bool:
    """Whether this staff member's department does the service; without a department one does them all."""
    found = plan.rules.service(service)
    return user.department is None or found is None or found.department in (None, user.department)


def _record(uow: UnitOfWork, action: str, row: Appointment, actor: str, now: datetime) -> None:
    audit.record(uow, actor=actor, action=action, subject=f"appointment:{row.no}", now=now)
