"""Outbox rows that were given up after too many attempts: a person sees them and sends them again."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import BaseModel

from services.core.audit import record
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.notifications import repository
from services.notifications.service import OutboxGrew

# How people call the channels; those that there are have a sender each (services/senders.py).
CHANNEL_NAMES = {
    "sms": "短信",
    "robot": "群机器人",
    "mail": "邮件",
    "wechat": "微信客服消息",
    "wechat_template": "微信模板消息",
}


class DeadLetter(BaseModel):
    """Where it should have gone and why it did not; what it says stays in the outbox."""

    id: int
    channel: str
    channel_name: str
    kind: str
    attempts: int
    last_error: str | None
    created_at: datetime
    given_up_at: datetime | None


class DeadLetters(BaseModel):
    rows: list[DeadLetter]
    total: int


def dead_letters(uow: UnitOfWork, *, hidden: sa.Select[str], limit: int = 50, offset: int = 0) -> DeadLetters:
    """One page, the newest first; `hidden` selects the numbers of cases that the reader may not know of."""
    rows, total = repository.dead_rows(uow.session, limit, offset, hidden)
    shown = [
        DeadLetter(
            id=row.id,
            channel=row.channel,
            channel_name=CHANNEL_NAMES.get(row.channel, row.channel),
            kind=row.kind,
            attempts=row.attempts,
            last_error=row.last_error,
            created_at=row.created_at,
            given_up_at=row.done_at,
        )
        for row in rows
    ]
    return DeadLetters(rows=shown, total=total)


def resend(uow: UnitOfWork, row_id: int, *, hidden: sa.Select[str], actor: str, now: datetime) -> None:
    """Let the worker try a dead row again, with all its attempts. Raises NotFound for a row that is not dead."""
    row = repository.lock_dead(uow.session, row_id, hidden)
    if row is None:
        raise NotFound("没有这条待重发的消息")
    row.dead, row.done_at, row.attempts, row.next_attempt_at = False, None, 0, now
    record(uow, actor=actor, action="outbox.resend", subject=f"outbox:{row_id}", now=now)
    uow.collect(OutboxGrew())
