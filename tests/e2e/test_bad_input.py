"""Bad input gets a clear refusal and loses nothing."""

from pathlib import Path

import httpx
import openpyxl
import pytest

from tests.e2e.conftest import System
from tests.support import wait_for

pytestmark = pytest.mark.e2e

PROBLEM = "application/problem+json"


def refused(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    return body


def test_messages_that_are_none_are_refused(system: System) -> None:
    citizen = system.citizen()
    address = f"/api/v1/conversations/{citizen.conversation_id}/messages"
    before = len(citizen.messages())
    refused(citizen.client.post(address, json={"text": "长" * 350_000, "client_message_id": "a"}), 413)
    refused(citizen.client.post(address, json={"text": "长" * 2_001, "client_message_id": "b"}), 422)
    refused(citizen.client.post(address, json={"text": "  \u0000 ", "client_message_id": "c"}), 422)
    refused(citizen.client.post(address, json={"client_message_id": "d"}), 422)
    refused(citizen.client.post(address, json={"text": "好", "choice": "x", "client_message_id": "e"}), 422)
    refused(citizen.client.post(address, json={"choice": "faq:never offered", "client_message_id": "f"}), 400)
    broken = {"content": b"{not json", "headers": {"content-type": "application/json"}}
    refused(citizen.client.post(address, **broken), 422)
    assert len(citizen.messages()) == before


def test_a_streamed_body_without_a_length_is_bounded_too(system: System) -> None:
    citizen = system.citizen()
    address = f"/api/v1/conversations/{citizen.conversation_id}/messages"
    chunks = (b" " * 4096 for _ in range(300))
    response = citizen.client.post(address, content=chunks, headers={"content-type": "application/json"})
    refused(response, 413)


def test_somebody_else_s_conversation_is_not_found_and_no_token_is_unauthorised(system: System) -> None:
    mine, other = system.citizen(), system.citizen()
    address = f"/api/v1/conversations/{other.conversation_id}/messages"
    refused(mine.client.get(address), 404)
    refused(mine.client.post(address, json={"text": "你好", "client_message_id": "x"}), 404)
    refused(mine.client.get(f"/api/v1/conversations/{other.conversation_id}/stream"), 404)
    refused(system.client().get(address), 401)
    refused(system.client("forged").get(address), 401)


def test_staff_pages_and_apis_are_closed_to_others(system: System) -> None:
    anonymous, clerk, citizen = system.client(), system.staff("clerk"), system.citizen()
    refused(anonymous.get("/api/v1/cases"), 401)
    refused(citizen.client.get("/api/v1/cases"), 401)
    refused(clerk.get("/api/v1/statistics/timeliness"), 403)
    refused(clerk.post("/api/v1/knowledge/publish"), 403)
    page = anonymous.get("/staff")
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=/staff"
    assert clerk.get("/manager").status_code == 403
    assert clerk.get("/staff").status_code == 200


def test_a_cookie_without_the_pages_own_header_cannot_write(system: System) -> None:
    client = system.client()
    opened = client.post("/api/v1/conversations").json()
    address = f"/api/v1/conversations/{opened['conversation_id']}/messages"
    body = {"text": "你好", "client_message_id": "x"}
    assert client.get(address).status_code == 200
    refused(client.post(address, json=body), 403)
    assert client.post(address, json=body, headers={"x-requested-with": "huiying"}).status_code == 200


def test_a_wrong_password_is_refused_and_guessing_is_limited(system: System) -> None:
    client = system.client()
    added = system.command("user", "add", "guessed", "--role", "clerk")
    assert "password" in added.stdout
    for _ in range(10):
        refused(client.post("/api/v1/login", json={"name": "guessed", "password": "wrong"}), 401)
    refused(client.post("/api/v1/login", json={"name": "guessed", "password": "wrong"}), 429)
    refused(client.post("/api/v1/login", json={"name": "nobody", "password": "wrong"}), 401)


def test_a_csv_with_a_broken_row_keeps_the_good_ones(system: System) -> None:
    admin = system.staff("admin")
    rows = [
        "id,question,answer,department",
        "t-1,测试问题一,答案一,市教育局",
        "t-2,,没有问题,市教育局",
        "t-3,测试问题三,答案三,",
    ]
    content = "\n".join(rows)
    answer = admin.post("/api/v1/knowledge/import", files={"file": ("rows.csv", content.encode(), "text/csv")})
    report = answer.json()
    assert report["created"] == 2
    assert len(report["rejected"]) == 1
    assert report["rejected"][0]["reason"]
    assert len(report["reported"]) == 1
    found = admin.get("/api/v1/knowledge/entries", params={"q": "测试问题"}).json()
    assert found["total"] == 2


def test_an_xlsx_with_merged_cells_is_taken_or_named_row_by_row(system: System, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["question", "answer", "department"])
    sheet.append(["合并单元格问题一", "答案一", "市教育局"])
    sheet.append(["合并单元格问题二", "答案二", None])
    sheet.merge_cells("C2:C3")
    path = tmp_path / "merged.xlsx"
    book.save(path)
    admin = system.staff("admin")
    answer = admin.post("/api/v1/knowledge/import", files={"file": (path.name, path.read_bytes())})
    report = answer.json()
    assert report["created"] + len(report["rejected"]) == 2
    assert report["rejected"] or report["reported"]


def test_a_file_that_is_no_table_is_refused(system: System) -> None:
    admin = system.staff("admin")
    refused(admin.post("/api/v1/knowledge/import", files={"file": ("x.xlsx", b"no workbook")}), 422)
    refused(admin.post("/api/v1/knowledge/import", files={"file": ("x.pdf", b"%PDF")}), 422)


def test_an_imported_entry_is_answered_after_publishing_without_a_restart(system: System) -> None:
    admin = system.staff("admin")
    row = (
        '{"id": "t-live", "question": "热气球巡游报名在哪里", "answer": "请到测试窗口报名。", "department": "市教育局"}'
    )
    files = {"file": ("live.jsonl", row.encode())}
    report = admin.post("/api/v1/knowledge/import", files=files, data={"publish": "true"}, timeout=120).json()
    assert report["version"]
    wait_for(lambda: system.checks()["knowledge"]["detail"] == f"v{report['version']}")
    answer = system.citizen().send("热气球巡游报名在哪里")
    assert answer["messages"][0]["text"] == "请到测试窗口报名。"
