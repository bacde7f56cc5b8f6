"""An installation of an earlier version, whose confidential cases had drafts from before they were."""

from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import command

from services import schema
from services.core.clock import parse_moment
from services.core.database import Database

BEFORE = "0017"
NOON = parse_moment("2026-11-20T12:00").astimezone(UTC)


def add(database: Database, table: str, **values: Any) -> None:
    tables = sa.MetaData()
    tables.reflect(database.engine, only=[table])
    with database.engine.begin() as connection:
        connection.execute(sa.insert(tables.tables[table]).values(**values))


def test_drafts_of_confidential_cases_are_gone_after_an_upgrade_and_others_are_there(database: Database) -> None:
    schema.METADATA.drop_all(database.engine)
    with database.engine.begin() as connection:
        command.upgrade(schema._config(connection), BEFORE)
    for number, confidential in ((1, True), (2, False)):
        add(
            database,
            "cases",
            id=number,
            case_no=f"GD{number}",
            kind="help",
            department="未分配",
            priority="normal",
            status="reopened",
            channel="web",
            title_encrypted="x",
            event_seq=0,
            cycle=1,
            reopened_count=0,
            counted_from=NOON,
            created_at=NOON,
            created_month="2026-11",
            reply_time_unknown=False,
            confidential=confidential,
        )
        draft = {"origin": f"case:GD{number}", "state": "open", "question": "q", "answer": "a"}
        add(database, "knowledge_drafts", id=number, created_at=NOON, created_by="li", **draft)
    schema.upgrade(database)
    with database.engine.connect() as connection:
        left = connection.execute(sa.text("SELECT origin FROM knowledge_drafts")).scalars().all()
    assert left == ["case:GD2"]
