"""What a request may hold, decided before any endpoint: a small application behind the guard."""

import json
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Form, Request
from fastapi.testclient import TestClient

from services.core.openapi import document_problems
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.web import PROBLEM, install_error_handlers
from services.core.wire import Id, Text

LIMIT = 4096


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    install_error_handlers(app)
    document_problems(app)

    @app.post("/api/echo")
    async def echo(request: Request) -> Any:
        return json.loads(await request.body())

    @app.post("/api/form")
    def form(text: Annotated[Text, Form()]) -> str:
        return text

    @app.get("/api/rows/{row_id}")
    def row(row_id: Id, q: str = "") -> str:
        return q

    app.add_middleware(RequestGuard, rules=Rules(Bounds(LIMIT), {"/form": Bounds(2 * LIMIT)}))
    return TestClient(app, raise_server_exceptions=False)


def refused(answer: Any, status: int = 422) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["x-content-type-options"] == "nosniff"
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": {"b": ["x\\u0000"]}}', "NUL"),
        (b'{"\\udc00": 1}', "代理字符"),
        (b"[1e999]", "NaN"),
        (b"[NaN]", "NaN"),
        (b"[123456789012345678901234567890]", "过大"),
        (b"[" * 2_000 + b"]" * 2_000, "嵌套过深"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8", "application/problem+json"])
def test_a_body_that_cannot_be_kept_reaches_no_endpoint(
    client: TestClient, body: bytes, reason: str, kind: str
) -> None:
    assert reason in refused(client.post("/api/echo", content=body, headers={"content-type": kind}))


def test_a_body_that_can_be_kept_arrives_whole_also_in_pieces(client: TestClient) -> None:
    value = {"text": "一句话😀", "numbers": [2**63 - 1, -0.5], "deep": [[[[]]]]}
    assert client.post("/api/echo", json=value).json() == value
    pieces = (json.dumps(value).encode()[at : at + 7] for at in range(0, 200, 7))
    headers = {"content-type": "application/json"}
    assert client.post("/api/echo", content=pieces, headers=headers).json() == value


def test_a_body_beyond_the_limit_is_too_large_whether_it_says_so_or_not(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    refused(client.post("/api/echo", content=b" " * (LIMIT + 1), headers=headers), 413)
    refused(client.post("/api/echo", content=(b" " * 100 for _ in range(50)), headers=headers), 413)
    assert client.post("/api/form", data={"text": "x" * (LIMIT + 1)}).status_code == 200


def test_an_address_or_query_with_a_nul_is_refused_and_other_odd_ones_are_read(client: TestClient) -> None:
    refused(client.get("/api/rows/%00"))
    refused(client.get("/api/rows/1?q=a%00b"))
    refused(client.get("/no/such/%00/place"))
    assert client.get("/api/rows/1?q=%ED%A0%80%25%2500").status_code == 200
    for number in ("0", "-1", "9" * 20, str(2**63), "²", "NaN", "1e3"):
        refused(client.get(f"/api/rows/{number}"))
    assert client.get(f"/api/rows/{2**63 - 1}").status_code == 200


def test_a_form_s_text_is_looked_at_by_its_type(client: TestClient) -> None:
    refused(client.post("/api/form", data={"text": "a\0b"}))
    assert client.post("/api/form", data={"text": "好"}).json() == "好"


def test_every_operation_of_the_document_names_the_problems_once(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for operations in document["paths"].values():
        for operation in operations.values():
            problems = {status for status, answer in operation["responses"].items() if PROBLEM in answer["content"]}
            assert problems == {"400", "401", "403", "404", "409", "413", "422", "429", "503"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail"]
