"""Cases and statistics over HTTP, with real accounts."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from services.cases import endpoints, service
from services.container import Container
from services.core.audit import AuditRow
from services.core.web import install_error_handlers
from services.statistics import endpoints as statistics_endpoints
from services.understanding.entities import pseudonymise
from tests.support import employ

POLICE = "市公安局交通警察支队"
STAFF = {
    "li": ("clerk", None),
    "wang": ("clerk", None),
    "officer": ("clerk", POLICE),
    "boss": ("supervisor", None),
    "chief": ("manager", None),
    "writer": ("editor", None),
}


@dataclass
class Office:
    """The endpoints around a desk, and a client for each person."""

    desk: Any
    client: TestClient
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, name: str | None, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    def post(self, name: str, path: str, **body: Any) -> Any:
        return self.call(name, "POST", path, json=body)


@pytest.fixture
def office(desk: Any) -> Office:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(endpoints.router)
    app.include_router(statistics_endpoints.router)
    office = Office(desk, TestClient(app))

    def transcript_of(conversation_id: str, viewer: str) -> list[dict[str, Any]]:
        office.asked.append((conversation_id, viewer))
        return [{"id": 1, "sender": "citizen", "text": "您好"}]

    app.state.container = SimpleNamespace(
        database=desk.database,
        clock=desk.clock,
        secrets=desk.secrets,
        transcript_of=transcript_of,
        # No Redis here: nobody sees anybody, and everything else works.
        presence=service.Presence(redis.Redis(port=1)),
        masked=Container.masked,
        asked_in=lambda conversation_id, seq: "我的手机号【手机号1】怎么解绑",
        without_identifiers=lambda text: pseudonymise(text, lambda kind, value: 1).text,
        identifiers_of=lambda conversation_id: [{"placeholder": "【手机号1】", "type": "phone", "masked": "138****"}],
    )
    with desk.database.unit_of_work() as uow:
        now = desk.clock.now()
        for name, (role, department) in STAFF.items():
            office.tokens[name] = employ(uow, name, role, now, department=department)
        uow.commit()
    return office


def test_nobody_gets_in_without_a_token_or_with_the_wrong_role(office: Office) -> None:
    case_no = office.desk.open().case_no
    paths = [("GET", "/cases"), ("GET", f"/cases/{case_no}"), ("GET", "/statistics/timeliness")]
    actions = (
        "claim", "reply", "note", "transfer", "resolve", "close", "reopen", "return", "assign", "release", "hold",
        "resume", "extend", "extension", "merge", "classify", "draft",
    )  # fmt: skip
    writes = [("POST", f"/cases/{case_no}/{action}") for action in actions]
    for method, path in paths + writes:
        assert office.call(None, method, path, json={}).status_code == 401
        assert office.call("writer", method, path, json={}).status_code == 403
    for method, path in writes:
        assert office.call("chief", method, path, json={}).status_code == 403
    assert office.call("li", "GET", "/statistics/timeliness").status_code == 403
    assert office.call("chief", "GET", "/statistics/timeliness").status_code == 200
    assert office.call("chief", "GET", "/cases").json()["total"] == 1


def test_a_case_on_the_wire_has_the_fields_of_the_contract(office: Office) -> None:
    case_no = office.desk.open(conversation_id="c1").case_no
    case = office.call("li", "GET", "/cases").json()["cases"][0]
    assert set(case) >= {
        "case_no", "kind", "department", "priority", "status", "title", "channel", "assignee", "created_at",
        "first_response_at", "resolved_at", "clocks", "next_due_at", "overdue",
    }  # fmt: skip
    assert set(case["clocks"][0]) >= {
        "target", "due_at", "warning_at", "state", "provisional", "source", "remaining_minutes",
    }  # fmt: skip
    assert "conversation_id" not in case
    detail = office.call("li", "GET", f"/cases/{case_no}").json()
    assert detail["transcript"] == [{"id": 1, "sender": "citizen", "text": "您好"}]
    assert detail["identifiers"][0]["masked"] == "138****"
    assert [event["type"] for event in detail["events"]] == ["opened"]
    assert office.asked == [("c1", "li")]


def test_a_case_goes_its_way_over_http(office: Office) -> None:
    case_no = office.desk.open().case_no
    assert office.post("li", f"/cases/{case_no}/claim").json()["status"] == "assigned"
    assert office.post("li", f"/cases/{case_no}/note", text="备注").status_code == 200
    replied = office.post("li", f"/cases/{case_no}/reply", text="好", resolve=True).json()
    assert (replied["status"], replied["clocks"][0]["state"]) == ("resolved", "met")
    reopened = office.post("li", f"/cases/{case_no}/reopen", reason="还有问题").json()
    assert reopened["status"] == "reopened"
    moved = office.post("li", f"/cases/{case_no}/transfer", department="交警", reason="转").json()
    assert moved["department"] == POLICE
    assert office.post("officer", f"/cases/{case_no}/reply", text="好").json()["assignee"] == "officer"
    assert office.post("officer", f"/cases/{case_no}/resolve").json()["status"] == "resolved"
    assert office.call("officer", "POST", f"/cases/{case_no}/close").json()["status"] == "closed"


def test_the_title_is_changed_over_http_by_whoever_holds_the_case_with_its_numbers_masked(office: Office) -> None:
    case_no = office.desk.open().case_no
    office.post("li", f"/cases/{case_no}/claim")
    title = "请回电13800138000或13900139000"
    assert office.post("li", f"/cases/{case_no}/title", title=title).json()["title"] == "请回电138****8000或139****9000"
    assert office.post("wang", f"/cases/{case_no}/title", title="别的").status_code == 409
    for wrong in ("", "  ", "长" * 41):
        assert office.post("li", f"/cases/{case_no}/title", title=wrong).status_code == 422
    for other in ("chief", "writer"):
        assert office.post(other, f"/cases/{case_no}/title", title="别的").status_code == 403
    with office.desk.database.unit_of_work(read_only=True) as uow:
        actions = uow.session.scalars(sa.select(AuditRow.action).where(AuditRow.subject == case_no)).all()
    assert actions.count("case.retitled") == 1


def test_what_a_citizen_wrote_is_listed_and_read_over_http(office: Office) -> None:
    case_no = office.desk.open(conversation_id="c1").case_no
    office.desk.run(service.citizen_adds, case_no=case_no, conversation_id="c1", text="还在漏水")
    page = office.call("li", "GET", "/cases").json()
    assert (page["unread"], page["cases"][0]["news"]["words"]) == (1, "还在漏水")
    assert office.post("chief", f"/cases/{case_no}/read", upto=1).status_code == 403
    assert office.post("li", f"/cases/{case_no}/read", upto=-1).status_code == 422
    assert office.post("li", f"/cases/{case_no}/read", upto=2**40).status_code == 422
    assert office.post("li", "/cases/GD2026112099999/read", upto=1).status_code == 404
    assert office.post("li", f"/cases/{case_no}/read", upto=1).status_code == 204
    page = office.call("li", "GET", "/cases").json()
    assert (page["unread"], page["cases"][0]["news"]["unread"]) == (0, 0)


def test_one_click_makes_a_draft_of_a_settled_answer_and_a_second_click_the_same_one(office: Office) -> None:
    case_no = office.desk.open(conversation_id="c1").case_no
    assert office.post("li", f"/cases/{case_no}/draft").status_code == 409
    office.post(
        "li", f"/cases/{case_no}/reply", text="王先生您好，登录后在“我的”里解绑，回执发到13812345678。", resolve=True
    )
    made = office.post("li", f"/cases/{case_no}/draft").json()
    assert (made["question"], made["case_no"], made["state"]) == ("我的手机号（手机号）怎么解绑", case_no, "open")
    assert made["answer"] == "市民您好，登录后在“我的”里解绑，回执发到（手机号）。"
    assert office.post("wang", f"/cases/{case_no}/draft").json() == made
    detail = office.call("li", "GET", f"/cases/{case_no}").json()
    assert detail["draft"] == made
    assert [event["type"] for event in detail["events"]].count("drafted") == 1


def test_conflicts_are_problem_details_that_show_the_first_answer(office: Office) -> None:
    case_no = office.desk.open().case_no
    office.post("li", f"/cases/{case_no}/reply", text="第一个答复")
    refused = office.post("wang", f"/cases/{case_no}/reply", text="第二个答复")
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["first_reply"], problem["first_replied_by"]) == ("第一个答复", "li")
    assert "第二个答复" not in refused.text


def test_other_departments_cases_do_not_exist_for_a_clerk(office: Office) -> None:
    case_no = office.desk.open(department="民政").case_no
    assert office.call("officer", "GET", f"/cases/{case_no}").status_code == 404
    assert office.post("officer", f"/cases/{case_no}/claim").status_code == 404
    assert office.call("officer", "GET", "/cases").json() == {"cases": [], "total": 0, "unread": 0}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cases?limit=101", 422),
        ("/cases?limit=0", 422),
        ("/cases?offset=-1", 422),
        ("/cases?status=lost", 422),
        ("/cases?status=new&status=assigned&overdue=false&mine=true&department=x", 200),
        ("/cases/GD%27%20OR%201=1", 404),
        ("/statistics/timeliness?from=soon", 400),
        ("/statistics/timeliness?from=2026-11-02&to=2026-11-01", 400),
        ("/statistics/timeliness?by=colour", 422),
        ("/statistics/timeliness?from=2026-11-01&to=2026-11-30&by=month", 200),
    ],
)
def test_bad_questions_get_a_clear_4xx(office: Office, path: str, status: int) -> None:
    assert office.call("boss", "GET", path).status_code == status


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("reply", {}),
        ("reply", {"text": ""}),
        ("reply", {"text": "   "}),
        ("reply", {"text": "长" * 5001}),
        ("note", {"text": 7}),
        ("transfer", {"department": "交警"}),
        ("reopen", {"reason": ""}),
    ],
)
def test_bad_bodies_change_nothing(office: Office, action: str, body: dict[str, Any]) -> None:
    case_no = office.desk.open().case_no
    assert office.post("li", f"/cases/{case_no}/{action}", **body).status_code == 422
    assert office.desk.events(case_no) == ["opened"]


def test_the_manager_reads_the_same_figures_as_the_report(office: Office) -> None:
    case_no = office.desk.open(department=POLICE).case_no
    office.desk.open(kind="urgent")
    office.desk.at("2026-11-20T10:30")
    office.post("li", f"/cases/{case_no}/reply", text="好", resolve=True)
    figures = office.call("chief", "GET", "/statistics/timeliness?by=department").json()
    assert (figures["open_cases"], figures["overdue_cases"]) == (1, 1)
    overall = figures["overall"]
    assert (overall["cases"], overall["answered"], overall["answer_rate"], overall["on_time_rate"]) == (2, 1, 0.5, 0.5)
    assert overall["first_response_minutes"]["p50"] == 30
    assert [row["key"] for row in figures["rows"]] == [POLICE, "未分配"]
    assert figures["rows"][0]["on_time_rate"] == 1


def test_an_action_that_lost_a_deadlock_is_tried_again(office: Office, monkeypatch: Any) -> None:
    case_no = office.desk.open().case_no
    lost = Exception("deadlock detected")
    lost.sqlstate = "40P01"  # type: ignore[attr-defined]
    failures = [OperationalError("statement", {}, lost)] * 2
    claim = service.claim

    def claim_after_deadlocks(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return claim(*arguments, **options)

    monkeypatch.setattr(service, "claim", claim_after_deadlocks)
    assert office.post("li", f"/cases/{case_no}/claim").status_code == 200
    assert office.desk.events(case_no) == ["opened", "claimed"]
