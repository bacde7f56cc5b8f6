"""Keyword replies, ratings and their figures over HTTP, with real accounts of staff."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from knowledge_base import Entry, ImportResult
from services.container import DEMO_CITY
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.core.audit import AuditRow
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.web import install_error_handlers
from services.knowledge import endpoints as knowledge_endpoints
from services.knowledge import service as knowledge
from services.menus import endpoints, service
from services.statistics import endpoints as statistics
from tests.support import employ

NOW = parse_moment("2026-11-16T10:00")
HOURS = {"keyword": "办公地点？", "match": "exact", "text": "九点到五点"}


@dataclass
class Office:
    database: Database
    conversations: Conversations
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)


@pytest.fixture
def office(database: Database) -> Office:
    conversations = Conversations(
        Secrets(["a-secret-key-for-tests-that-is-long-enough"]),
        city_name="示范市",
        message_limit=2000,
        claim_lapse=timedelta(minutes=15),
    )
    app = FastAPI()
    install_error_handlers(app)
    app.add_middleware(RequestGuard, rules=Rules(Bounds(2**20)))
    for feature in (endpoints, knowledge_endpoints, statistics):
        app.include_router(feature.router)
    app.state.container = SimpleNamespace(
        database=database, clock=FixedClock(NOW), conversations=conversations, secrets=None
    )
    office = Office(database, conversations, TestClient(app))
    entries = [Entry("e1", "身份证怎么补办", "去派出所"), Entry("e2", "护照怎么换发", "去窗口", department="出入境")]
    with database.unit_of_work() as uow:
        service.apply_menus(uow, DEMO_CITY, NOW)
        knowledge.store_import(uow, ImportResult(entries=entries), actor="editor", now=NOW)
        for name, role in (("writer", "editor"), ("li", "clerk"), ("chief", "manager")):
            office.tokens[name] = employ(uow, name, role, NOW)
        uow.commit()
    return office


def test_an_editor_adds_changes_and_deletes_a_keyword_reply_and_each_step_is_audited(office: Office) -> None:
    made = office.call("writer", "POST", "/keyword-replies", json=HOURS)
    assert made.status_code == 201
    address = f"/keyword-replies/{made.json()['id']}"
    changed = office.call("writer", "PUT", address, json={**HOURS, "text": None, "entry_id": "e1", "account": "city"})
    assert changed.status_code == 200
    assert (changed.json()["entry_id"], changed.json()["account"]) == ("e1", "city")
    found = office.call("writer", "GET", "/keyword-replies", params={"q": "办公地点？"}).json()
    assert [row["entry_id"] for row in found["replies"]] == ["e1"]
    assert office.call("writer", "DELETE", address).status_code == 204
    assert office.call("writer", "DELETE", address).status_code == 404
    with office.database.unit_of_work(read_only=True) as uow:
        rows = uow.session.scalars(sa.select(AuditRow).where(AuditRow.action.like("keyword.%"))).all()
    assert [(row.actor, row.action) for row in rows] == [
        ("writer", "keyword.create"),
        ("writer", "keyword.update"),
        ("writer", "keyword.delete"),
    ]


def test_the_list_is_searched_by_account_and_words_page_by_page(office: Office) -> None:
    for number in range(3):
        office.call("writer", "POST", "/keyword-replies", json={"keyword": f"词{number}", "text": "答"})
    general = office.call("writer", "GET", "/keyword-replies", params={"account": "", "limit": 2}).json()
    assert (general["total"], len(general["replies"])) == (3, 2)
    assert office.call("writer", "GET", "/keyword-replies", params={"account": "jiaojing"}).json()["total"] == 0
    assert office.call("writer", "GET", "/keyword-replies", params={"q": "100%_"}).json()["total"] == 0
    keys = [account["key"] for account in office.call("writer", "GET", "/channel-accounts").json()]
    assert keys == ["city", "jiaojing"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"text": None}, 422),
        ({"entry_id": "e1"}, 422),
        ({"text": None, "entry_id": "never"}, 422),
        ({"account": "never"}, 422),
        ({"keyword": "？！"}, 422),
        ({"keyword": "长" * 31}, 422),
        ({"keyword": "停", "match": "contains"}, 422),
        ({"valid_from": "2026-12-01", "valid_to": "2026-11-01"}, 422),
        ({"text": "a\0b"}, 422),
        ({"unknown": 1}, 422),
    ],
)
def test_a_keyword_reply_that_makes_no_sense_is_refused(office: Office, change: dict[str, Any], status: int) -> None:
    answer = office.call("writer", "POST", "/keyword-replies", json={**HOURS, **change})
    assert answer.status_code == status


def test_the_same_keyword_twice_for_an_account_is_a_conflict_and_widths_make_no_difference(office: Office) -> None:
    assert office.call("writer", "POST", "/keyword-replies", json={"keyword": "WiFi", "text": "a"}).status_code == 201
    again = office.call("writer", "POST", "/keyword-replies", json={"keyword": "ｗｉｆｉ？", "text": "b"})
    assert again.status_code == 409
    other = office.call("writer", "POST", "/keyword-replies", json={"keyword": "wifi", "text": "b", "account": "city"})
    assert other.status_code == 201


def test_a_keyword_with_wildcards_of_sql_matches_only_itself(office: Office) -> None:
    edit = {"keyword": "%_", "match": "contains", "text": "a"}
    assert office.call("writer", "POST", "/keyword-replies", json=edit).status_code == 201
    with office.database.unit_of_work(read_only=True) as uow:
        assert service.reply_to(uow, "city", "随便什么", date(2026, 11, 16)) is None
        assert service.reply_to(uow, "city", "打%_折", date(2026, 11, 16)) is not None


def test_clerks_and_strangers_have_no_business_with_keyword_replies(office: Office) -> None:
    assert office.call("li", "GET", "/keyword-replies").status_code == 403
    assert office.call("li", "POST", "/keyword-replies", json=HOURS).status_code == 403
    assert office.client.get("/api/v1/keyword-replies").status_code == 401


def rate(office: Office, answers: list[tuple[str, bool]]) -> None:
    with office.database.unit_of_work() as uow:
        for number, (entry_id, helpful) in enumerate(answers, 1):
            knowledge.record_feedback(uow, conversation_id="c", seq=number, entry_id=entry_id, helpful=helpful, now=NOW)
        uow.commit()


def test_ratings_are_counted_per_entry_the_least_helpful_first(office: Office) -> None:
    rate(office, [("e1", True), ("e1", False), ("e2", False), ("e1", True), ("deleted", False)])
    found = office.call("writer", "GET", "/knowledge/feedback").json()
    assert found["total"] == 2
    assert [(row["id"], row["helpful"], row["not_helpful"], row["share"]) for row in found["entries"]] == [
        ("e2", 0, 1, 0.0),
        ("e1", 2, 1, 0.6667),
    ]
    assert found["entries"][0]["question"] == "护照怎么换发"
    second = office.call("writer", "GET", "/knowledge/feedback", params={"limit": 1, "offset": 1}).json()
    assert [row["id"] for row in second["entries"]] == ["e1"]


def test_the_figures_of_answers_count_a_period(office: Office) -> None:
    with office.database.unit_of_work() as uow:
        opened = office.conversations.open(uow, channel="web", now=NOW)
        said = [Outgoing("答", type="answer", entry_id="e1")] * 4 + [Outgoing("选", type="candidates")]
        office.conversations.deliver(uow, opened.conversation_id, said, NOW, "test")
        uow.commit()
    rate(office, [("e1", True), ("e2", False)])
    day = office.call("chief", "GET", "/statistics/answers", params={"from": "2026-11-16", "to": "2026-11-16"}).json()
    assert day == {
        "answers": 4, "candidates": 1, "rated": 2, "helpful": 1, "not_helpful": 1,
        "helpful_rate": 0.5, "rated_rate": 0.5,
    }  # fmt: skip
    before = office.call("chief", "GET", "/statistics/answers", params={"to": "2026-11-15"}).json()
    assert (before["answers"], before["helpful_rate"]) == (0, None)
    assert office.call("li", "GET", "/statistics/answers").status_code == 403
