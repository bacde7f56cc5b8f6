"""The pages in a real browser: a citizen on a phone, a clerk and a manager at a desk."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# With HUIYING_SCREENSHOTS=docs/screenshots the pages are also kept as pictures.
SCREENSHOTS = os.environ.get("HUIYING_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


def open_page(browser: Browser, system: System, path: str, size: dict[str, int]) -> Page:
    """A page in a browser profile of its own; an error in its scripts fails the test at the end."""
    page = browser.new_context(viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    page.set_default_timeout(60_000)
    page.goto(system.url + path)
    return page


def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def say(page: Page, text: str) -> None:
    page.fill("#input", text)
    page.press("#input", "Enter")


def log_in(page: Page, system: System, name: str) -> None:
    page.fill("#name", name)
    page.fill("#password", system.passwords[name])
    page.click("#submit")
    page.wait_for_url(lambda address: "/login" not in address)


def problems(page: Page) -> list[Any]:
    found: list[Any] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_a_citizen_chats_a_clerk_answers_and_a_manager_sees_it(browser: Browser, system: System) -> None:
    phone = open_page(browser, system, "/", PHONE)
    errors = problems(phone)
    thread = phone.locator("#thread")
    expect(thread).to_contain_text("您好")
    say(phone, "我的车能异地年检吗")
    expect(thread).to_contain_text("跨省异地检验")
    expect(thread).to_contain_text("市公安局交通警察支队")
    keep(phone, "chat-phone-answer")
    say(phone, "转人工")
    expect(thread).to_contain_text("工单号 GD")
    case_no = "GD" + thread.inner_text().split("工单号 GD")[1][:13]

    desk = open_page(browser, system, "/staff", DESK)
    desk_errors = problems(desk)
    log_in(desk, system, "clerk")
    desk.goto(f"{system.url}/staff/cases/{case_no}")
    expect(desk.locator("#detail-body")).to_contain_text("我的车能异地年检吗")
    desk.get_by_role("button", name="认领").first.click()
    expect(phone.locator("#status-text")).to_contain_text("服务大厅 · 值班员")
    expect(phone.locator("body")).not_to_contain_text("clerk")
    desk.locator("#detail-body textarea").first.fill("可以，全国任一检验机构都能办。请带行驶证。")
    desk.get_by_role("button", name="回复", exact=False).last.click()
    expect(thread).to_contain_text("全国任一检验机构都能办")
    keep(phone, "chat-phone-clerk")

    manager = open_page(browser, system, "/manager", DESK)
    log_in(manager, system, "manager")
    expect(manager.locator("#f-ontime")).to_contain_text("%")
    assert errors == []
    assert desk_errors == []


def test_a_clerk_in_charge_reads_a_number_in_the_clear_for_a_reason(browser: Browser, system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send("转人工")
    case_no = citizen.send("补充：路灯坏了，请打13800138000")["case_no"]
    desk = open_page(browser, system, "/staff", DESK)
    errors = problems(desk)
    log_in(desk, system, "clerk")
    desk.goto(f"{system.url}/staff/cases/{case_no}")
    facts = desk.locator(".facts")
    expect(facts).to_contain_text("138****8000")
    # Not before the case is in the clerk's own hands.
    expect(desk.locator(".reveal")).to_have_count(0)
    desk.get_by_role("button", name="认领").first.click()
    desk.locator(".reveal").first.click()
    desk.locator("#dialog textarea").fill("需要电话核实地点")
    keep(desk, "reveal-desk")
    desk.locator("#dialog button[type=submit]").click()
    expect(facts).to_contain_text("13800138000")
    expect(facts).to_contain_text("需要电话核实地点")
    assert errors == []


def test_every_page_has_room_on_a_phone_and_at_a_desk(browser: Browser, system: System) -> None:
    case_no = system.citizen().send("举报楼下烧烤店半夜占道经营，噪音扰民，希望尽快处理")["case_no"]
    system.citizen().send("转人工")
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        chat = open_page(browser, system, "/", size)
        expect(chat.locator("#thread")).to_contain_text("您好")
        say(chat, "身份证丢了怎么补办")
        expect(chat.locator("#thread")).to_contain_text("示范数据")
        pages = [(chat, "chat")]
        for path, user in (
            ("/staff", "supervisor"),
            (f"/staff/cases/{case_no}", "supervisor"),
            ("/staff/appointments", "supervisor"),
            ("/manager", "manager"),
            ("/editor", "editor"),
        ):
            page = open_page(browser, system, path, size)
            log_in(page, system, user)
            page.wait_for_load_state("load")
            expect(page.locator("#main")).not_to_contain_text("正在加载")
            if path == "/staff":
                expect(page.locator("#queue-list")).to_contain_text("噪音扰民")
            elif "cases" in path:
                expect(page.locator("#detail-body")).to_contain_text("噪音扰民")
            pages.append((page, "case" if "cases" in path else path.rsplit("/", 1)[-1]))
        for page, what in pages:
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{what} is wider than the {name}"
            keep(page, f"{what}-{name}")
