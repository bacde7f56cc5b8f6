"""A one-time password in a real browser: led to its change, and from there to where the person wanted to go."""

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from services.supervision.processes import free_port
from tests.integration.accounts.conftest import NOW, PASSWORD
from tests.integration.accounts.test_http import House, house
from tests.support import chromium_path, employ

__all__ = ["house"]

NEW = "quite another one"
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def page(house: House) -> Iterator[Page]:
    chromium = chromium_path()
    config = uvicorn.Config(house.client.app, port=free_port(), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            context = browser.new_context(base_url=f"http://127.0.0.1:{config.port}", viewport=PHONE)
            yield context.new_page()
            browser.close()
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def log_in(page: Page, house: House, password: str) -> None:
    page.goto("/login?next=/staff/appointments")
    page.fill("#name", house.name)
    page.fill("#password", password)
    page.click("#submit")


def test_a_one_time_password_is_changed_on_its_page_before_the_page_that_was_wanted_opens(
    house: House, page: Page
) -> None:
    password, _ = house.container.logins.reset(house.name, "test")
    log_in(page, house, password)
    page.wait_for_url(lambda address: urlsplit(address).path == "/password")
    page.fill("#old", password)
    page.fill("#new", NEW)
    page.fill("#again", "something else")
    page.click("#submit")
    expect(page.locator("#error")).to_have_text("两次输入的新密码不一致")
    page.fill("#old", PASSWORD)
    page.fill("#again", NEW)
    page.click("#submit")
    expect(page.locator("#error")).to_have_text("原密码不正确")
    page.fill("#old", password)
    page.click("#submit")
    page.wait_for_url(lambda address: urlsplit(address).path == "/staff/appointments")
    assert house.log_in(NEW).status_code == 200


def test_the_staff_bar_leads_to_the_own_password_and_back_also_beside_four_pages(house: House, page: Page) -> None:
    admin = f"{house.name} admin"
    house.container.database.write(lambda uow: employ(uow, admin, "admin", NOW, password=PASSWORD))
    house.name = admin
    log_in(page, house, PASSWORD)
    expect(page.locator(".bar__nav a")).to_have_count(4)
    nav, own = (page.locator(part).bounding_box() for part in (".bar__nav", ".bar__user"))
    assert nav
    assert own
    assert nav["x"] + nav["width"] <= own["x"]
    assert own["x"] + own["width"] <= PHONE["width"]
    page.get_by_role("link", name="改密码").click()
    page.wait_for_url(lambda address: urlsplit(address).path == "/password")
    page.get_by_role("link", name="返回").click()
    page.wait_for_url(lambda address: urlsplit(address).path == "/staff/appointments")
