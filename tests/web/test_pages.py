"""The pages as a browser gets them: who may open them, and nothing in them that the content policy would refuse."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.core.clock import FixedClock
from services.core.database import Base, Database
from services.web.endpoints import STATIC_DIR, build_router, mount_static, safe_next
from tests.support import employ

NOW = datetime(2026, 10, 12, 2, 0, tzinfo=UTC)
GUARDED = {
    "/staff": {"clerk", "supervisor", "admin"},
    "/staff/appointments": {"clerk", "supervisor", "admin"},
    "/staff/cases/C-1": {"clerk", "supervisor", "admin"},
    "/manager": {"supervisor", "manager", "admin"},
    "/editor": {"editor", "reviewer", "admin"},
}
ROLES = ("clerk", "supervisor", "manager", "editor", "reviewer", "admin")


@pytest.fixture(scope="module")
def tokens_and_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], FastAPI]]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('web') / 'web.db'}")
    Base.metadata.create_all(database.engine)
    tokens: dict[str, str] = {}
    with database.unit_of_work() as uow:
        for role in ROLES:
            tokens[role] = employ(uow, f"<{role}>", role, NOW)
        uow.commit()
    app = FastAPI()
    app.state.container = SimpleNamespace(database=database, clock=FixedClock(NOW))
    app.include_router(build_router("示范市", departments=lambda: ['城管"><b>', "户政"]))
    mount_static(app)
    yield tokens, app
    database.engine.dispose()


def client_as(tokens_and_app: tuple[dict[str, str], FastAPI], role: str | None = None) -> TestClient:
    tokens, app = tokens_and_app
    return TestClient(app, cookies={"huiying_staff": tokens[role]} if role else None, follow_redirects=False)


@pytest.mark.parametrize("path", GUARDED)
def test_a_staff_page_without_login_leads_to_the_login_page_and_back(
    tokens_and_app: tuple[dict[str, str], FastAPI], path: str
) -> None:
    answer = client_as(tokens_and_app).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", GUARDED)
def test_a_staff_page_opens_for_its_roles_and_is_a_readable_403_for_others(
    tokens_and_app: tuple[dict[str, str], FastAPI], path: str, role: str
) -> None:
    answer = client_as(tokens_and_app, role).get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    if role in GUARDED[path]:
        assert answer.status_code == 200
        assert f"&lt;{role}&gt;" in answer.text
        assert f"<{role}>" not in answer.text
    else:
        assert answer.status_code == 403
        assert "没有权限" in answer.text


def test_the_navigation_offers_only_pages_that_the_role_may_open(
    tokens_and_app: tuple[dict[str, str], FastAPI],
) -> None:
    page = client_as(tokens_and_app, "supervisor").get("/staff").text
    assert 'href="/manager"' in page
    assert 'href="/editor"' not in page


@pytest.mark.parametrize("path", ["/", "/login?next=/staff", *GUARDED])
def test_no_page_holds_inline_script_inline_style_or_foreign_addresses(
    tokens_and_app: tuple[dict[str, str], FastAPI], path: str
) -> None:
    page = client_as(tokens_and_app, "admin").get(path).text
    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:", page)
    assert all(re.search(r'\ssrc="/static/', tag) for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize("path", ["/", "/login", *GUARDED])
def test_every_file_that_a_page_names_is_served(tokens_and_app: tuple[dict[str, str], FastAPI], path: str) -> None:
    client = client_as(tokens_and_app, "admin")
    named = set(re.findall(r'"(/static/[^"]+)"', client.get(path).text))
    assert len(named) >= 3
    for address in named:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == "no-cache"


def test_department_names_reach_the_console_as_data_and_never_as_markup(
    tokens_and_app: tuple[dict[str, str], FastAPI],
) -> None:
    page = client_as(tokens_and_app, "admin").get("/staff").text
    assert "<b>" not in page
    assert "data-departments=" in page


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/staff/cases/C-1", "/staff/cases/C-1"),
        ("//evil.example", ""),
        ("/\\evil.example", ""),
        ("https://evil.example", ""),
        ("javascript:alert(1)", ""),
        ("/staff\n//evil.example", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_after_login_only_a_path_of_this_site_is_followed(target: str | None, kept: str) -> None:
    assert safe_next(target) == kept


def test_scripts_never_parse_text_as_html_and_import_only_files_that_exist() -> None:
    scripts: list[Path] = sorted(STATIC_DIR.glob("js/**/*.js"))
    assert len(scripts) > 15
    for script in scripts:
        source = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
        for target in re.findall(r'(?:from|import) "(\.[^"]+)"', source):
            assert (script.parent / target).is_file(), f"{script.name}: {target}"


def test_the_vendored_style_sheet_stands_beside_its_licence() -> None:
    folder = STATIC_DIR / "vendor" / "weui"
    assert "WeUI v" in (folder / "weui.min.css").read_text(encoding="utf-8")[:100]
    assert "MIT License" in (folder / "LICENSE.txt").read_text(encoding="utf-8")


def test_the_editor_finds_entries_keyword_replies_and_ratings_on_one_page_of_three_views(
    tokens_and_app: tuple[dict[str, str], FastAPI],
) -> None:
    page = client_as(tokens_and_app, "editor").get("/editor").text
    for view in ("entries", "keywords", "feedback"):
        assert f'data-view="{view}"' in page
        assert f'id="view-{view}"' in page
    script = (STATIC_DIR / "js" / "editor" / "keywords.js").read_text(encoding="utf-8")
    for name in re.findall(r'byId\("([\w-]+)"\)', script):
        assert f'id="{name}"' in page


def test_the_chat_offers_the_menu_among_its_quick_replies(tokens_and_app: tuple[dict[str, str], FastAPI]) -> None:
    assert 'data-quick="菜单"' in client_as(tokens_and_app).get("/").text
