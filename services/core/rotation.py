"""Re-encryption of everything at rest with the newest secret key: in batches, resumable, beside a running system.

What is encrypted is found by name: text columns that end in `_encrypted`, and those whose `info` says
`{"encrypted": True}`; of a JSON column `{"encrypted": ["field", ...]}` names the sealed fields.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.crypto import Secrets
from services.core.database import ROWS_AT_ONCE, Base, Database, UnitOfWork, UtcDateTime

BATCH = 500
Progress = Callable[[int, int], None]


class KeyRotation(Base):
    """How far the re-encryption of a table with one key has come; `last` is its last row's primary key, as JSON."""

    __tablename__ = "key_rotations"

    key_mark: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    table_name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    last: Mapped[str | None] = mapped_column(sa.Text)
    rows: Mapped[int] = mapped_column(sa.Integer, default=0)
    changed: Mapped[int] = mapped_column(sa.Integer, default=0)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Sealed(NamedTuple):
    """A table with its encrypted columns: fields of a JSON column, or None for a text column."""

    table: sa.Table
    columns: dict[str, list[str] | None]


class Outcome(NamedTuple):
    """Rows looked at, rows re-encrypted, and rows that no key of the list opens (they are left as they are)."""

    rows: int
    changed: int
    unreadable: int


def sealed_tables(metadata: sa.MetaData) -> list[Sealed]:
    """Every table that holds something encrypted, by name."""
    found = []
    for table in sorted(metadata.tables.values(), key=lambda one: one.name):
        columns: dict[str, list[str] | None] = {}
        for column in table.columns:
            marked = column.info.get("encrypted")
            if isinstance(marked, list):
                columns[column.name] = marked
            elif marked or column.name.endswith("_encrypted"):
                columns[column.name] = None
        if columns:
            found.append(Sealed(table, columns))
    return found


def rotate(
    database: Database,
    secrets: Secrets,
    metadata: sa.MetaData,
    moment: Callable[[], datetime],
    *,
    progress: Progress | None = None,
    batch: int = BATCH,
) -> dict[str, Outcome]:
    """Bring every encrypted value to the newest key, by table; one that was broken off goes on where it stopped.

    Each batch is a transaction with its own place to go on from. What the newest key opens is left alone, so a second
    run changes nothing. Start it once every process runs with the new key in front of its list.
    """
    outcomes: dict[str, Outcome] = {}
    with database.unit_of_work(read_only=True) as uow:
        tables = sealed_tables(metadata)
        total = sum(uow.session.scalar(sa.select(sa.func.count()).select_from(one.table)) or 0 for one in tables)
    done = 0
    for sealed in tables:
        rows = changed = unreadable = 0
        for step in _batches(database, secrets, sealed, moment, batch):
            rows, changed, unreadable = rows + step.rows, changed + step.changed, unreadable + step.unreadable
            done += step.rows
            if progress is not None:
                progress(min(done, total), total)
        outcomes[sealed.table.name] = Outcome(rows, changed, unreadable)
    return outcomes


def _batches(
    database: Database, secrets: Secrets, sealed: Sealed, moment: Callable[[], datetime], batch: int
) -> Iterator[Outcome]:
    batch = min(batch, sealed.table.info.get(ROWS_AT_ONCE, batch))
    while True:
        outcome, finished = database.write(lambda uow: _one_batch(uow, secrets, sealed, moment(), batch))
        yield outcome
        if finished:
            return


def _one_batch(uow: UnitOfWork, secrets: Secrets, sealed: Sealed, now: datetime, batch: int) -> tuple[Outcome, bool]:
    table, session = sealed.table, uow.session
    keys = list(table.primary_key.columns)
    state = session.get(KeyRotation, (secrets.newest_mark, table.name), with_for_update=True)
    if state is None:
        state = KeyRotation(key_mark=secrets.newest_mark, table_name=table.name, last=None, rows=0, changed=0)
        session.add(state)
    elif state.finished_at is not None:
        # A later run looks at everything again: a process with the old list may have written in the meantime.
        state.last, state.finished_at = None, None
    wanted = sa.select(*keys, *(table.c[name] for name in sealed.columns)).order_by(*keys).limit(batch)
    if state.last is not None:
        wanted = wanted.where(sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, json.loads(state.last))))
    rows = session.execute(wanted.with_for_update()).mappings().all()
    changed = unreadable = 0
    for row in rows:
        try:
            values = _renewed(secrets, sealed, row)
        except ValueError:
            unreadable += 1
            continue
        if values:
            same_row = sa.and_(*(key == row[key.name] for key in keys))
            session.execute(sa.update(table).where(same_row).values(values))
            changed += 1
    if rows:
        state.last = json.dumps([rows[-1][key.name] for key in keys])
    state.rows, state.changed = state.rows + len(rows), state.changed + changed
    finished = len(rows) < batch
    state.finished_at = now if finished else None
    return Outcome(len(rows), changed, unreadable), finished


def _renewed(secrets: Secrets, sealed: Sealed, row: Any) -> dict[str, Any]:
    """The columns of a row that the newest key does not open yet, re-encrypted. Raises ValueError."""
    values: dict[str, Any] = {}
    for name, fields in sealed.columns.items():
        stored = row[name]
        if stored is None:
            continue
        if fields is None:
            if not secrets.is_newest(stored):
                values[name] = secrets.renew(stored)
            continue
        old = {field: stored[field] for field in fields if field in stored and not secrets.is_newest(stored[field])}
        if old:
            values[name] = {**stored, **{field: secrets.renew(token) for field, token in old.items()}}
    return values
