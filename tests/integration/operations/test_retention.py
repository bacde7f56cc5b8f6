"""What is past its time goes, what an open case needs stays; on both databases."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.accounts.models import StaffAccount, StaffSession
from services.cases.models import OPEN_STATUSES
from services.container import DEMO_CITY
from services.conversations.attachments import Attachment
from services.conversations.models import Conversation, Identifier, Message
from services.core import audit
from services.core.audit import AuditRow
from services.core.clock import parse_moment
from services.core.database import Base, Database, UtcDateTime
from services.core.errors import Unprocessable
from services.notifications.models import NoticeRead, StaffNotice
from services.retention import service as retention
from services.retention.tasks import keep
from services.schema import METADATA

NOW = parse_moment("2026-11-16T10:00")


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def talk(database: Database, name: str, at: datetime, messages: int = 3) -> None:
    """A conversation of this moment with messages, a photo and an identifier."""

    own = {"conversation_id": name, "created_at": at}

    def step(uow: Any) -> None:
        known = {"token_hash": f"token-{name}", "origin": f"from-{name}"}
        uow.session.add(Conversation(id=name, channel="web", created_at=at, **known))
        uow.session.flush()
        for seq in range(1, messages + 1):
            words = {"sender": "citizen", "type": "text", "text_encrypted": "x", "state": "done", "extra": {}}
            uow.session.add(Message(seq=seq, **words, **own))
        uow.session.add(Attachment(id=f"file-{name}", seq=1, media_type="image/jpeg", content_encrypted="x", **own))
        uow.session.add(
            Identifier(
                conversation_id=name,
                placeholder="【手机号1】",
                type="phone",
                value_encrypted="x",
                value_hash="h",
                masked="138****0000",
                first_seq=1,
            )
        )

    database.write(step)


def open_case(database: Database, conversation: str, status: str) -> None:
    table = Base.metadata.tables["cases"]
    given: dict[str, Any] = {"case_no": f"GD{conversation}", "conversation_id": conversation, "status": status}
    for column in table.columns:
        if column.name in given or column.nullable or column.primary_key or column.default or column.server_default:
            continue
        given[column.name] = NOW if isinstance(column.type, UtcDateTime) else column.type.python_type()
    database.write(lambda uow: uow.session.execute(sa.insert(table).values(**given)))


def left(database: Database, column: Any) -> set[Any]:
    with database.unit_of_work(read_only=True) as uow:
        return set(uow.session.scalars(sa.select(column)))


def test_each_kind_of_data_goes_when_its_own_time_is_over(database: Database) -> None:
    assert set(OPEN_STATUSES)
    for days in (1, 100, 200, 400, 2000):
        talk(database, f"of {days}", days_ago(days))
    keep(database, NOW, OPEN_STATUSES)
    assert left(database, Identifier.conversation_id) == {"of 1", "of 100"}
    assert left(database, Attachment.conversation_id) == {"of 1", "of 100", "of 200"}
    assert left(database, Message.conversation_id) == {"of 1", "of 100", "of 200", "of 400"}
    live = {token for token in left(database, Conversation.token_hash) if token.startswith("token-")}
    assert live == {"token-of 1"}
    assert left(database, Conversation.origin) == {"from-of 1", ""}


def test_what_belongs_to_an_open_case_stays_until_it_is_settled(database: Database) -> None:
    for status in (*OPEN_STATUSES, "closed"):
        talk(database, status, days_ago(3000))
        open_case(database, status, status)
    keep(database, NOW, OPEN_STATUSES)
    for column in (Message.conversation_id, Attachment.conversation_id, Identifier.conversation_id):
        assert left(database, column) == set(OPEN_STATUSES)


def test_it_works_in_batches_each_with_its_row_in_the_audit_trail_and_goes_on_where_it_stopped(
    database: Database,
) -> None:
    talk(database, "long", days_ago(3000), messages=25)
    rounds = iter([True] * 4 + [False])
    keep(database, NOW, OPEN_STATUSES, go_on=lambda: next(rounds), batch=10)
    assert 0 < len(left(database, Message.seq)) < 25
    keep(database, NOW, OPEN_STATUSES, batch=10)
    assert left(database, Message.seq) == set()
    with database.unit_of_work(read_only=True) as uow:
        rows = uow.session.execute(sa.select(AuditRow.subject, AuditRow.detail)).all()
    assert sum(detail["rows"] for subject, detail in rows if subject == "messages") == 25
    assert max(detail["rows"] for _, detail in rows) <= 10
    before = len(rows)
    assert not any(keep(database, NOW, OPEN_STATUSES).values())
    assert len(left(database, AuditRow.id)) == before


def test_old_logins_and_old_rows_of_the_audit_trail_go(database: Database) -> None:
    def step(uow: Any) -> None:
        uow.session.add(StaffAccount(name="li", role="clerk", password_hash="x", created_at=days_ago(3000)))
        uow.session.flush()
        for mark, days in (("old", 40), ("new", 2)):
            times = {"created_at": days_ago(days + 1), "expires_at": days_ago(days)}
            uow.session.add(StaffSession(token_hash=mark, name="li", **times))
        for days in (1800, 1900):
            audit.record(uow, actor="li", action="test", subject=str(days), now=days_ago(days))

    database.write(step)
    keep(database, NOW, OPEN_STATUSES)
    assert left(database, StaffSession.token_hash) == {"new"}
    assert {subject for subject in left(database, AuditRow.subject) if subject.isdigit()} == {"1800"}


def test_old_notices_to_staff_go_with_who_has_read_them(database: Database) -> None:
    def step(uow: Any) -> None:
        for key, days in (("old", 400), ("new", 300)):
            notice = StaffNotice(recipient="user:li", kind="case_pressed", body={}, dedupe_key=key, at=days_ago(days))
            uow.session.add(notice)
            uow.session.flush()
            uow.session.add(NoticeRead(name="li", notice_id=notice.id, at=days_ago(days)))

    database.write(step)
    keep(database, NOW, OPEN_STATUSES)
    assert left(database, StaffNotice.dedupe_key) == {"new"}
    assert len(left(database, NoticeRead.notice_id)) == 1


def test_a_city_says_for_how_long_and_a_mistake_names_file_and_field(database: Database, tmp_path: Path) -> None:
    def apply(text: str) -> list[Any]:
        (tmp_path / "retention.yaml").write_text(text)
        return database.write(lambda uow: retention.apply_city(uow, tmp_path, NOW))

    talk(database, "of 20", days_ago(20))
    assert apply("messages: {days: 10, source: 规定}")[0].changed
    with pytest.raises(Unprocessable, match=r"retention.yaml: files.days"):
        apply("files: {days: 0}")
    keep(database, NOW, OPEN_STATUSES)
    assert left(database, Message.seq) == set()
    with database.unit_of_work(read_only=True) as uow:
        rules = retention.load_rules(uow)
    assert (rules.messages.days, rules.identifiers.days) == (10, 180)


def test_the_demo_city_gives_a_source_for_every_kind(database: Database) -> None:
    database.write(lambda uow: retention.apply_city(uow, DEMO_CITY, NOW))
    with database.unit_of_work(read_only=True) as uow:
        rules = retention.load_rules(uow)
    assert METADATA.tables["messages"] is Message.__table__
    assert all(kept.source and kept.days for _, kept in rules)
