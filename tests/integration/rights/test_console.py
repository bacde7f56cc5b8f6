"""The pages in a real browser: their buttons are those of the table, also for a role that is only a row."""

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from services.core.permissions import ROLES, Permission, Role
from services.supervision.processes import free_port
from tests.integration.rights.conftest import PASSWORD, World
from tests.support import chromium_path

MADE_UP = "night_desk"
NIGHT: list[Permission] = ["account.own", "cases.read", "cases.read_everywhere", "cases.work", "cases.take_over"]


class Site(NamedTuple):
    world: World
    address: str
    open: Callable[[], Page]


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[Site]:
    """The application on a port, and browsers that nobody has used yet."""
    chromium = chromium_path()
    server = uvicorn.Server(uvicorn.Config(world.app, port=free_port(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            yield Site(world, f"http://127.0.0.1:{server.config.port}", lambda: browser.new_context().new_page())
            browser.close()
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture
def case_no(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    """A case in the hands of the administrator, while there is a night desk."""
    monkeypatch.setitem(ROLES, MADE_UP, Role("夜班", frozenset(NIGHT)))
    if MADE_UP not in site.world.passwords:
        site.world.hire(MADE_UP)
    site.world.fill("admin")
    number = site.world.things["case_no"]
    assert site.world.ask("admin", "POST", f"/api/v1/cases/{number}/reopen", json={"reason": "还有"}).is_success
    assert site.world.ask("admin", "POST", f"/api/v1/cases/{number}/claim").is_success
    return number


def logged_in(site: Site, name: str) -> Page:
    """Where the login page leads somebody."""
    page = site.open()
    page.goto(f"{site.address}/login")
    page.fill("#name", name)
    page.fill("#password", site.world.passwords[name])
    page.click("#submit")
    expect(page.locator("#logout")).to_be_visible()
    return page


@pytest.mark.parametrize(
    ("who", "takes_over", "presses"),
    [("clerk", False, False), ("supervisor", True, True), (MADE_UP, True, False)],
)
def test_a_case_in_other_hands_shows_the_buttons_that_the_table_gives(
    site: Site, case_no: str, who: str, takes_over: bool, presses: bool
) -> None:
    page = logged_in(site, who)
    assert page.url == f"{site.address}/staff"
    page.goto(f"{site.address}/staff/cases/{case_no}")
    page.get_by_role("button", name="更多").click()
    expect(page.get_by_role("button", name="备注")).to_be_visible()
    expect(page.get_by_role("button", name="接手")).to_have_count(int(takes_over))
    expect(page.get_by_role("button", name="指派")).to_have_count(int(takes_over))
    expect(page.get_by_role("button", name="催办")).to_have_count(int(presses))
    expect(page.locator("#reply")).to_have_count(int(takes_over))


def test_the_navigation_of_a_role_that_is_only_a_row_holds_its_pages_only(site: Site, case_no: str) -> None:
    page = logged_in(site, MADE_UP)
    expect(page.locator(".bar__nav a")).to_have_text(["工单"])
    expect(page.locator(".bar__name")).to_contain_text("夜班")
    assert site.world.passwords[MADE_UP] == PASSWORD


def test_what_a_page_has_beyond_the_rights_of_its_reader_is_not_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role, taken in (("manager", {"supervision.set_level", "deliveries.mend"}), ("editor", {"knowledge.publish"})):
        row = ROLES[role]
        monkeypatch.setitem(ROLES, role, Role(row.title, row.may - taken))
    page = logged_in(site, "manager")
    expect(page.get_by_role("heading", name="预警级别与定期报告")).to_be_visible()
    expect(page.locator("#alert-note")).to_have_text("未启动")
    expect(page.get_by_role("group", name="预警级别")).to_be_hidden()
    expect(page.get_by_role("heading", name="未送达的消息")).to_be_hidden()
    page = logged_in(site, "editor")
    expect(page.get_by_role("button", name="关键词回复")).to_be_visible()
    expect(page.locator("#publish")).to_be_hidden()
    expect(page.locator("#import-publish")).to_be_hidden()
