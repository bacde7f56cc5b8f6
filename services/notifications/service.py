"""The outbox: what must reach somebody is a row in the transaction of the change that caused it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.events import Event
from services.notifications import repository
from services.notifications.city import (
    apply_city,
    citizen_words,
    settings,
    staff_words,
    template_message,
    ways,
)
from services.notifications.failures import Later, Refused, Undeliverable, WaitsForVisit
from services.notifications.models import OutboxRow, ReachableAt, StaffNotice

log = structlog.get_logger(__name__)

ATTEMPTS_ALLOWED = 12
FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=30)
# How long a sender may take before another worker tries the row again.
SENDING_LEASE = timedelta(seconds=30)

# How long something waits for a citizen to come back, and how often it is tried meanwhile.
VISIT_KEPT = timedelta(days=90)
VISIT_LOOK = timedelta(days=30)
# Channels through systems of others, which may be slow: they have a loop of their own.
OUTSIDE = ("robot", "mail", "sms", "wechat", "wechat_template")

Sender = Callable[[OutboxRow], None]

__all__ = [
    "OUTSIDE",
    "OutboxGrew",
    "OutboxRow",
    "Sender",
    "apply_city",
    "citizen_is_back",
    "citizen_words",
    "deliver_to_staff",
    "enqueue",
    "reach_at",
    "reached_at",
    "send_due",
    "settings",
    "staff_words",
    "tell_staff",
    "template_message",
]


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
    _insert(uow, channel, recipient, kind, body, dedupe_key, now)
    if channel == "staff":
        for way, name in ways(uow, kind, recipient, body):
            # One notice to several readers of one group is one message there.
            _insert(uow, way, name, kind, body, f"{dedupe_key.removesuffix(recipient)}>{way}:{name}", now)
    uow.collect(OutboxGrew())


def tell_staff(
    uow: UnitOfWork, *, recipient: str, kind: str, body: dict[str, Any], dedupe_key: str, now: datetime
) -> None:
    """Tell staff: at their console, and by the ways of the city's routes; a `dedupe_key` is told once.

    `recipient` is `user:NAME`, `role:NAME` or `department:NAME`. `body` holds references, never text of a citizen.
    """
    enqueue(uow, channel="staff", recipient=recipient, kind=kind, body=body, dedupe_key=dedupe_key, now=now)


def _insert(
    uow: UnitOfWork, channel: str, recipient: str, kind: str, body: dict[str, Any], dedupe_key: str, now: datetime
) -> None:
    values = {"channel": channel, "recipient": recipient, "kind": kind, "body": body, "dedupe_key": dedupe_key}
    times = {"created_at": now, "next_attempt_at": now}
    repository.insert_if_new(uow.session, OutboxRow, {**values, **times, "attempts": 0, "dead": False, "parked": False})


def reach_at(
    uow: UnitOfWork, secrets: Secrets, *, recipient: str, channel: str, account: str, address: str, now: datetime
) -> None:
    """Note how a citizen's conversation is reached on a channel: its account of ours and the address there."""
    sealed = secrets.encrypt(address)
    uow.session.merge(
        ReachableAt(recipient=recipient, channel=channel, account=account, address_encrypted=sealed, heard_at=now)
    )


def reached_at(uow: UnitOfWork, secrets: Secrets, recipient: str, channel: str) -> tuple[str, str] | None:
    """(account, address) of a conversation on a channel, None when it has none."""
    row = repository.reachable_at(uow.session, recipient, channel)
    return (row.account, secrets.decrypt(row.address_encrypted)) if row is not None else None


def citizen_is_back(uow: UnitOfWork, recipient: str, now: datetime) -> None:
    """The citizen has spoken: what waited for that goes out now."""
    repository.release_parked(uow.session, recipient, now)
    uow.collect(OutboxGrew())


def send_due(
    database: Database,
    senders: Mapping[str, Sender],
    now: datetime,
    *,
    limit: int = 200,
    only: Collection[str] | None = None,
    leave: Collection[str] = (),
) -> int:
    """Send what is due, each row on its own; returns how many were sent. `only` and `leave` are channels.

    A row is first taken (its next attempt moved ahead, committed), then sent outside of any transaction, then
    marked. A worker that dies in between leaves a row that is sent again: at least once.
    """
    sent = 0
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.due_ids(uow.session, now, limit, only, leave)
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
            sent += error is None
            _mark(uow, row, error, now)
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


def _try(senders: Mapping[str, Sender], row: OutboxRow) -> Exception | None:
    sender = senders.get(row.channel)
    if sender is None:
        return Refused(f"no sender for channel {row.channel}")
    try:
        sender(row)
    except Exception as error:  # a sender may fail in any way; the row says so and is tried again
        log.warning("outbox row not sent", row=row.id, channel=row.channel, kind=_reason(error))
        return error
    return None


def _reason(error: Exception) -> str:
    """A code, or the name of the error: messages of others may repeat what was to be sent."""
    known = isinstance(error, Undeliverable | WaitsForVisit | Later | Refused)
    return str(error)[:200] if known else type(error).__name__


def _mark(uow: UnitOfWork, row: OutboxRow, error: Exception | None, now: datetime) -> None:
    if error is None:
        row.done_at, row.parked = now, False
        return
    row.last_error = _reason(error)
    match error:
        case Undeliverable():
            _give_up(row, now)
        case Later():
            row.attempts -= 1
            row.next_attempt_at = now + timedelta(seconds=error.seconds)
        case WaitsForVisit() if now - row.created_at < VISIT_KEPT:
            _park(uow, row, now, template=error.template)
        case _:
            _postpone(row, now)


def _park(uow: UnitOfWork, row: OutboxRow, now: datetime, *, template: bool) -> None:
    taken_at = row.next_attempt_at - SENDING_LEASE
    row.attempts = 0
    if any(reach.heard_at > taken_at for reach in repository.lock_reach(uow.session, row.recipient)):
        # The citizen spoke while the platform still said no.
        row.next_attempt_at = now + FIRST_RETRY
        return
    row.parked, row.next_attempt_at = True, now + VISIT_LOOK
    if template:
        _insert(uow, "wechat_template", row.recipient, row.kind, row.body, f"{row.dedupe_key}>template", now)
        uow.collect(OutboxGrew())


def _postpone(row: OutboxRow, now: datetime) -> None:
    if row.attempts >= ATTEMPTS_ALLOWED:
        _give_up(row, now)
    else:
        row.next_attempt_at = now + min(FIRST_RETRY * 2 ** (row.attempts - 1), LONGEST_RETRY)


def _give_up(row: OutboxRow, now: datetime) -> None:
    row.dead, row.done_at, row.parked = True, now, False
    log.error("outbox row is dead", row=row.id, channel=row.channel, kind=row.last_error)
