"""All SQL of appointments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.appointments.models import (
    BOOKED,
    CANCELLED,
    NO_SHOW,
    WAITING,
    Appointment,
    AppointmentRequest,
    RulesVersion,
    Slot,
    WaitingEntry,
)
from services.core.database import Base
from services.core.sql import insert, is_postgresql


def _insert_if_new(session: Session, model: type[Base], values: dict[str, Any]) -> int | None:
    """The new row's id, or None when a unique index knows one like it already.

    On PostgreSQL this waits for another transaction that is about to insert the same.
    """
    key = sa.inspect(model).primary_key[0]
    return session.execute(
        insert(session, model).values(**values).on_conflict_do_nothing().returning(key)
    ).scalar_one_or_none()


# -- rules ----------------------------------------------------------------------------------------------------------


def newest_rules(session: Session) -> RulesVersion | None:
    return session.scalars(sa.select(RulesVersion).order_by(RulesVersion.version.desc()).limit(1)).first()


def keep_rules(session: Session) -> None:
    """No new rules are applied before this transaction ends; any number may do this at once."""
    if is_postgresql(session):
        session.execute(sa.text("LOCK TABLE appointment_rules IN ROW SHARE MODE"))


def change_rules(session: Session) -> None:
    """Wait until nobody books by the rules of before, and let nobody begin (SQLite has one writer)."""
    if is_postgresql(session):
        session.execute(sa.text("LOCK TABLE appointment_rules IN EXCLUSIVE MODE"))


# -- requests -------------------------------------------------------------------------------------------------------


def begin_request(session: Session, key: str, now: datetime) -> bool:
    """True when this key is new; the row becomes visible to others with the commit."""
    statement = insert(session, AppointmentRequest).values(key=key, at=now).on_conflict_do_nothing()
    return session.execute(statement.returning(AppointmentRequest.key)).scalar_one_or_none() is not None


def finish_request(session: Session, key: str, *, appointment_id: int | None, waiting_id: int | None = None) -> None:
    session.execute(
        sa.update(AppointmentRequest)
        .where(AppointmentRequest.key == key)
        .values(appointment_id=appointment_id, waiting_id=waiting_id)
    )


def request(session: Session, key: str) -> AppointmentRequest | None:
    return session.get(AppointmentRequest, key)


def delete_requests(session: Session, before: datetime) -> None:
    session.execute(sa.delete(AppointmentRequest).where(AppointmentRequest.at < before))


# -- slots ----------------------------------------------------------------------------------------------------------


def ensure_slot(
    session: Session, *, hall: str, windows: str, start_at: datetime, end_at: datetime, capacity: int
) -> int:
    values = {"hall": hall, "windows": windows, "start_at": start_at, "end_at": end_at}
    made = _insert_if_new(session, Slot, {**values, "capacity": capacity, "booked": 0})
    if made is not None:
        return made
    return session.scalars(
        sa.select(Slot.id).where(Slot.hall == hall, Slot.windows == windows, Slot.start_at == start_at)
    ).one()


def lock_slot(session: Session, slot_id: int) -> None:
    session.execute(sa.select(Slot.id).where(Slot.id == slot_id).with_for_update())


def take_place(session: Session, slot_id: int) -> None:
    """Count one more in the slot; whoever gives places away has locked it and looked."""
    session.execute(sa.update(Slot).where(Slot.id == slot_id).values(booked=Slot.booked + 1))


def give_place_back(session: Session, slot_id: int) -> None:
    session.execute(sa.update(Slot).where(Slot.id == slot_id).values(booked=Slot.booked - 1))


def slot(session: Session, slot_id: int) -> Slot:
    return session.execute(
        sa.select(Slot).where(Slot.id == slot_id).execution_options(populate_existing=True)
    ).scalar_one()


def booked_between(session: Session, hall: str, windows: str, first: datetime, last: datetime) -> dict[datetime, int]:
    """How many are booked by when their time begins, in [first, last)."""
    rows = session.execute(
        sa.select(Slot.start_at, Slot.booked).where(
            Slot.hall == hall, Slot.windows == windows, Slot.start_at >= first, Slot.start_at < last
        )
    )
    return {start_at: booked for start_at, booked in rows}


def future_slots(session: Session, now: datetime) -> Sequence[Slot]:
    """Every slot ahead, locked: what is booked meanwhile waits."""
    return session.scalars(
        sa.select(Slot)
        .where(Slot.start_at > now)
        .order_by(Slot.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


# -- appointments ---------------------------------------------------------------------------------------------------


def insert_appointment(session: Session, values: dict[str, Any]) -> int | None:
    """The new appointment's id; None when the person has a live one for the service."""
    return _insert_if_new(session, Appointment, values)


