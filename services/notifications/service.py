"""The outbox: what must reach somebody is a row in the transaction of the change that caused it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.core.database import Database, UnitOfWork
from services.core.events import Event
from services.notifications import repository
from services.notifications.models import OutboxRow, StaffNotice

log = structlog.get_logger(__name__)

ATTEMPTS_ALLOWED = 12
FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=30)
# How long a sender may take before another worker tries the row again.
SENDING_LEASE = timedelta(seconds=30)

Sender = Callable[[OutboxRow], None]


@dataclass(frozen=True)
class OutboxGrew(Event):
    """A row was added; the worker may look at once."""


def enqueue(
    uow: UnitOfWork,
    *,
    channel: str,
    recipient: str,
    kind: str,
    body: dict[str, Any],
    dedupe_key: str,
    now: datetime,
) -> None:
    """Add a row to the outbox; one with a `dedupe_key` that is there already is silently the first.

    `body` holds references (case number, message id), never text of a citizen.
    """
    repository.insert_if_new(
        uow.session,
        OutboxRow,
        {
            "channel": channel,
            "recipient": recipient,
            "kind": kind,
            "body": body,
            "dedupe_key": dedupe_key,
            "created_at": now,
            "next_attempt_at": now,
            "attempts": 0,
            "dead": False,
        },
    )
    uow.collect(OutboxGrew())


def send_due(database: Database, senders: Mapping[str, Sender], now: datetime, *, limit: int = 200) -> int:
    """Send what is due, each row on its own; returns how many were sent.

    A row is first taken (its next attempt moved ahead, committed), then sent outside of any transaction, then
    marked. A worker that dies in between leaves a row that is sent again: at least once.
    """
    sent = 0
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.due_ids(uow.session, now, limit)
    for row_id in ids:
        with database.unit_of_work() as uow:
            row = repository.lock_due(uow.session, row_id, now)
            if row is None:
                continue
            row.attempts += 1
            row.next_attempt_at = now + SENDING_LEASE
            uow.commit()
        error = _try(senders, row)
        with database.unit_of_work() as uow:
            row = uow.session.merge(row)
            if error is None:
                row.done_at = now
                sent += 1
            else:
                _postpone(row, error, now)
            uow.commit()
    return sent


def deliver_to_staff(database: Database) -> Sender:
    """The sender of channel `staff`: a notice that its readers' console shows."""

    def send(row: OutboxRow) -> None:
        with database.unit_of_work() as uow:
            values = {"outbox_id": row.id, "recipient": row.recipient, "kind": row.kind}
            repository.insert_if_new(uow.session, StaffNotice, {**values, "body": row.body, "at": row.created_at})
            uow.commit()

    return send


def _try(senders: Mapping[str, Sender], row: OutboxRow) -> str | None:
    sender = senders.get(row.channel)
    if sender is None:
        return f"no sender for channel {row.channel}"
    try:
        sender(row)
    except Exception as error:  # a sender may fail in any way; the row says so and is tried again
        log.warning("outbox row not sent", row=row.id, channel=row.channel, kind=type(error).__name__)
        return type(error).__name__
    return None


def _postpone(row: OutboxRow, error: str, now: datetime) -> None:
    row.last_error = error
    if row.attempts >= ATTEMPTS_ALLOWED:
        row.dead = True
        row.done_at = now
        log.error("outbox row is dead", row=row.id, channel=row.channel)
        return
    row.next_attempt_at = now + min(FIRST_RETRY * 2 ** (row.attempts - 1), LONGEST_RETRY)
