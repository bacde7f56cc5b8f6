"""What must reach somebody is a row in the transaction of the change that caused it: of the outbox when it goes
through a system of others, of the notices when our own console shows it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.core import leases
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.events import Event
from services.core.permissions import Permission, roles_with
from services.notifications import repository
from services.notifications.bell import Reader, StaffTold, Unread, mark_read, notices, recipients_of, unread
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
# How long a worker that was heard of last while sending a row may be silent before another one tries the row again.
SENDING_LEASE = timedelta(seconds=30)

# How long something waits for a citizen to come back, and how often it is tried meanwhile.
VISIT_KEPT = timedelta(days=90)
VISIT_LOOK = timedelta(days=30)
# Channels through systems of others, which may be slow: each has a loop of its own.
CHANNELS = ("robot", "mail", "sms", "wechat", "wechat_template")

Sender = Callable[[OutboxRow], None]

__all__ = [
    "CHANNELS",
    "OutboxGrew",
    "OutboxRow",
    "Reader",
    "Sender",
    "StaffTold",
    "Unread",
    "apply_city",
    "citizen_is_back",
    "citizen_words",
    "enqueue",
    "mark_read",
    "notices",
    "reach_at",
    "reached_at",
    "recipients_of",
    "send_due",
    "settings",
    "staff_words",
    "tell_staff",
    "template_message",
    "unread",
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

    `channel` is one of CHANNELS: what our own pages and consoles show is no row of the outbox. `body` holds references
    (case number, message id), never text of a citizen. Raises ValueError for a channel that nobody sends.
    """
    if channel not in CHANNELS:
        raise ValueError(f"{channel} is no channel of the outbox")
    values = {"channel": channel, "recipient": recipient, "kind": kind, "body": body, "dedupe_key": dedupe_key}
    state = {"created_at": now, "next_attempt_at": now, "attempts": 0, "dead": False, "parked": False}
    if repository.insert_if_new(uow.session, OutboxRow, {**values, **state}):
        uow.collect(OutboxGrew())


def tell_staff(
    uow: UnitOfWork, *, recipient: str, kind: str, body: dict[str, Any], dedupe_key: str, now: datetime
) -> None:
    """Tell staff: at their console with this very transaction, and by the ways of the city's routes through the outbox.
    What was told under a `dedupe_key` is told once.

    `recipient` is `user:NAME`, `role:NAME` or `department:NAME`. `body` holds references, never text of a citizen.
    """
    values = {"recipient": recipient, "kind": kind, "body": body, "dedupe_key": dedupe_key, "at": now}
    if not repository.insert_if_new(uow.session, StaffNotice, values):
        return
    uow.collect(StaffTold(recipient))
    for way, name in ways(uow, kind, recipient, body):
        # One notice to several readers of one group is one message there.
        key = f"{dedupe_key.removesuffix(recipient)}>{way}:{name}"
        enqueue(uow, channel=way, recipient=name, kind=kind, body=body, dedupe_key=key, now=now)


def everybody_who(permission: Permission) -> list[str]:
    """The recipients for `tell_staff` that are the roles with a right."""
    return [f"role:{role}" for role in roles_with(permission)]


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
    moment: Callable[[], datetime],
    *,
    limit: int = 200,
    only: Collection[str] | None = None,
    lease: timedelta = SENDING_LEASE,
) -> int:
    """Send what is due, each row on its own; returns how many were sent. `only` are channels, `moment` tells the time.

    Each row is leased when its turn comes, sent outside of any transaction with the lease kept up, and marked by who
    still holds it. A worker that dies in between leaves a row that is sent again: at least once.
    """
    with database.unit_of_work(read_only=True) as uow:
        ids = repository.due_ids(uow.session, moment(), limit, only)
    return sum(_send(database, senders, row_id, moment, lease) for row_id in ids)


def _send(
    database: Database, senders: Mapping[str, Sender], row_id: int, moment: Callable[[], datetime], lease: timedelta
) -> bool:
    holder, taken_at = leases.new_holder(), moment()

    def take(uow: UnitOfWork) -> OutboxRow | None:
        row = repository.lock_due(uow.session, row_id, taken_at)
        if row is None or not leases.take(row, holder, taken_at, lease):
            return None
        row.attempts += 1
        return row

    row = database.write(take)
    if row is None:
        return False

    def keep(uow: UnitOfWork) -> bool:
        return leases.renew(uow, OutboxRow, row_id, holder, moment(), lease)

    with leases.kept(database, keep, lease):
        error = _try(senders, row)
    body, now = row.body, moment()

    def mark(uow: UnitOfWork) -> bool:
        row = repository.lock(uow.session, row_id)
        if row is None or not leases.is_held(row, holder):
            return False
        leases.give_back(row)
        row.body = body
        _mark(uow, row, error, taken_at, now)
        return True

    if not database.write(mark):
        log.warning("outbox row was taken over", row=row_id, channel=row.channel)
    return error is None


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


def _mark(uow: UnitOfWork, row: OutboxRow, error: Exception | None, taken_at: datetime, now: datetime) -> None:
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
            _park(uow, row, taken_at, now, template=error.template)
        case _:
            _postpone(row, now)


def _park(uow: UnitOfWork, row: OutboxRow, taken_at: datetime, now: datetime, *, template: bool) -> None:
    row.attempts = 0
    if any(reach.heard_at > taken_at for reach in repository.lock_reach(uow.session, row.recipient)):
        # The citizen spoke while the platform still said no.
        row.next_attempt_at = now + FIRST_RETRY
        return
    row.parked, row.next_attempt_at = True, now + VISIT_LOOK
    if template:
        enqueue(
            uow,
            channel="wechat_template",
            recipient=row.recipient,
            kind=row.kind,
            body=row.body,
            dedupe_key=f"{row.dedupe_key}>template",
            now=now,
        )


def _postpone(row: OutboxRow, now: datetime) -> None:
    if row.attempts >= ATTEMPTS_ALLOWED:
        _give_up(row, now)
    else:
        row.next_attempt_at = now + min(FIRST_RETRY * 2 ** (row.attempts - 1), LONGEST_RETRY)


def _give_up(row: OutboxRow, now: datetime) -> None:
    row.dead, row.done_at, row.parked = True, now, False
    log.error("outbox row is dead", row=row.id, channel=row.channel, kind=row.last_error)
