"""What a staff member was told, and what of it they have read: kept for each person, whoever else was told the same."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
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


@dataclass(frozen=True)
class Reader:
    """Somebody at their bell. `hidden` are the cases that they may not know of, `pages` gives the pages of those that
    they may open, by number."""

    user: StaffUser
    hidden: sa.Select[str]
    pages: Callable[[Sequence[str]], Mapping[str, str]]


class Notice(BaseModel):
    """`link` is the page that it leads to, None when there is none that this reader may open. `title` and `text` are
    for people; `loud` ones ring. `body` holds references, never text of a citizen."""

    id: int
    link: str | None
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


def notices(uow: UnitOfWork, reader: Reader, *, before: int | None = None) -> list[Notice]:
    """One page of what a person was told, the newest first."""
    rows = repository.notices_for(uow.session, recipients_of(reader.user), reader.hidden, PAGE, before)
    known = repository.read_ids(uow.session, reader.user.name, [row.id for row in rows])
    return _shown(reader, rows, known)


def unread(uow: UnitOfWork, reader: Reader, now: datetime) -> Unread:
    rows = repository.unread_notices(uow.session, _unread(reader, now), MOST_UNREAD)
    return Unread(unread=len(rows), news=_shown(reader, rows[:NEWS], frozenset()))


def mark_read(uow: UnitOfWork, reader: Reader, which: ReadIn, now: datetime) -> None:
    """Note that a person has read the notices of these ids, those of a case, or all with an id up to `upto`; of those
    that were told to somebody else nothing happens."""
    recipients, of = recipients_of(reader.user), _unread(reader, now)
    if which.ids is not None:
        found = list(repository.told_ids(uow.session, recipients, which.ids))
    elif which.upto is not None:
        found = [row.id for row in repository.unread_notices(uow.session, of, MOST_MARKED, which.upto)]
    else:
        rows = repository.unread_notices(uow.session, of, MOST_UNREAD)
        found = [row.id for row in rows if row.body.get("case_no") == which.case_no]
    if found:
        repository.insert_reads(uow.session, reader.user.name, found, now)
        uow.collect(StaffTold(recipients[0]))


def _unread(reader: Reader, now: datetime) -> repository.Unread:
    return repository.Unread(reader.user.name, recipients_of(reader.user), reader.hidden, now - UNREAD_FOR)


def _shown(reader: Reader, rows: Sequence[StaffNotice], known: Collection[int]) -> list[Notice]:
    pages = reader.pages([row.body["case_no"] for row in rows if row.body.get("case_no")])
    shown = []
    for row in rows:
        title, text = console_words(row.kind, row.body)
        shown.append(
            Notice(
                id=row.id,
                link=pages.get(str(row.body.get("case_no"))),
                kind=row.kind,
                title=title,
                text=text,
                loud=row.kind in LOUD_KINDS,
                read=row.id in known,
                body=row.body,
                at=row.at,
            )
        )
    return shown
