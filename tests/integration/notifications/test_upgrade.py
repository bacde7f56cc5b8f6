"""What waited in the outbox of an earlier version has arrived after an upgrade, once; on both databases."""

from datetime import UTC, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from services import schema
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.core.clock import parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.notifications import repository
from services.notifications import service as notifications
from services.notifications.models import OutboxRow, StaffNotice

NOON = parse_moment("2026-11-20T12:00").astimezone(UTC)
SECRETS = Secrets(["k" * 40])
BEFORE = "0011"


class Earlier:
    """A database at the revision before, filled by its own statements."""

    def __init__(self, database: Database) -> None:
        self.database = database
        schema.METADATA.drop_all(database.engine)
        with database.engine.begin() as connection:
            command.upgrade(schema._config(connection), BEFORE)
        self.tables = sa.MetaData()
        self.tables.reflect(database.engine)

    def add(self, table: str, **values: Any) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(self.tables.tables[table]).values(**values))

    def letter(self, number: int, channel: str, recipient: str, **values: Any) -> None:
        given = {
            "kind": "case_breach",
            "body": {"case_no": f"GD{number}"},
            "dedupe_key": f"key {number}",
            "created_at": NOON,
            "next_attempt_at": NOON,
            "attempts": 0,
            "dead": False,
            "parked": False,
            **values,
        }
        self.add("outbox", id=number, channel=channel, recipient=recipient, **given)

    def upgrade(self) -> None:
        schema.upgrade(self.database)

    def notices(self, *recipients: str) -> list[StaffNotice]:
        """The oldest first."""
        with self.database.unit_of_work(read_only=True) as uow:
            return list(repository.notices_for(uow.session, recipients, sa.select(sa.literal("")), 50))[::-1]

    def outbox(self) -> list[OutboxRow]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(OutboxRow).order_by(OutboxRow.id)))


@pytest.fixture
def earlier(database: Database) -> Earlier:
    return Earlier(database)


def tell(database: Database, key: str) -> None:
    database.write(
        lambda uow: notifications.tell_staff(
            uow, recipient="role:manager", kind="case_breach", body={}, dedupe_key=key, now=NOON + timedelta(hours=1)
        )
    )


def test_notices_to_staff_that_waited_arrive_once_with_those_that_had(earlier: Earlier) -> None:
    earlier.letter(1, "staff", "role:manager", done_at=NOON)
    earlier.letter(2, "staff", "role:manager", attempts=3)
    earlier.letter(3, "staff", "role:manager", attempts=12, dead=True, done_at=NOON)
    # The outbox's row of the second is not there any more.
    for number in (1, 9):
        notice = {"recipient": "role:manager", "kind": "case_breach", "body": {"case_no": f"GD{number}"}, "at": NOON}
        earlier.add("staff_notices", outbox_id=number, **notice)
    earlier.upgrade()
    assert [(notice.id, notice.body, notice.at) for notice in earlier.notices("role:manager")] == [
        (number, {"case_no": f"GD{number}"}, NOON) for number in (1, 2, 3, 9)
    ]
    tell(earlier.database, "key 2")
    tell(earlier.database, "another")
    *old, new = (notice.id for notice in earlier.notices("role:manager"))
    assert (old, new > 9) == ([1, 2, 3, 9], True)
    assert earlier.outbox() == []


def test_what_a_citizen_was_told_stands_on_the_page_and_is_not_told_again(earlier: Earlier) -> None:
    earlier.add(
        "conversations", id="c1", channel="web", token_hash="t", created_at=NOON, last_seq=3, handler="bot", misses=0
    )
    for seq in (1, 2, 3):
        earlier.add(
            "messages",
            conversation_id="c1",
            seq=seq,
            sender="bot",
            type="text",
            text_encrypted=SECRETS.encrypt(f"第{seq}句"),
            extra={},
            created_at=NOON,
        )
    earlier.letter(1, "web", "c1", kind="conversation.message", body={"seq": 3, "count": 2, "case_no": None})
    earlier.upgrade()
    conversations = Conversations(
        SECRETS,
        city_name="示范市",
        message_limit=2000,
        claim_lapse=timedelta(minutes=15),
    )

    def say(dedupe: str) -> None:
        news = [Outgoing("第2句"), Outgoing("第3句")]
        earlier.database.write(lambda uow: conversations.deliver(uow, "c1", news, NOON, dedupe))

    say("key 1")
    with earlier.database.unit_of_work(read_only=True) as uow:
        assert [message.text for message in conversations.transcript(uow, "c1")] == ["第1句", "第2句", "第3句"]
    say("another")
    with earlier.database.unit_of_work(read_only=True) as uow:
        assert len(conversations.transcript(uow, "c1")) == 5
    assert earlier.outbox() == []


def test_what_goes_through_systems_of_others_still_waits_and_is_sent(earlier: Earlier) -> None:
    earlier.letter(1, "mail", "值班")
    earlier.letter(2, "mail", "值班", attempts=12, dead=True, done_at=NOON, last_error="mail: 550")
    earlier.letter(3, "wechat", "c2", body={"seq": 1, "count": 1, "case_no": None}, parked=True)
    earlier.upgrade()
    assert [(row.id, row.channel, row.dead, row.parked) for row in earlier.outbox()] == [
        (1, "mail", False, False),
        (2, "mail", True, False),
        (3, "wechat", False, True),
    ]
    sent: list[int] = []
    receive = {"mail": lambda row: sent.append(row.id), "wechat": lambda row: sent.append(row.id)}
    assert notifications.send_due(earlier.database, receive, lambda: NOON) == 2
    assert sent == [1, 3]


def test_an_upgrade_can_be_taken_back(earlier: Earlier) -> None:
    earlier.letter(1, "staff", "role:manager")
    earlier.upgrade()
    with earlier.database.engine.begin() as connection:
        command.downgrade(schema._config(connection), BEFORE)
        kept = connection.execute(sa.text("SELECT outbox_id, recipient FROM staff_notices")).all()
    assert [tuple(row) for row in kept] == [(1, "role:manager")]
