"""Editing, publishing and explaining over HTTP, with real accounts."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from knowledge_base import Entry
from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.crypto import Secrets
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.web import install_error_handlers
from services.knowledge import endpoints, service
from tests.integration.knowledge.conftest import NOW, Desk
from tests.support import employ

BUS = {
    "question": "公交卡怎么退",
    "answer": "到客服网点办理。",
    "department": "交通局",
    "similar_questions": ["退公交卡"],
}


@dataclass
class Office:
    desk: Desk
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Any:
        headers = {**(headers or {}), "Authorization": f"Bearer {self.tokens[name]}"}
        return self.client.request(method, f"/api/v1/knowledge{path}", headers=headers, **options)


@pytest.fixture
def office(desk: Desk, entries: list[Entry]) -> Office:
    app = FastAPI()
    install_error_handlers(app)
    app.add_middleware(RequestGuard, rules=Rules(Bounds(2**20)))
    app.include_router(endpoints.router)
    clock, secrets = FixedClock(NOW), Secrets(["a-secret-key-for-tests-that-is-long-enough"])
    app.state.container = SimpleNamespace(
        database=desk.database,
        clock=clock,
        secrets=secrets,
        knowledge=desk.live,
        publish_knowledge=lambda actor, **options: desk.publish(**options),
    )
    office = Office(desk, TestClient(app))
    with desk.database.unit_of_work() as uow:
        for name, role in (("writer", "editor"), ("checker", "reviewer"), ("li", "clerk"), ("chief", "manager")):
            office.tokens[name] = employ(uow, name, role, NOW)
        uow.commit()
    desk.load(entries[:20])
    desk.publish()
    desk.live.refresh()
    return office


def search(office: Office, text: str) -> dict[str, Any]:
    found: dict[str, Any] = office.call("li", "GET", "/search", params={"q": text}).json()
    return found


def test_an_editor_adds_an_entry_that_is_found_once_it_is_published(office: Office) -> None:
    made = office.call("writer", "POST", "/entries", json=BUS)
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/knowledge/entries/{made.json()['id']}"
    assert search(office, "公交卡怎么退")["hits"][0]["id"] != made.json()["id"]
    done = office.call("writer", "POST", "/publish").json()
    assert (done["kind"], done["changed"], done["removed"], done["entries"]) == ("delta", 1, 0, 21)
    found = search(office, "请问退公交卡在哪里")
    hit = found["hits"][0]
    assert (found["version"], hit["id"]) == (done["version"], made.json()["id"])
    assert (hit["wording"], hit["similar"], hit["matched"]) == ("退公交卡", True, ["退公交卡"])
    assert hit["parts"]["dense"] == hit["dense"]
    assert hit["band"] in {"answer", "candidates", "none"}


def test_the_same_question_is_not_added_twice(office: Office) -> None:
    assert office.call("writer", "POST", "/entries", json=BUS).status_code == 201
    again = office.call("writer", "POST", "/entries", json=BUS)
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert office.call("writer", "POST", "/entries", json={**BUS, "id": "bus-2"}).status_code == 201


def test_an_entry_is_edited_and_keeps_the_columns_that_no_form_shows(office: Office) -> None:
    office.desk.load([Entry(id="x", question="旧问题", answer="旧", extra={"channel": "网站"})])
    saved = office.call(
        "checker", "PUT", "/entries/x", json={**BUS, "answer": "<p>见<b>窗口</b></p><script>x</script>"}
    )
    assert saved.status_code == 200
    read = office.call("li", "GET", "/entries/x")
    body = read.json()
    assert (body["question"], body["extra"], body["updated_by"]) == (BUS["question"], {"channel": "网站"}, "checker")
    assert (body["answer"], body["answer_text"]) == ("<p>见<b>窗口</b></p><script>x</script>", "见窗口")
    assert read.headers["etag"] == saved.headers["etag"] == f'"{body["content_hash"]}"'


def test_of_two_editors_of_one_entry_the_second_is_told(office: Office) -> None:
    seen = office.call("writer", "GET", "/entries/e001").headers["etag"]
    first = office.call("writer", "PUT", "/entries/e001", json=BUS, headers={"If-Match": seen})
    second = office.call("checker", "PUT", "/entries/e001", json={**BUS, "answer": "别的"}, headers={"If-Match": seen})
    gone = office.call("checker", "DELETE", "/entries/e001", headers={"If-Match": seen})
    assert [answer.status_code for answer in (first, second, gone)] == [200, 409, 409]
    assert office.call("li", "GET", "/entries/e001").json()["answer"] == BUS["answer"]


def test_a_deleted_entry_is_gone_after_the_publish_and_back_after_a_rollback(office: Office) -> None:
    assert search(office, "护照第1种情况怎么办")["hits"][0]["id"] == "e001"
    assert office.call("writer", "DELETE", "/entries/e001").status_code == 204
    assert office.call("writer", "DELETE", "/entries/e001").status_code == 404
    assert office.call("writer", "POST", "/publish").json()["removed"] == 1
    assert search(office, "护照第1种情况怎么办")["hits"][0]["id"] != "e001"
    assert office.call("writer", "POST", "/rollback", json={"version": 1}).status_code == 204
    assert search(office, "护照第1种情况怎么办")["hits"][0]["id"] == "e001"


@pytest.mark.parametrize("name", ["li", "chief"])
def test_only_editors_write_and_all_staff_read(office: Office, name: str) -> None:
    calls = [
        ("POST", "/entries", BUS),
        ("PUT", "/entries/e001", BUS),
        ("DELETE", "/entries/e001", None),
        ("POST", "/publish", None),
    ]
    assert [office.call(name, method, path, json=body).status_code for method, path, body in calls] == [403] * 4
    assert office.call(name, "GET", "/entries/e001").status_code == 200
    assert office.client.get("/api/v1/knowledge/entries/e001").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"answer": ""},
        {"question": "问\0题"},
        {"valid_from": "2026-13-01"},
        {"valid_from": "2026-05-02", "valid_to": "2026-05-01"},
        {"answer": "答" * 100_001},
        {"similar_questions": ["x"] * 501},
        {"unknown": 1},
    ],
)
def test_an_entry_that_cannot_be_one_is_refused_with_its_reason(office: Office, change: dict[str, Any]) -> None:
    refused = office.call("writer", "PUT", "/entries/e001", json={**BUS, **change})
    assert refused.status_code == 422
    assert refused.json()["detail"]
    assert office.call("li", "GET", "/entries/e001").json()["answer"] == "请到1号窗口"


@pytest.mark.parametrize("entry_id", ["nothing", "no/thing", "😀", "x" * 5_000])
def test_an_entry_that_is_not_there_is_a_404(office: Office, entry_id: str) -> None:
    for method, body in (("GET", None), ("PUT", BUS), ("DELETE", None)):
        assert office.call("writer", method, f"/entries/{entry_id}", json=body).status_code == 404


def test_a_long_answer_is_saved_published_and_read_back(office: Office) -> None:
    long = "各级机关应当依法受理，并在期限内办结。" * 740
    assert office.call("writer", "PUT", "/entries/e001", json={**BUS, "answer": long}).status_code == 200
    office.call("writer", "POST", "/publish")
    kb = office.desk.now_live()
    assert kb.entry("e001").answer == long
    assert search(office, "公交卡怎么退")["hits"][0]["id"] == "e001"


def test_an_entry_with_a_slash_in_its_number_is_read_saved_and_deleted(office: Office) -> None:
    assert office.call("writer", "POST", "/entries", json={**BUS, "id": "公交/1"}).status_code == 201
    address = "/entries/%E5%85%AC%E4%BA%A4%2F1"
    assert office.call("writer", "PUT", address, json={**BUS, "answer": "别的"}).json()["answer"] == "别的"
    assert office.call("li", "GET", address).json()["id"] == "公交/1"
    assert office.call("writer", "DELETE", address).status_code == 204


@pytest.mark.parametrize("change", [{"valid_from": "0001-01-01"}, {"valid_to": "2200-01-01"}])
def test_an_entry_holds_for_days_of_our_time(office: Office, change: dict[str, str]) -> None:
    refused = office.call("writer", "PUT", "/entries/e001", json={**BUS, **change})
    assert refused.status_code == 422
    assert office.call("writer", "PUT", "/entries/e001", json={**BUS, "valid_to": "2099-12-31"}).status_code == 200


@pytest.mark.parametrize("text", ["", "😀", "？？？", " "])
def test_a_question_without_content_finds_nothing(office: Office, text: str) -> None:
    found = search(office, text)
    assert (found["band"], found["hits"], found["searched"]) == ("none", [], "")


def test_ten_thousand_characters_are_searched_and_more_are_refused(office: Office) -> None:
    assert search(office, "护照第1种情况怎么办" + "a" * 9_980)["hits"][0]["id"] == "e001"
    assert office.call("li", "GET", "/search", params={"q": "a" * 10_001}).status_code == 422


def test_every_edit_is_on_record_without_its_text(office: Office) -> None:
    office.call("writer", "POST", "/entries", json={**BUS, "id": "bus"})
    office.call("writer", "PUT", "/entries/bus", json={**BUS, "answer": "别的"})
    office.call("writer", "PUT", "/entries/bus", json={**BUS, "answer": "别的"})
    office.call("checker", "DELETE", "/entries/bus")
    query = sa.select(AuditRow.actor, AuditRow.action, AuditRow.detail).where(AuditRow.subject == "knowledge:entry:bus")
    with office.desk.database.unit_of_work(read_only=True) as uow:
        rows = [tuple(row) for row in uow.session.execute(query.order_by(AuditRow.id))]
    assert rows == [
        ("writer", "knowledge.create", {}),
        ("writer", "knowledge.update", {"fields": ["answer"]}),
        ("checker", "knowledge.delete", {}),
    ]


def test_snapshots_tell_how_far_their_answers_are(office: Office, entries: list[Entry]) -> None:
    office.desk.load(entries)
    done = office.call("writer", "POST", "/publish").json()
    assert (done["kind"], done["answers_pending"]) == ("full", 80)
    newest = office.call("li", "GET", "/snapshots").json()[0]
    assert (newest["active"], newest["answers_pending"], newest["done"], newest["total"]) == (True, 80, 100, 100)
    assert search(office, "护照第1种情况怎么办")["answers_pending"] == 80
    assert office.desk.finish()
    newest = office.call("li", "GET", "/snapshots").json()[0]
    assert (newest["active"], newest["answers_pending"], newest["done"], newest["total"]) == (True, 0, 200, 200)


def test_ids_and_departments_are_taken_as_long_as_an_import_takes_them(office: Office) -> None:
    long = {**BUS, "id": "n" * 128, "department": "局" * 200}
    assert office.call("writer", "POST", "/entries", json=long).status_code == 201
    with office.desk.database.unit_of_work(read_only=True) as uow:
        assert service.get_entry(uow, "n" * 128).department == "局" * 200


def upload(office: Office, name: str, content: str, **fields: str) -> Any:
    return office.call("writer", "POST", "/import", files={"file": (name, content.encode())}, data=fields).json()


def test_an_upload_leaves_alone_what_it_does_not_name_unless_it_is_to_replace(office: Office) -> None:
    upload(office, "full.csv", "编号,问题,答案,部门,有效期至\nhttp-1,泳池几点开,早九点,体育局,2027-05-01\n")
    again = upload(office, "few.csv", "编号,问题,答案\nhttp-1,泳池几点开,早八点\n")
    assert (again["updated"], again["emptied"]) == (1, [])
    kept = office.call("writer", "GET", "/entries/http-1").json()
    assert (kept["answer"], kept["department"], kept["valid_to"]) == ("早八点", "体育局", "2027-05-01")
    replaced = upload(office, "few.csv", "编号,问题,答案\nhttp-1,泳池几点开,早八点\n", replace="true")
    assert replaced["emptied"] == [{"row": 2, "reason": "原有的部门、失效日期被清空", "sheet": None, "column": None}]
    assert office.call("writer", "GET", "/entries/http-1").json()["department"] is None


def test_an_upload_names_row_column_and_reason_of_what_it_refuses(office: Office) -> None:
    report = upload(office, "bad.csv", "编号,问题,答案,失效日期\nx,甲,答,下个月\ny,乙,答,永久\n")
    assert report["created"] == 1
    assert report["rejected"] == [{"row": 2, "reason": "失效日期不是有效日期", "sheet": None, "column": "失效日期"}]


def test_an_upload_that_passes_a_bound_is_a_422_that_names_it(office: Office) -> None:
    answer = office.call(
        "writer", "POST", "/import", files={"file": ("wide.csv", ("问题,答案" + ",x" * 2000).encode())}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] == "文件超过 1000 列的上限"
