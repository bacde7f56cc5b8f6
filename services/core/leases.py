"""Work that one of several workers does at a time, whichever table it stands in.

A lease is taken when the work's turn comes, kept while it lasts, and given back with its result; what came of it is
written only by who still holds it. A worker that dies leaves a lease that runs out, and another one does the work.

    row = lock(uow.session, row_id)                     # SELECT ... FOR UPDATE
    if take(row, holder, now, LEASE): uow.commit()
    with kept(database, lambda uow: renew(uow, Letter, row_id, holder, clock.now(), LEASE), LEASE):
        ...                                             # outside of any transaction
    row = lock(uow.session, row_id)
    if is_held(row, holder):
        ...                                             # write the result
        give_back(row)

A `holder` is a name that nobody else has or had: a new one for each piece of work, or that of somebody who never does
two at once.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Database, UnitOfWork, UtcDateTime

log = structlog.get_logger(__name__)

# A lease is renewed so often before it would end, and so many times: who hangs for longer counts as dead.
RENEWED_WITHIN = 3
RENEWALS = 60


class Leased:
    """The columns of a row that is worked on by one at a time."""

    lease_owner: Mapped[str | None] = mapped_column(sa.String(64))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


def new_holder() -> str:
    """A name that nobody else has."""
    return secrets.token_hex(16)


def take(row: Leased, holder: str, now: datetime, length: timedelta) -> bool:
    """Lease a locked row until `now + length`; False, and nothing changes, while somebody else holds it."""
    if row.lease_owner not in (None, holder) and row.lease_until is not None and row.lease_until > now:
        return False
    row.lease_owner, row.lease_until = holder, now + length
    return True


def is_held(row: Leased, holder: str) -> bool:
    """Whether a locked row is still its holder's: also after its time, as long as nobody else took it."""
    return row.lease_owner == holder


def give_back(row: Leased) -> None:
    row.lease_owner, row.lease_until = None, None


def is_free(table: type[Leased], now: datetime) -> sa.ColumnElement[bool]:
    """For the query that narrows; `take` looks again."""
    return sa.or_(table.lease_until.is_(None), table.lease_until <= now)


def renew(uow: UnitOfWork, table: type[Leased], key: int | str, holder: str, now: datetime, length: timedelta) -> bool:
    """Lengthen the lease of the row with this primary key; False when it is lost."""
    (primary_key,) = sa.inspect(table).primary_key
    statement = (
        sa.update(table)
        .where(primary_key == key, table.lease_owner == holder)
        .values(lease_until=now + length)
        .returning(primary_key)
    )
    return uow.session.execute(statement).first() is not None


@contextmanager
def kept(database: Database, renewal: Callable[[UnitOfWork], bool], length: timedelta) -> Iterator[None]:
    """While the block runs, renew a lease of this length from a thread of its own; `renewal` says whether it is held.

    For work that waits for systems of others, whose time nobody knows.
    """
    over = threading.Event()
    pause = length / RENEWED_WITHIN / timedelta(seconds=1)

    def keep() -> None:
        for _ in range(RENEWALS):
            if over.wait(pause):
                return
            try:
                if not database.write(renewal):
                    return
            except SQLAlchemyError as error:  # tried again before the lease is over
                log.warning("lease not renewed", kind=type(error).__name__)

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
