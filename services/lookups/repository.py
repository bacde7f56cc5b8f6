"""All SQL of lookups."""

from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from services.lookups.models import LookupJob

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
    insert = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    values = {column.name: getattr(job, column.key) for column in LookupJob.__table__.columns if column.name != "id"}
    statement = insert(LookupJob).values(values).on_conflict_do_nothing().returning(LookupJob.id)
    return session.execute(statement).scalar_one_or_none()


def lock_guesses(session: Session, identifier_hash: str) -> None:
    """Until the transaction ends nobody else counts guesses at this identifier (SQLite has one writer anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        key = int(identifier_hash[:15], 16)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def count_guesses(session: Session, *, since: datetime, conversation_id: str, identifier_hash: str) -> tuple[int, int]:
    """How often this citizen guessed wrongly, and how often anybody did at this identifier."""
    wrong = (
        select(func.count())
        .select_from(LookupJob)
        .where(LookupJob.state.in_(GUESSES), LookupJob.identifier_hash.is_not(None), LookupJob.created_at > since)
    )
    by_citizen = session.scalar(wrong.where(LookupJob.conversation_id == conversation_id)) or 0
    at_identifier = session.scalar(wrong.where(LookupJob.identifier_hash == identifier_hash)) or 0
    return by_citizen, at_identifier


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
            .where(LookupJob.state.in_(UNFINISHED), LookupJob.next_attempt_at <= now)
            .order_by(LookupJob.next_attempt_at)
            .limit(limit)
        )
    )


def lock(session: Session, job_id: int, *, skip_locked: bool = False) -> LookupJob | None:
    """The job, locked for this transaction; None when it is gone or (`skip_locked`) somebody else holds it."""
    return session.scalars(
        select(LookupJob).where(LookupJob.id == job_id).with_for_update(skip_locked=skip_locked)
    ).one_or_none()


def delete_finished(session: Session, *, before: datetime) -> int:
    result = session.execute(delete(LookupJob).where(LookupJob.finished_at < before))
    return int(getattr(result, "rowcount", 0))