def appointment(session: Session, appointment_id: int) -> Appointment | None:
    return session.get(Appointment, appointment_id)


def lock_appointment(session: Session, appointment_id: int) -> Appointment | None:
    return session.scalar(
        sa.select(Appointment)
        .where(Appointment.id == appointment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def id_of_code(session: Session, code: str) -> int | None:
    return session.scalar(sa.select(Appointment.id).where(Appointment.code == code))


def live(session: Session, person_hash: str, service: str) -> Appointment | None:
    return session.scalar(
        sa.select(Appointment).where(
            Appointment.person_hash == person_hash, Appointment.service == service, Appointment.status == BOOKED
        )
    )


def of_conversation(session: Session, conversation_id: str) -> Sequence[Appointment]:
    return session.scalars(
        sa.select(Appointment)
        .where(Appointment.conversation_id == conversation_id, Appointment.status == BOOKED)
        .order_by(Appointment.start_at)
    ).all()


def count_ahead(session: Session, conversation_id: str, now: datetime) -> int:
    return session.scalars(
        sa.select(sa.func.count()).where(
            Appointment.conversation_id == conversation_id, Appointment.status == BOOKED, Appointment.start_at > now
        )
    ).one()


def missed_since(session: Session, person_hash: str, since: datetime) -> Sequence[datetime]:
    """When this person missed appointments; those that the waiting list had filled do not count."""
    return session.scalars(
        sa.select(Appointment.start_at).where(
            Appointment.person_hash == person_hash,
            Appointment.status == NO_SHOW,
            Appointment.start_at >= since,
            Appointment.origin != WAITING,
        )
    ).all()


def of_day(session: Session, hall: str, first: datetime, last: datetime) -> Sequence[tuple[Appointment, Slot]]:
    """Appointments of a hall that were not cancelled, in order."""
    rows = session.execute(
        sa.select(Appointment, Slot)
        .join(Slot, Slot.id == Appointment.slot_id)
        .where(Slot.hall == hall, Slot.start_at >= first, Slot.start_at < last, Appointment.status != CANCELLED)
        .order_by(Slot.start_at, Appointment.id)
    ).all()
    return [(row[0], row[1]) for row in rows]


def booked_ahead(session: Session, now: datetime) -> Sequence[tuple[Appointment, Slot]]:
    """Every appointment ahead with its slot, the appointments locked."""
    rows = session.execute(
        sa.select(Appointment, Slot)
        .join(Slot, Slot.id == Appointment.slot_id)
        .where(Appointment.status == BOOKED, Appointment.start_at > now)
        .order_by(Appointment.id)
        .with_for_update(of=Appointment)
        .execution_options(populate_existing=True)
    ).all()
    return [(row[0], row[1]) for row in rows]


def due_reminders(session: Session, now: datetime, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(Appointment.id).where(Appointment.remind_at <= now).order_by(Appointment.remind_at).limit(limit)
    ).all()


def over(session: Session, before: datetime, limit: int) -> Sequence[int]:
    """Appointments still booked whose hour ended before that moment."""
    return session.scalars(
        sa.select(Appointment.id)
        .join(Slot, Slot.id == Appointment.slot_id)
        .where(Appointment.status == BOOKED, Appointment.start_at < before, Slot.end_at < before)
        .order_by(Appointment.start_at)
        .limit(limit)
    ).all()


def forget_persons(session: Session, before: datetime) -> int:
    """Remove numbers and names of appointments before that moment; the keyed hash stays for the no-show rule."""
    past = sa.update(Appointment).where(Appointment.start_at < before, Appointment.person_encrypted.is_not(None))
    gone = session.execute(past.values(person_encrypted=None, name_encrypted=None, person_masked=""))
    waited = sa.update(WaitingEntry).where(
        WaitingEntry.until_at < before, WaitingEntry.person_encrypted.is_not(None), WaitingEntry.status != WAITING
    )
    session.execute(waited.values(person_encrypted=None, name_encrypted=None, person_masked=""))
    return int(gone.rowcount)  # type: ignore[attr-defined]


# -- the waiting list -----------------------------------------------------------------------------------------------


def insert_waiting(session: Session, values: dict[str, Any]) -> int | None:
    """The new entry's id; None when the person waits for the service already."""
    return _insert_if_new(session, WaitingEntry, values)


def waiting(session: Session, waiting_id: int) -> WaitingEntry | None:
    return session.get(WaitingEntry, waiting_id)


def waits_for(session: Session, person_hash: str, service: str) -> WaitingEntry | None:
    return session.scalar(
        sa.select(WaitingEntry).where(
            WaitingEntry.person_hash == person_hash, WaitingEntry.service == service, WaitingEntry.status == WAITING
        )
    )


def waiting_of_conversation(session: Session, conversation_id: str) -> Sequence[WaitingEntry]:
    return session.scalars(
        sa.select(WaitingEntry)
        .where(WaitingEntry.conversation_id == conversation_id, WaitingEntry.status == WAITING)
        .order_by(WaitingEntry.id)
    ).all()


class Line(NamedTuple):
    """Who waits for a service of a hall in [from_at, until_at)."""

    hall: str
    service: str
    from_at: datetime
    until_at: datetime


def waiting_lines(session: Session, limit: int) -> list[Line]:
    """Every line in which somebody waits, the oldest first."""
    what = (WaitingEntry.hall, WaitingEntry.service, WaitingEntry.from_at, WaitingEntry.until_at)
    rows = session.execute(
        sa.select(*what)
        .where(WaitingEntry.status == WAITING)
        .group_by(*what)
        .order_by(sa.func.min(WaitingEntry.id))
        .limit(limit)
    )
    return [Line(*row) for row in rows]


def waiting_in(session: Session, line: Line, limit: int) -> Sequence[int]:
    return session.scalars(
        sa.select(WaitingEntry.id)
        .where(
            WaitingEntry.status == WAITING,
            WaitingEntry.hall == line.hall,
            WaitingEntry.service == line.service,
            WaitingEntry.from_at == line.from_at,
            WaitingEntry.until_at == line.until_at,
        )
        .order_by(WaitingEntry.id)
        .limit(limit)
    ).all()


def next_waiting(
    session: Session, hall: str, services: Sequence[str], start_at: datetime, after: int
) -> WaitingEntry | None:
    """The first in line behind entry `after` who would take that hour, locked; one that is being filled is left out."""
    return session.scalar(
        sa.select(WaitingEntry)
        .where(
            WaitingEntry.status == WAITING,
            WaitingEntry.hall == hall,
            WaitingEntry.service.in_(services),
            WaitingEntry.from_at <= start_at,
            WaitingEntry.until_at > start_at,
            WaitingEntry.id > after,
        )
        .order_by(WaitingEntry.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def close_waiting(
    session: Session, waiting_id: int, status: str, now: datetime, appointment_id: int | None = None
) -> bool:
    """End an entry that still waits; False when it does not any more."""
    closed = session.execute(
        sa.update(WaitingEntry)
        .where(WaitingEntry.id == waiting_id, WaitingEntry.status == WAITING)
        .values(status=status, closed_at=now, appointment_id=appointment_id)
        .returning(WaitingEntry.id)
    )
    return closed.scalar_one_or_none() is not None


def count_waiting_ahead(session: Session, entry: WaitingEntry) -> int:
    """How many in the same line, for overlapping hours, stand before this entry."""
    return session.scalars(
        sa.select(sa.func.count()).where(
            WaitingEntry.status == WAITING,
            WaitingEntry.hall == entry.hall,
            WaitingEntry.service == entry.service,
            WaitingEntry.from_at < entry.until_at,
            WaitingEntry.until_at > entry.from_at,
            WaitingEntry.id < entry.id,
        )
    ).one()


def count_waiting(session: Session, hall: str, first: datetime, last: datetime) -> int:
    return session.scalars(
        sa.select(sa.func.count()).where(
            WaitingEntry.status == WAITING,
            WaitingEntry.hall == hall,
            WaitingEntry.from_at < last,
            WaitingEntry.until_at > first,
        )
    ).one()


def waiting_between(session: Session, hall: str, first: datetime, last: datetime, limit: int) -> Sequence[WaitingEntry]:
    """Who waits for an hour in [first, last), in order."""
    return session.scalars(
        sa.select(WaitingEntry)
        .where(
            WaitingEntry.status == WAITING,
            WaitingEntry.hall == hall,
            WaitingEntry.from_at < last,
            WaitingEntry.until_at > first,
        )
        .order_by(WaitingEntry.id)
        .limit(limit)
    ).all()
