"""Tables of appointments. Numbers of persons are encrypted; a keyed hash finds them again."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

BOOKED = "booked"
CHECKED_IN = "checked_in"
SERVED = "served"
CANCELLED = "cancelled"
NO_SHOW = "no_show"

WAITING = "waiting"
FILLED = "filled"
EXPIRED = "expired"


def _partial(name: str, *columns: str, only: str, unique: bool = False) -> sa.Index:
    """An index over the rows for which `only` holds, on both databases."""
    where = sa.text(only)
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class RulesVersion(Base):
    """One applied version of appointments.yaml; the newest counts."""

    __tablename__ = "appointment_rules"

    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(sa.String(64))
    content: Mapped[str] = mapped_column(sa.Text)  # JSON as it was written
    applied_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Slot(Base):
    """One time of one group of windows, with the appointments in it counted. A row is made when its first place is
    asked for.

    `capacity` is what its hour had when the city's rules were applied last, 0 when it had been closed: it tells what a
    new version changed. What can be booked is said by the rules themselves (`openings.free_places`).
    """

    __tablename__ = "appointment_slots"
    __table_args__ = (
        sa.UniqueConstraint("hall", "windows", "start_at"),
        sa.CheckConstraint("booked >= 0", name="booked_not_negative"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    hall: Mapped[str] = mapped_column(sa.String(64))
    windows: Mapped[str] = mapped_column(sa.String(64))
    start_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    capacity: Mapped[int] = mapped_column(sa.Integer)
    booked: Mapped[int] = mapped_column(sa.Integer, default=0)


class Appointment(Base):
    """`start_at` repeats the slot's, for the indexes; a rescheduled appointment stays the same row."""

    __tablename__ = "appointments"
    __table_args__ = (
        # One live appointment per person and service, whoever books at the same moment.
        _partial("uq_appointments_live", "person_hash", "service", only="status = 'booked'", unique=True),
        _partial("ix_appointments_booked", "start_at", only="status = 'booked'"),
        _partial("ix_appointments_reminders", "remind_at", only="remind_at IS NOT NULL"),
        sa.Index("ix_appointments_person", "person_hash", "status"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    service: Mapped[str] = mapped_column(sa.String(64))
    slot_id: Mapped[int] = mapped_column(sa.ForeignKey("appointment_slots.id"), index=True)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    person_hash: Mapped[str] = mapped_column(sa.String(64))
    person_encrypted: Mapped[str | None] = mapped_column(sa.Text)
    person_masked: Mapped[str] = mapped_column(sa.String(32))
    name_encrypted: Mapped[str | None] = mapped_column(sa.Text)
    conversation_id: Mapped[str | None] = mapped_column(sa.String(36), index=True)
    status: Mapped[str] = mapped_column(sa.String(16))
    origin: Mapped[str] = mapped_column(sa.String(16))  # citizen, staff, waiting
    code: Mapped[str] = mapped_column(sa.String(16), unique=True)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    remind_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Since when the hall is closed at its time; the person was told.
    displaced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def no(self) -> str:
        return f"YY{self.id:08d}"


class WaitingEntry(Base):
    """Somebody who takes the first place that becomes free in [from_at, until_at); the smallest id comes first."""

    __tablename__ = "appointment_waiting"
    __table_args__ = (
        _partial("uq_appointment_waiting_live", "person_hash", "service", only="status = 'waiting'", unique=True),
        _partial("ix_appointment_waiting_line", "hall", "service", "id", only="status = 'waiting'"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    service: Mapped[str] = mapped_column(sa.String(64))
    hall: Mapped[str] = mapped_column(sa.String(64))
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime] = mapped_column(UtcDateTime)
    person_hash: Mapped[str] = mapped_column(sa.String(64))
    person_encrypted: Mapped[str | None] = mapped_column(sa.Text)
    person_masked: Mapped[str] = mapped_column(sa.String(32))
    name_encrypted: Mapped[str | None] = mapped_column(sa.Text)
    conversation_id: Mapped[str | None] = mapped_column(sa.String(36), index=True)
    status: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appointment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("appointments.id"))


class AppointmentRequest(Base):
    """What was asked for with this key has been done; asked again, it gets the same result."""

    __tablename__ = "appointment_requests"

    key: Mapped[str] = mapped_column(sa.String(160), primary_key=True)
    appointment_id: Mapped[int | None] = mapped_column(BIG_ID)
    waiting_id: Mapped[int | None] = mapped_column(BIG_ID)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
