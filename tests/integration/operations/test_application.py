"""The application as it is composed: what each address lets through, on both databases."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.app import create_app
from services.container import Container, build_container
from services.core.database import Database
from services.core.settings import Settings
from services.web.endpoints import STATIC_DIR

BY_COOKIE = {"x-requested-with": "huiying"}


def compose(database: Database, var: Path, **settings: Any) -> Container:
    address = database.engine.url.render_as_string(hide_password=False)
    given = {"HUIYING_VAR": var, "database_url": address, "redis_url": "redis://127.0.0.1:1/0", **settings}
    return build_container(Settings.model_validate(given))


@pytest.fixture
def citizen(database: Database, tmp_path: Path) -> TestClient:
    return TestClient(create_app(compose(database, tmp_path)))


def test_an_ended_conversation_is_closed_to_whoever_sits_down_next(citizen: TestClient) -> None:
    opened = citizen.post("/api/v1/conversations").json()
    path = f"/api/v1/conversations/{opened['conversation_id']}"
    copied = {"authorization": f"Bearer {opened['token']}"}
    assert citizen.get(f"{path}/messages").status_code == 200
    ended = citizen.post(f"{path}/end", headers=BY_COOKIE)
    assert ended.status_code == 204
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert citizen.get(f"{path}/messages").status_code == 401
    assert citizen.get("/api/v1/conversations/current").status_code == 401
    citizen.cookies.clear()
    for again in ("messages", "stream", "cases"):
        assert citizen.get(f"{path}/{again}", headers=copied).status_code == 401


def test_nobody_ends_the_conversation_of_another(citizen: TestClient) -> None:
    first, second = (citizen.post("/api/v1/conversations").json() for _ in range(2))
    citizen.cookies.clear()
    headers = {"authorization": f"Bearer {first['token']}"}
    assert citizen.post(f"/api/v1/conversations/{second['conversation_id']}/end", headers=headers).status_code == 404
    assert citizen.get("/api/v1/conversations/current", headers=headers).status_code == 200


def test_a_foreign_page_does_not_replace_the_cookie_of_a_citizen(citizen: TestClient) -> None:
    mine = citizen.post("/api/v1/conversations").json()["conversation_id"]
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = citizen.post("/api/v1/conversations", headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert citizen.get("/api/v1/conversations/current").json()["conversation_id"] == mine


def test_figures_of_operation_are_for_this_machine_or_for_the_bearer_of_their_token(
    database: Database, tmp_path: Path
) -> None:
    open_here = create_app(compose(database, tmp_path))
    here, elsewhere = (TestClient(open_here, client=(address, 1)) for address in ("127.0.0.1", "203.0.113.9"))
    assert here.get("/metrics").status_code == 200
    assert elsewhere.get("/metrics").status_code == 403
    # A proxy on this machine stands between: who asks is somebody else.
    assert here.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 403
    guarded = create_app(compose(database, tmp_path, metrics_token="a token of the monitoring"))
    answers = {
        token: TestClient(guarded, client=("203.0.113.9", 1))
        .get("/metrics", headers={"authorization": f"Bearer {token}"})
        .status_code
        for token in ("a token of the monitoring", "another", "")
    }
    assert list(answers.values()) == [200, 403, 403]


def test_the_documentation_asks_nobody_else_for_anything(citizen: TestClient) -> None:
    page = citizen.get("/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/static/")
        assert citizen.get(address).status_code == 200
    assert citizen.get("/openapi.json").json()["paths"]
    assert (STATIC_DIR / "vendor/swagger-ui/LICENSE.txt").read_text().lstrip().startswith("Apache License")


def test_what_is_somebodys_own_is_kept_in_no_cache(citizen: TestClient) -> None:
    citizen.post("/api/v1/conversations")
    for path in ("/", "/login", "/api/v1/conversations/current", "/api/v1/me"):
        assert citizen.get(path).headers["cache-control"] == "no-store"
