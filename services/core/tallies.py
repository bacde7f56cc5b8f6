"""How often somebody did something lately: counted in the database, in the transaction of the act itself.

So the count holds over all processes and replicas, with Redis or without, and what is rolled back was never counted.
`limits` counts what is worth less than a row: requests by the minute.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.core.database import Base, Database, UnitOfWork, UtcDateTime
from services.core.sql import insert

HOUR = timedelta(hours=1)
KEPT = timedelta(days=2)


class Tally(Base):
    """`count` acts of a kind by somebody within an hour. `who` is a keyed hash or the id of a row, never an address."""

    __tablename__ = "tallies"

    what: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    who: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)


def take(uow: UnitOfWork, *, what: str, who: str, limit: int, now: datetime) -> bool:
    """Count one more act within the last sixty minutes; False, and nothing counted, when there were `limit` already.

    What is refused does not count, so nobody stays shut out by trying again. Of the hour before only what is still
    within sixty minutes counts, as if its acts had been spread evenly. The row stays locked until the commit: two
    processes at once count one after the other.
    """
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    still = 1 - (now - hour) / HOUR
    before = uow.session.scalar(sa.select(Tally.count).where(*_key(what, who, hour - HOUR))) or 0
    room = limit - round(before * still)
    if room < 1:
        return False
    fresh = insert(uow.session, Tally).values(what=what, who=who, hour=hour, count=1)
    counted = fresh.on_conflict_do_update(
        index_elements=[Tally.what, Tally.who, Tally.hour],
        set_={"count": Tally.count + 1},
        where=Tally.count < room,
    )
    return uow.session.execute(counted.returning(Tally.count)).first() is not None


def forget(database: Database, now: datetime) -> None:
    """Delete what no count looks at any more. For the worker."""
    database.write(lambda uow: _delete(uow.session, now - KEPT))


def _key(what: str, who: str, hour: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Tally.what == what, Tally.who == who, Tally.hour == hour


def _delete(session: Session, before: datetime) -> None:
    session.execute(sa.delete(Tally).where(Tally.hour < before))
