"""All SQL of lookups."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from services.core.leases import is_free
from services.core.sql import insert
from services.lookups.guesses import DAY, HOUR, At, Guessed
from services.lookups.models import LookupJob, SystemOutage, SystemWatch

UNFINISHED = ("running", "pending")
# A number that does not exist is as much a guess as one whose check does not fit; what still runs may become one.
GUESSES = ("mismatch", "not_found", *UNFINISHED)


def find(session: Session, conversation_id: str, message_seq: int, kind: str) -> LookupJob | None:
    return session.scalars(
        select(LookupJob).where(
            LookupJob.conversation_id == conversation_id, LookupJob.message_seq == message_seq, LookupJob.kind == kind
        )
    ).one_or_none()


def add_once(session: Session, job: LookupJob) -> int | None:
    """Insert the job; None when there is one of its conversation, message and kind already."""
    values = {column.name: getattr(job, column.key) for column in LookupJob.__table__.columns if column.name != "id"}
    statement = insert(session, LookupJob).values(values).on_conflict_do_nothing().returning(LookupJob.id)
    return session.execute(statement).scalar_one_or_none()


def guessed(session: Session, *, conversation_id: str, origin: str, identifier_hash: str, now: datetime) -> Guessed:
    """What was asked before by this conversation, from this origin and at this identifier."""
    wrong = LookupJob.state.in_(GUESSES), LookupJob.identifier_hash.is_not(None)
    mine, from_here = LookupJob.conversation_id == conversation_id, LookupJob.origin == origin
    this = LookupJob.identifier_hash == identifier_hash
    lately, today = LookupJob.created_at > now - HOUR, LookupJob.created_at > now - DAY
    others = LookupJob.identifier_hash.is_not(None), ~this

    def at(*conditions: ColumnElement[bool]) -> At:
        count, last = session.execute(
            select(func.count(), func.max(LookupJob.created_at)).where(*wrong, this, today, *conditions)
        ).one()
        return At(count, last)

    def count(*conditions: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(LookupJob).where(*conditions)) or 0

    def different(*conditions: ColumnElement[bool]) -> int:
        numbers = select(func.count(func.distinct(LookupJob.identifier_hash)))
        return session.scalar(numbers.where(today, *others, *conditions)) or 0

    return Guessed(
        by_conversation=count(*wrong, lately, mine),
        by_origin=count(*wrong, lately, from_here) if origin else 0,
        from_here=at(from_here),
        from_anywhere=at(),
        identifiers=different(mine),
        identifiers_by_origin=different(from_here) if origin else 0,
        is_known=count(this, mine, LookupJob.state == "done") > 0,
    )


def latest_answer(session: Session, *, request_hash: str, since: datetime) -> LookupJob | None:
    """The newest successful job that asked exactly this."""
    return session.scalars(
        select(LookupJob)
        .where(LookupJob.request_hash == request_hash, LookupJob.finished_at > since, LookupJob.state == "done")
        .order_by(LookupJob.finished_at.desc())
        .limit(1)
    ).one_or_none()


def due(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Ids of jobs that the worker may take, the longest waiting first."""
    return list(
        session.scalars(
            select(LookupJob.id)
            .where(LookupJob.state.in_(UNFINISHED), LookupJob.next_attempt_at <= now, is_free(LookupJob, now))
            .order_by(LookupJob.next_attempt_at)
            .limit(limit)
        )
    )


def lock(session: Session, job_id: int, *, skip_locked: bool = False) -> LookupJob | None:
    """The job, locked for this transaction; None when it is gone or (`skip_locked`) somebody else holds it."""
    return session.scalars(
        select(LookupJob).where(LookupJob.id == job_id).with_for_update(skip_locked=skip_locked)
    ).one_or_none()


def outage(session: Session, kind: str) -> SystemOutage | None:
    return session.get(SystemOutage, kind)


def outages(session: Session) -> list[SystemOutage]:
    return list(session.scalars(select(SystemOutage).order_by(SystemOutage.kind)))


def note_outage(session: Session, kind: str, now: datetime, *, failed: bool) -> datetime:
    """Remember that a system is down; returns since when. `failed`: it has just been tried."""
    latest = now if failed else SystemOutage.last_failure_at
    # One statement: between two of them the outage could be ended by somebody else.
    statement = (
        insert(session, SystemOutage)
        .values(kind=kind, since=now, last_failure_at=now)
        .on_conflict_do_update(index_elements=["kind"], set_={"last_failure_at": latest})
        .returning(SystemOutage.since)
    )
    since: datetime = session.execute(statement).scalar_one()
    return since


def end_outage(session: Session, kind: str, *, unless_failed_after: datetime | None = None) -> None:
    """The system works again, `unless_failed_after` somebody saw it fail since then."""
    ended = delete(SystemOutage).where(SystemOutage.kind == kind)
    if unless_failed_after is not None:
        ended = ended.where(SystemOutage.last_failure_at <= unless_failed_after)
    session.execute(ended)


def add_watch(session: Session, conversation_id: str, kind: str, now: datetime) -> None:
    """Once for each citizen and system."""
    values = {"conversation_id": conversation_id, "kind": kind, "asked_at": now}
    session.execute(insert(session, SystemWatch).values(values).on_conflict_do_nothing())


def fulfilled_watches(session: Session, limit: int) -> list[int]:
    """Ids of watches whose system is not down any more, the longest waiting first."""
    down = select(SystemOutage.kind)
    return list(
        session.scalars(
            select(SystemWatch.id)
            .where(SystemWatch.kind.not_in(down))
            .order_by(SystemWatch.asked_at, SystemWatch.id)
            .limit(limit)
        )
    )


def take_watch(session: Session, watch_id: int) -> SystemWatch | None:
    """The watch, gone with this transaction; None when somebody else took it."""
    watch = session.scalars(
        select(SystemWatch).where(SystemWatch.id == watch_id).with_for_update(skip_locked=True)
    ).one_or_none()
    if watch is not None:
        session.delete(watch)
    return watch


def delete_watches(session: Session, *, before: datetime) -> int:
    result = session.execute(delete(SystemWatch).where(SystemWatch.asked_at < before))
    return int(getattr(result, "rowcount", 0))


def delete_finished(session: Session, *, before: datetime) -> int:
    result = session.execute(delete(LookupJob).where(LookupJob.finished_at < before))
    return int(getattr(result, "rowcount", 0))
