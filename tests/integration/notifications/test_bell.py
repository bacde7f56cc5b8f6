"""What a person was told and has read, and the text message to a phone of the duty; on both databases."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.accounts.schemas import StaffUser
from services.core.clock import parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.notifications import bell
from services.notifications import service as notifications
from services.notifications.models import OutboxRow
from services.notifications.sms import SmsGateway, send_by_sms

NOW = parse_moment("2026-11-20T10:00")
LI, WANG = StaffUser("li", "clerk", "市民政局"), StaffUser("wang", "clerk", "市民政局")
BOSS = StaffUser("boss", "supervisor", None)


def tell(database: Database, recipient: str, key: str, *, kind: str = "case_pressed", **body: Any) -> None:
    database.write(
        lambda uow: notifications.tell_staff(
            uow, recipient=recipient, kind=kind, body={"case_no": f"GD{key}", **body}, dedupe_key=key, now=NOW
        )
    )


def reader(user: StaffUser) -> bell.Reader:
    """Somebody who may know of every case and open those with a page."""
    return bell.Reader(
        user, sa.select(sa.literal("")), lambda numbers: {one: f"/{one}" for one in numbers if one != "GD1"}
    )


def unread(database: Database, user: StaffUser, now: Any = NOW) -> list[str]:
    with database.unit_of_work(read_only=True) as uow:
        found = notifications.unread(uow, reader(user), now)
    assert found.unread >= len(found.news)
    return [one.body["case_no"] for one in found.news]


def mark(database: Database, user: StaffUser, **what: Any) -> None:
    database.write(lambda uow: notifications.mark_read(uow, reader(user), bell.ReadIn(**what), NOW))


def listed(database: Database, user: StaffUser) -> list[bell.Notice]:
    with database.unit_of_work(read_only=True) as uow:
        return notifications.notices(uow, reader(user))


def test_what_a_department_is_told_each_of_its_people_reads_for_themselves(database: Database) -> None:
    tell(database, "department:市民政局", "1")
    tell(database, "user:li", "2")
    tell(database, "role:supervisor", "3")
    assert (unread(database, LI), unread(database, WANG), unread(database, BOSS)) == (["GD2", "GD1"], ["GD1"], ["GD3"])
    mark(database, LI, case_no="GD1")
    assert (unread(database, LI), unread(database, WANG)) == (["GD2"], ["GD1"])
    shown = [(one.body["case_no"], one.read, one.link) for one in listed(database, LI)]
    assert shown == [("GD2", False, "/GD2"), ("GD1", True, None)]
    mark(database, LI, case_no="GD1")
    mark(database, LI, upto=listed(database, LI)[0].id)
    assert unread(database, LI) == []
    assert unread(database, WANG) == ["GD1"]


def test_nobody_marks_what_was_told_to_somebody_else(database: Database) -> None:
    tell(database, "user:li", "1")
    (notice,) = listed(database, LI)
    mark(database, WANG, ids=[notice.id])
    mark(database, WANG, upto=notice.id)
    assert unread(database, LI) == ["GD1"]
    mark(database, LI, ids=[notice.id])
    assert unread(database, LI) == []


def test_what_comes_after_the_newest_that_was_shown_stays_unread(database: Database) -> None:
    tell(database, "user:li", "1")
    newest = listed(database, LI)[0].id
    tell(database, "user:li", "2")
    mark(database, LI, upto=newest)
    assert unread(database, LI) == ["GD2"]


def test_what_is_older_than_a_month_is_no_news(database: Database) -> None:
    tell(database, "user:li", "1")
    assert unread(database, LI, NOW + bell.UNREAD_FOR - timedelta(seconds=1)) == ["GD1"]
    assert unread(database, LI, NOW + bell.UNREAD_FOR) == []
    assert len(listed(database, LI)) == 1


def test_unread_ones_are_counted_up_to_a_bound_and_listed_by_pages(database: Database) -> None:
    for number in range(bell.MOST_UNREAD + 5):
        tell(database, "user:li", str(number))
    with database.unit_of_work(read_only=True) as uow:
        found = notifications.unread(uow, reader(LI), NOW)
        first = notifications.notices(uow, reader(LI))
        second = notifications.notices(uow, reader(LI), before=first[-1].id)
    assert (found.unread, len(found.news)) == (bell.MOST_UNREAD, bell.NEWS)
    assert (len(first), len(second)) == (bell.PAGE, bell.PAGE)
    assert max(one.id for one in second) < first[-1].id
    # One that stands beyond what is counted can be marked too.
    mark(database, LI, ids=[min(one.id for one in second)])
    with database.unit_of_work(read_only=True) as uow:
        assert [one.read for one in notifications.notices(uow, reader(LI), before=first[-1].id)] == [False] * 49 + [
            True
        ]


def test_a_notice_says_what_happened_and_danger_is_loud(database: Database) -> None:
    late = {"department": "市民政局", "target": "first_response", "due_at": "2026-11-20T01:15:00+00:00"}
    tell(database, "user:li", "1", kind="case_breach", **late)
    tell(database, "user:li", "2", kind="case_unheard", confidential=True)
    tell(database, "user:li", "3", kind="case_pressed", department="市民政局", by="citizen")
    shown = [(one.title, one.text, one.loud) for one in reversed(listed(database, LI))]
    assert shown == [
        ("超时催办", "工单 GD1 · 市民政局 · 首次答复时限 11月20日 09:15", False),
        ("紧急无人应答", "工单 GD2 · 保密", True),
        ("催办", "工单 GD3 · 市民政局 · 由市民", False),
    ]


@pytest.mark.parametrize("body", [{}, {"ids": [1], "upto": 3}, {"ids": [0]}, {"upto": 0}, {"case_no": ""}])
def test_what_is_to_be_marked_is_said_in_one_way(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        bell.ReadIn.model_validate(body)


class Gateway:
    """What an SMS gateway was asked to send."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        return httpx.Response(200, json={})


def test_a_phone_of_the_duty_gets_the_words_of_the_city_and_one_without_a_number_waits(database: Database) -> None:
    for key, name in (("1", "值班手机"), ("2", "没有号码")):
        database.write(
            lambda uow, key=key, name=name: notifications.enqueue(
                uow,
                channel="sms",
                recipient=name,
                kind="case_unheard",
                body={"case_no": "GD1"},
                dedupe_key=key,
                now=NOW,
            )
        )
    gateway = Gateway()
    client = httpx.Client(transport=httpx.MockTransport(gateway))
    secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
    sender = send_by_sms(
        SmsGateway(client, "http://sms.example/send", "key"),
        secrets,
        lambda: NOW,
        number_of={"值班手机": "13800000000"}.get,
        words=lambda row: ("紧急无人应答", f"工单 {row.body['case_no']}"),
    )
    assert notifications.send_due(database, {"sms": sender}, lambda: NOW) == 1
    assert gateway.sent == [{"id": 1, "phone": "13800000000", "text": "紧急无人应答 工单 GD1"}]
    with database.unit_of_work(read_only=True) as uow:
        waiting = uow.session.scalars(sa.select(OutboxRow).where(OutboxRow.done_at.is_(None))).one()
    assert (waiting.recipient, waiting.last_error) == ("没有号码", "sms: no number")
