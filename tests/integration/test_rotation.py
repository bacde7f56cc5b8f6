"""Key rotation: everything at rest comes to the newest key, in batches, resumable, and nothing is lost."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from services import schema
from services.appointments.models import Appointment
from services.cli import app
from services.conversations.models import Conversation, Identifier, Message
from services.core import rotation
from services.core.audit import AuditRow
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.errors import Conflict
from services.lookups.models import LookupJob

OLD, NEW = "an old key of the city and long enough", "a new key of the city and long enough"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def fill(database: Database, secrets: Secrets, messages: int = 25) -> None:
    """One conversation with messages, identifiers and a lookup."""
    with database.unit_of_work() as uow:
        uow.session.add(
            Conversation(id="c1", channel="web", token_hash="t", created_at=NOW, last_seq=messages, handler="bot")
        )
        uow.session.flush()
        for seq in range(1, messages + 1):
            extra: dict[str, Any] = {"choice": "x"} if seq % 2 else {"data": secrets.encrypt(json.dumps({"n": seq}))}
            uow.session.add(
                Message(
                    conversation_id="c1",
                    seq=seq,
                    sender="citizen",
                    type="text",
                    text_encrypted=secrets.encrypt(f"第{seq}句"),
                    extra=extra,
                    created_at=NOW,
                )
            )
        uow.session.add(
            Identifier(
                conversation_id="c1",
                placeholder="【车牌1】",
                type="plate",
                value_encrypted=secrets.encrypt("粤B7K392"),
                value_hash=secrets.keyed_hash("plate:粤B7K392"),
                masked="粤B7**92",
                first_seq=1,
            )
        )
        uow.session.add(
            LookupJob(
                conversation_id="c1",
                message_seq=1,
                kind="bill",
                state="done",
                parameters=None,
                result=secrets.encrypt("{}"),
                request_hash="r",
                attempts=1,
                created_at=NOW,
                next_attempt_at=NOW,
                finished_at=NOW,
            )
        )
        uow.commit()


def texts(database: Database, secrets: Secrets) -> list[str]:
    with database.unit_of_work(read_only=True) as uow:
        rows = uow.session.scalars(sa.select(Message).order_by(Message.seq)).all()
        data = [json.loads(secrets.decrypt(row.extra["data"]))["n"] for row in rows if "data" in row.extra]
        assert data == [row.seq for row in rows if row.seq % 2 == 0]
        return [secrets.decrypt(row.text_encrypted) for row in rows]


def test_after_a_rotation_the_new_key_alone_reads_everything_and_hashes_still_find(database: Database) -> None:
    old = Secrets([OLD])
    fill(database, old)
    both = Secrets([NEW, OLD])
    outcomes = rotation.rotate(database, both, schema.METADATA, clock, batch=10)
    assert outcomes["messages"] == rotation.Outcome(25, 25, 0)
    assert outcomes["conversation_identifiers"].changed == 1
    assert outcomes["lookup_jobs"].changed == 1
    alone = Secrets([NEW], hash_secret=OLD)
    assert texts(database, alone) == [f"第{seq}句" for seq in range(1, 26)]
    with database.unit_of_work(read_only=True) as uow:
        found = uow.session.scalars(
            sa.select(Identifier).where(Identifier.value_hash == alone.keyed_hash("plate:粤B7K392"))
        ).one()
    assert alone.decrypt(found.value_encrypted) == "粤B7K392"
    with pytest.raises(ValueError, match="cannot be decrypted"):
        old.decrypt(found.value_encrypted)


def test_a_second_rotation_changes_nothing(database: Database) -> None:
    fill(database, Secrets([OLD]))
    both = Secrets([NEW, OLD])
    rotation.rotate(database, both, schema.METADATA, clock, batch=10)
    again = rotation.rotate(database, both, schema.METADATA, clock, batch=10)
    assert {one.changed for one in again.values()} == {0}
    assert again["messages"].rows == 25


def test_one_that_is_broken_off_goes_on_where_it_stopped(database: Database) -> None:
    fill(database, Secrets([OLD]))
    both = Secrets([NEW, OLD])
    seen: list[int] = []

    class Unplugged(Exception):
        pass

    def unplug(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise Unplugged

    # Tables come by name: one identifier, one lookup job, then ten messages at a time.
    with pytest.raises(Unplugged):
        rotation.rotate(database, both, schema.METADATA, clock, batch=10, progress=unplug)
    with database.unit_of_work(read_only=True) as uow:
        stored = uow.session.scalars(sa.select(Message.text_encrypted).order_by(Message.seq)).all()
        first = [both.is_newest(token) for token in stored]
    resumed = rotation.rotate(database, both, schema.METADATA, clock, batch=10)
    assert resumed["messages"].rows == 25 - sum(first)
    assert texts(database, Secrets([NEW])) == [f"第{seq}句" for seq in range(1, 26)]


def test_what_no_key_opens_is_left_and_counted(database: Database) -> None:
    fill(database, Secrets(["a key that nobody has any more and alas"]), messages=3)
    outcomes = rotation.rotate(database, Secrets([NEW, OLD]), schema.METADATA, clock)
    assert outcomes["messages"] == rotation.Outcome(3, 0, 3)


def test_every_column_whose_name_says_encrypted_is_found() -> None:
    found = {one.table.name: one.columns for one in rotation.sealed_tables(schema.METADATA)}
    assert found["messages"] == {"text_encrypted": None, "extra": ["entities", "data"]}
    assert found["lookup_jobs"] == {"parameters": None, "result": None}
    assert set(found[Appointment.__tablename__]) == {"person_encrypted", "name_encrypted"}
    assert set(found["cases"]) == {"title_encrypted", "words_encrypted"}


def test_a_turn_may_write_while_keys_are_rotated(postgres: Database) -> None:
    fill(postgres, Secrets([OLD]), messages=200)
    both = Secrets([NEW, OLD])

    async def both_at_once() -> None:
        def speak(uow: Any) -> None:
            row = uow.session.get(Message, ("c1", 150))
            row.text_encrypted = both.encrypt("新的一句")

        rotating = asyncio.to_thread(rotation.rotate, postgres, both, schema.METADATA, clock, batch=20)
        speaking = asyncio.to_thread(postgres.write, speak)
        await asyncio.gather(rotating, speaking)

    asyncio.run(both_at_once())
    assert texts(postgres, Secrets([NEW]))[149] == "新的一句"


def test_the_command_rotates_says_how_much_and_leaves_an_audit_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'huiying.db'}"
    database = Database(url)
    schema.upgrade(database)
    fill(database, Secrets([OLD]))
    for name, value in {"HUIYING_VAR": str(tmp_path), "DATABASE_URL": url, "SECRET_KEYS": f"{NEW},{OLD}"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["secrets", "rotate", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["re_encrypted"], figures["unreadable"]) == (27, 0)
    assert texts(database, Secrets([NEW])) == [f"第{seq}句" for seq in range(1, 26)]
    with database.unit_of_work(read_only=True) as uow:
        row = uow.session.scalars(sa.select(AuditRow)).one()
    assert (row.action, row.detail["re_encrypted"]) == ("secrets.rotate", 27)
    monkeypatch.setenv("SECRET_KEYS", "a key that opens nothing at all here")
    refused = CliRunner().invoke(app, ["secrets", "rotate"])
    assert refused.exit_code != 0
    assert isinstance(refused.exception, Conflict)
