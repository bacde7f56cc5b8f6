"""What a staff member was told, and what of it they have read: kept for each person, whoever else was told the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from services.accounts.schemas import StaffUser
from services.core.database import UnitOfWork
from services.core.events import Event
from services.core.wire import Id
from services.notifications import repository
from services.notifications.city import console_words
from services.notifications.models import StaffNotice
from services.notifications.schemas import LOUD_KINDS

PAGE = 50
# What was told before that counts as read: somebody new is not greeted by the history of their department.
UNREAD_FOR = timedelta(days=30)
# More are not counted.
MOST_UNREAD = 100
# Of the unread ones that a bell has at hand.
NEWS = 10
# Marked at once by "all"; who has more marks again.
MOST_MARKED = 2000


@dataclass(frozen=True)
class StaffTold(Event):
    """A recipient of `tell_staff` was told something, or has read it; an open bell may look at once."""

    recipient: str


class Notice(BaseModel):
    """`title` and `text` are for people; `loud` ones ring. `body` holds references, never text of a citizen."""

    id: int
    kind: str
    title: str
    text: str
    loud: bool
    read: bool
    body: dict[str, Any]
    at: datetime


class Unread(BaseModel):
    """How many a person has not read (100 stands for as many and more), and the newest of them."""

    unread: int
    news: list[Notice]


class ReadIn(BaseModel):
    """Exactly one is given."""

    ids: Annotated[list[Id], Field(max_length=MOST_UNREAD)] | None = None
    case_no: Annotated[str, Field(min_length=1, max_length=24)] | None = None
    upto: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> "ReadIn":
        if sum(given is not None for given in (self.ids, self.case_no, self.upto)) != 1:
            raise ValueError("exactly one of ids, case_no and upto")
        return self


def recipients_of(user: StaffUser) -> list[str]:
    """Everything that `tell_staff` may call this person."""
    own = [f"user:{user.name}", f"role:{user.role}"]
    return [*own, f"department:{user.department}"] if user.department else own


def notices(uow: UnitOfWork, user: StaffUser, *, before: int | None = None) -> list[Notice]:
    """One page of what a person was told, the newest first."""
    rows = repository.notices_for(uow.session, recipients_of(user), PAGE, before)
    known = repository.read_ids(uow.session, user.name, [row.id for row in rows])
    return [_shown(row, row.id in known) for row in rows]


def unread(uow: UnitOfWork, user: StaffUser, now: datetime) -> Unread:
    rows = repository.unread_notices(uow.session, user.name, recipients_of(user), now - UNREAD_FOR, MOST_UNREAD)
    return Unread(unread=len(rows), news=[_shown(row, False) for row in rows[:NEWS]])


def mark_read(
    uow: UnitOfWork,
    user: StaffUser,
    *,
    now: datetime,
    ids: Sequence[int] | None = None,
    case_no: str | None = None,
    upto: int | None = None,
) -> None:
    """Note that a person has read the notices of these ids, those of a case, or all with an id up to `upto`; of those
    that were told to somebody else nothing happens."""
    recipients, since = recipients_of(user), now - UNREAD_FOR
    if ids is not None:
        found = repository.told_ids(uow.session, recipients, ids)
    elif upto is not None:
        rows = repository.unread_notices(uow.session, user.name, recipients, since, MOST_MARKED, upto)
        found = [row.id for row in rows]
    else:
        rows = repository.unread_notices(uow.session, user.name, recipients, since, MOST_UNREAD)
        found = [row.id for row in rows if row.body.get("case_no") == case_no]
    if found:
        repository.insert_reads(uow.session, user.name, found, now)
        uow.collect(StaffTold(recipients[0]))


def _shown(row: StaffNotice, read: bool) -> Notice:
    title, text = console_words(row.kind, row.body)
    return Notice(
        id=row.id,
        kind=row.kind,
        title=title,
        text=text,
        loud=row.kind in LOUD_KINDS,
        read=read,
        body=row.body,
        at=row.at,
    )
