"""Tables of the case desk. What a citizen or a clerk wrote is encrypted; events are only ever appended."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.cases.states import OPEN
from services.core.database import Base, UtcDateTime

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Open ones that nobody works on yet.
QUEUED_STATUSES = ("new", "transferred")
OPEN_STATUSES = OPEN
_OPEN = sa.text("status IN ('new', 'assigned', 'in_progress', 'waiting', 'reopened', 'transferred')")
_RUNNING = sa.text("state = 'running'")
_WAITING = sa.text("status = 'waiting'")
_RINGS = sa.text("ended_at IS NULL")


class Case(Base):
    __tablename__ = "cases"
    __table_args__ = (
        # One open case per conversation, whoever asks twice at once.
        sa.Index(
            "uq_cases_open_conversation", "conversation_id", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN
        ),
        sa.Index("ix_cases_status_next_due_at", "status", "next_due_at"),
        sa.Index("ix_cases_department_status", "department", "status"),
        sa.Index("ix_cases_hold_until", "hold_until", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    case_no: Mapped[str] = mapped_column(sa.String(24), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    department: Mapped[str] = mapped_column(sa.String(64))
    priority: Mapped[str] = mapped_column(sa.String(16), default="normal")
    status: Mapped[str] = mapped_column(sa.String(16))
    channel: Mapped[str] = mapped_column(sa.String(32))
    title_encrypted: Mapped[str] = mapped_column(sa.Text)
    # Without a title the citizen has not said yet what it is about; the first words that do become it. `title_seq` is
    # the message of the conversation that says it.
    titled: Mapped[bool] = mapped_column(sa.Boolean, default=True, server_default=sa.true())
    title_seq: Mapped[int | None] = mapped_column(sa.Integer)
    conversation_id: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    citizen_id: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    transcript_upto: Mapped[int | None] = mapped_column(sa.Integer)
    source_no: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    assignee: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    event_seq: Mapped[int] = mapped_column(sa.Integer, default=0)
    cycle: Mapped[int] = mapped_column(sa.Integer, default=1)
    reopened_count: Mapped[int] = mapped_column(sa.Integer, default=0)
    # The cycle whose first response decides about the case in the figures (docs/time-limits.md), and when it began.
    deciding_cycle: Mapped[int] = mapped_column(sa.Integer, default=1, server_default="1")
    counted_from: Mapped[datetime] = mapped_column(UtcDateTime)
    satisfaction: Mapped[int | None] = mapped_column(sa.Integer)
    # A tip-off: only people named by the city or for this case may know of it.
    confidential: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    # What the classifier took it for (`proposing.Proposal`), and whether a clerk has yet to decide the kind.
    proposal: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    undecided: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    # One of very many alarms from one place: it is heard and listed after the others until somebody takes it.
    doubtful: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    merged_into: Mapped[str | None] = mapped_column(sa.String(24), index=True)
    hold_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How often the citizen wrote since the opening, how much of it whoever has the case has read, since when the rest
    # waits, and the last words, masked and short (hearing.py).
    words: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    words_read: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    unread_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    words_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    words_encrypted: Mapped[str | None] = mapped_column(sa.Text)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # The month of created_at in Shanghai, as "2026-11": neither database groups by it alike.
    created_month: Mapped[str] = mapped_column(sa.String(7))
    next_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_response_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_response_by: Mapped[str | None] = mapped_column(sa.String(64))
    first_response_minutes: Mapped[float | None] = mapped_column(sa.Float)
    first_response_working_minutes: Mapped[float | None] = mapped_column(sa.Float)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolution_minutes: Mapped[float | None] = mapped_column(sa.Float)
    resolution_working_minutes: Mapped[float | None] = mapped_column(sa.Float)
    # When the case stopped being open, by resolving or by closing.
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # An imported case that has a reply but not its time.
    reply_time_unknown: Mapped[bool] = mapped_column(sa.Boolean, default=False)


class CaseEvent(Base):
    __tablename__ = "case_events"
    __table_args__ = (sa.UniqueConstraint("case_id", "seq"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"))
    seq: Mapped[int] = mapped_column(sa.Integer)
    type: Mapped[str] = mapped_column(sa.String(24))
    actor: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text_encrypted: Mapped[str | None] = mapped_column(sa.Text)
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


class CaseClock(Base):
    """One clock: of one case, one target, one cycle. `clockwork.Clock` is the same as a value."""

    __tablename__ = "case_clocks"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "target", "cycle"),
        # Running clocks of an older calendar are the beginning of this index.
        sa.Index("ix_case_clocks_calendar_id", "calendar_id", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"))
    target: Mapped[str] = mapped_column(sa.String(16))
    round: Mapped[int] = mapped_column(sa.Integer, default=1, server_default="1")
    cycle: Mapped[int] = mapped_column(sa.Integer, default=1)
    policy_id: Mapped[int] = mapped_column(sa.ForeignKey("sla_policies.id"))
    policy: Mapped[str] = mapped_column(sa.String(80))
    source: Mapped[str] = mapped_column(sa.Text)
    unit: Mapped[str] = mapped_column(sa.String(16))
    # The duty shift whose hours count; the office hours without one.
    calendar: Mapped[str | None] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16), default="running")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    warning_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    escalate_at: Mapped[datetime] = mapped_column(UtcDateTime)
    provisional: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The version of the city's calendar that the moments were computed with.
    calendar_id: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Every promise that it stands under, as {policy_id, since, why, pauses: [[from, to]], extensions: [[amount, unit]]}
    # with moments in ISO 8601; `counted_from` and `counted_why` are of the one that is due first.
    promises: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    counted_from: Mapped[datetime] = mapped_column(UtcDateTime)
    counted_why: Mapped[str] = mapped_column(sa.String(16))
    # Who had the case in hand when the target was met or missed; empty until then.
    department: Mapped[str | None] = mapped_column(sa.String(64))
    # The moment of the first level that has not been raised; empty when the sweep has nothing to do with this clock,
    # so that a sweep costs what is due and not what is open.
    next_check_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class CaseAlert(Base):
    """A level that was raised. The unique pair is what makes it happen once."""

    __tablename__ = "case_alerts"
    __table_args__ = (sa.UniqueConstraint("clock_id", "level"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    clock_id: Mapped[int] = mapped_column(sa.ForeignKey("case_clocks.id"))
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    level: Mapped[str] = mapped_column(sa.String(16))
    planned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UrgentAlarm(Base):
    """Danger to life that somebody must say 已收到 to, within the minutes that the city said when it was raised.

    It rings until `ended_at`: somebody acknowledged it, or its case asks for nobody any more.
    """

    __tablename__ = "urgent_alarms"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "event_seq"),
        # One rings per case, whoever finds the danger twice at once.
        sa.Index("uq_urgent_alarms_ringing", "case_id", unique=True, postgresql_where=_RINGS, sqlite_where=_RINGS),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"))
    # The event that told of the danger, and the round of the case that it happened in.
    event_seq: Mapped[int] = mapped_column(sa.Integer)
    round: Mapped[int] = mapped_column(sa.Integer)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    within_minutes: Mapped[int] = mapped_column(sa.Integer)
    source: Mapped[str] = mapped_column(sa.Text)
    # When the next on duty is called; empty when there is nothing more to do than to ring.
    next_step_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[str | None] = mapped_column(sa.String(64))
    # Department and post of who acknowledged it, as the citizen reads it.
    acknowledged_as: Mapped[str | None] = mapped_column(sa.String(200))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UrgentStep(Base):
    """Who was alarmed: 0 when the danger was found, then step by step. The unique pair makes each happen once."""

    __tablename__ = "urgent_alarm_steps"
    __table_args__ = (sa.UniqueConstraint("alarm_id", "step"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    alarm_id: Mapped[int] = mapped_column(sa.ForeignKey("urgent_alarms.id"))
    step: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Who of the roster was called by name, and everybody who was told: user:NAME, role:NAME, department:NAME.
    called: Mapped[str | None] = mapped_column(sa.String(64))
    told: Mapped[list[str]] = mapped_column(sa.JSON)


class CaseCounter(Base):
    """The last case number given out per day (of Shanghai)."""

    __tablename__ = "case_counters"

    day: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    last: Mapped[int] = mapped_column(sa.Integer)


class CaseExtension(Base):
    """A request for more time; one per clock waits at a time, and a supervisor decides it."""

    __tablename__ = "case_extensions"
    __table_args__ = (
        sa.Index(
            "uq_case_extensions_pending",
            "clock_id",
            unique=True,
            postgresql_where=sa.text("decision IS NULL"),
            sqlite_where=sa.text("decision IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    clock_id: Mapped[int] = mapped_column(sa.ForeignKey("case_clocks.id"))
    target: Mapped[str] = mapped_column(sa.String(16))
    days: Mapped[int] = mapped_column(sa.Integer)
    reason_encrypted: Mapped[str] = mapped_column(sa.Text)
    asked_by: Mapped[str] = mapped_column(sa.String(64))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decision: Mapped[str | None] = mapped_column(sa.String(16))
    decided_by: Mapped[str | None] = mapped_column(sa.String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CaseAccess(Base):
    """Somebody who may know of this confidential case, besides those that the city names for all of them."""

    __tablename__ = "case_access"

    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True, index=True)
    granted_by: Mapped[str] = mapped_column(sa.String(64))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseTurn(Base):
    """How many cases a queue has dealt out; its row is locked while one is, so two openings never pick blindly."""

    __tablename__ = "case_turns"

    department: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    dealt: Mapped[int] = mapped_column(sa.Integer)


class StaffAbsence(Base):
    """A time in which somebody gets no cases."""

    __tablename__ = "staff_absences"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(sa.String(64))


class AlertLevel(Base):
    """The alert level in force since `at`; the newest row counts. 0 none, 1 the gravest."""

    __tablename__ = "alert_levels"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    level: Mapped[int] = mapped_column(sa.Integer)
    set_by: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class SupervisionReport(Base):
    """The figures of one slot of an alert level's schedule; its moment is what makes it be written once."""

    __tablename__ = "supervision_reports"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    slot_at: Mapped[datetime] = mapped_column(UtcDateTime, unique=True)
    level: Mapped[int] = mapped_column(sa.Integer)
    figures: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseModelRow(Base):
    """A classifier learned from the city's own cases; the newest version is the one in use. `mapping` says what its
    labels are here: {kinds: {label: kind}, departments: {label: department}}."""

    __tablename__ = "case_models"

    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(sa.String(64))
    figures: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    mapping: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    model: Mapped[bytes] = mapped_column(sa.LargeBinary)
