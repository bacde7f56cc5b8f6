"""Rows of any table as lines of JSON, the same from SQLite and from PostgreSQL, and back into either."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

BATCH = 500
# A JSON column may hold nothing (SQL NULL) or the word null: both come back as they were.
JSON_NULL = "null"


def dump(connection: Connection, table: sa.Table, target: IO[bytes]) -> int:
    """Write a line of column names and one line a row; how many rows."""
    names = [column.name for column in table.columns]
    target.write(json.dumps(names).encode() + b"\n")
    columns = [
        sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.JSON) else column
        for column in table.columns
    ]
    count = 0
    found = connection.execution_options(stream_results=True, yield_per=BATCH).execute(
        sa.select(*columns).order_by(*table.primary_key.columns)
    )
    for row in found:
        target.write(json.dumps([_plain(value) for value in row], ensure_ascii=False).encode() + b"\n")
        count += 1
    return count


def load(connection: Connection, table: sa.Table, source: IO[bytes]) -> int:
    """Insert the lines of `dump`; how many rows. `table` is as the database has it now, by reflection."""
    names = json.loads(source.readline())
    columns = [table.columns[name] for name in names]
    is_sqlite = connection.dialect.name == "sqlite"
    count = 0
    for lines in _batches(source):
        rows = [
            {column.name: _of_column(column, value, is_sqlite) for column, value in zip(columns, row, strict=True)}
            for row in lines
        ]
        connection.execute(_insert(table), rows)
        count += len(rows)
    return count


def follow_numbers(connection: Connection, table: sa.Table) -> None:
    """On PostgreSQL: let the numbers that a table gives out go on behind those that it has."""
    key = list(table.primary_key.columns)
    if connection.dialect.name != "postgresql" or len(key) != 1 or not isinstance(key[0].type, sa.Integer):
        return
    name = connection.dialect.identifier_preparer.format_table(table)
    sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(name, key[0].name)))
    highest = connection.scalar(sa.select(sa.func.max(key[0])))
    if sequence is not None and highest is not None:
        connection.execute(sa.select(sa.func.setval(sa.cast(sequence, sa.Text), highest)))


def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table).values(
        {
            column.name: sa.bindparam(column.name, type_=sa.JSON(none_as_null=True))
            for column in table.columns
            if isinstance(column.type, sa.JSON)
        }
    )


def _batches(source: IO[bytes]) -> Iterator[Sequence[list[Any]]]:
    batch: list[list[Any]] = []
    for line in source:
        batch.append(json.loads(line))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"at": (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    return value


def _of_column(column: sa.Column[Any], value: Any, is_sqlite: bool) -> Any:
    if isinstance(column.type, sa.JSON):
        return sa.JSON.NULL if value == JSON_NULL else None if value is None else json.loads(value)
    if not isinstance(value, dict):
        return value
    if "at" in value:
        moment = datetime.fromisoformat(value["at"]).astimezone(UTC)
        return moment.replace(tzinfo=None) if is_sqlite else moment
    return date.fromisoformat(value["day"]) if "day" in value else base64.b64decode(value["bytes"])
