"""Danger in one browser rings in another: the real application, two real browsers."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from knowledge_base import Entry, ImportResult
from knowledge_base.testing import FakeEmbedder
from services import schema
from services.app import create_app
from services.cases import service as cases
from services.cases import tasks
from services.cases.urgent_repository import newest_alarm
from services.container import Container, build_container
from services.core.settings import Settings
from services.knowledge import service as knowledge
from services.supervision.first_start import prepare_data
from services.supervision.processes import free_port
from tests.support import chromium_path, wait_for
from tests.web.plain_browser import plain_browser

NOWHERE = "http://127.0.0.1:1"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
DANGER = "我家着火了，浓烟很大，人出不去"
# With HUIYING_SCREENSHOTS=docs/screenshots the pages are also kept as pictures.
SCREENSHOTS = os.environ.get("HUIYING_SCREENSHOTS", "")
# What stands before other windows cannot be seen from within a page: what is shown is noted as well.
NOTE_NOTIFICATIONS = """
  window.noted = [];
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); window.noted.push(`${title}：${options.body}`); }
  };
"""


class Town:
    """The application, its people's passwords, and browsers that look at it."""

    def __init__(self, container: Container, passwords: dict[str, str], url: str, chromium: str, launch: Any) -> None:
        self.container, self.passwords, self.url = container, passwords, url
        self.chromium, self._launch = chromium, launch
        self.browsers: list[Browser] = []
        self.errors: list[str] = []

    def context(self, size: dict[str, int], **more: Any) -> BrowserContext:
        """A profile in a browser of its own."""
        browser = self._launch()
        self.browsers.append(browser)
        made: BrowserContext = browser.new_context(viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai", **more)
        made.on("weberror", lambda error: self.errors.append(str(error.error)))
        made.set_default_timeout(30_000)
        return made

    def token(self, name: str) -> str:
        login = {"name": name, "password": self.passwords[name]}
        return str(httpx.post(f"{self.url}/api/v1/login", json=login, trust_env=False).json()["token"])

    def open(self, context: BrowserContext, path: str, name: str | None = None) -> Page:
        page = context.new_page()
        page.goto(self.url + path)
        if name is not None:
            page.fill("#name", name)
            page.fill("#password", self.passwords[name])
            page.click("#submit")
            page.wait_for_url(lambda address: "/login" not in address)
        return page


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    chromium = chromium_path()
    port = free_port()
    values: dict[str, Any] = {"HUIYING_VAR": tmp_path, "database_url": f"sqlite:///{tmp_path / 'town.db'}"}
    values |= {"redis_url": "redis://127.0.0.1:1/0", "secret_keys": "a-secret-key-for-tests-that-is-long-enough"}
    values |= {name: NOWHERE for name in ("rasa_url", "action_url", "sandbox_url")}
    container = build_container(Settings.model_validate(values))
    container._embedder = FakeEmbedder()
    schema.upgrade(container.database)
    entries = ImportResult(entries=[Entry("1", "身份证丢了怎么补办", "请到一号窗口补办。")])
    container.database.write(lambda uow: knowledge.store_import(uow, entries, actor="test", now=container.clock.now()))
    container.publish_knowledge(actor="test")
    passwords = {one.name: one.password for one in prepare_data(container, lambda line: None)}
    server = uvicorn.Server(uvicorn.Config(create_app(container), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu"]
            made = Town(
                container,
                passwords,
                f"http://127.0.0.1:{port}",
                chromium,
                lambda: playwright.chromium.launch(executable_path=chromium, args=arguments),
            )
            yield made
            for browser in made.browsers:
                browser.close()
    finally:
        container.stopping.set()
        server.should_exit = True
        thread.join(timeout=30)


def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def say(page: Page, text: str) -> None:
    page.fill("#input", text)
    page.press("#input", "Enter")


def rung(page: Page) -> int:
    return int(page.evaluate("document.body.dataset.rung || 0"))


def test_danger_rings_in_a_hidden_tab_and_the_citizen_reads_that_somebody_has_received_it(
    town: Town, tmp_path: Path
) -> None:
    boss = town.open(town.context(DESK), "/manager", "supervisor")
    # The third on duty hears nothing at first.
    third = town.open(town.context(DESK), "/editor", "admin")
    third.click("#entries-title")
    citizen = town.open(town.context(PHONE), "/")
    thread = citizen.locator("#thread")
    expect(thread).to_contain_text("您好")
    with plain_browser(town.chromium, tmp_path / "profile") as clerk:
        desk = clerk.open(f"{town.url}/staff", huiying_staff=town.token("clerk"))
        wait_for(lambda: clerk.see(desk, "document.querySelector('#main')?.innerText.includes('没有待受理的工单')"))
        # A browser lets a page sound after a first click.
        clerk.click(desk, "#tab-mine")
        clerk.show(clerk.open("about:blank"))
        wait_for(lambda: clerk.see(desk, "document.visibilityState") == "hidden")
        say(citizen, DANGER)
        expect(thread).to_contain_text("已经呼叫值班人员")
        expect(thread).not_to_contain_text("正在看您的消息")
        wait_for(lambda: str(clerk.see(desk, "document.title")).startswith("(1) 紧急！工单"))
        wait_for(lambda: clerk.see(desk, "Number(document.body.dataset.rung || 0)") > 0)
        assert clerk.see(desk, "document.visibilityState") == "hidden"
        expect(boss).to_have_title(re.compile(r"^\(1\) 紧急！"))
        assert (third.title(), rung(third)) == ("知识库 · 示范市政务服务", 0)

        clerk.show(desk)
        wait_for(lambda: clerk.see(desk, "document.visibilityState") == "visible")
        case_no = re.search(r"GD\d+", clerk.see(desk, "document.querySelector('#alarms').innerText"))
        assert case_no is not None
        clerk.click(desk, "#alarms .alarm__heard")
        expect(thread).to_contain_text("服务大厅 · 值班员已收到您的求助")
        wait_for(lambda: clerk.see(desk, "document.querySelector('#alarms').hidden"))
    expect(thread).not_to_contain_text("clerk")
    expect(boss.locator("#alarms")).to_be_hidden()
    expect(boss).not_to_have_title(re.compile("紧急！"))
    boss.goto(f"{town.url}/staff/cases/{case_no.group()}")
    expect(boss.locator(".flag_heard")).to_contain_text("clerk 于")
    expect(boss.locator(".timeline")).to_contain_text("已收到 · clerk")
    # Who looks at the case has read what was told of it.
    expect(boss).to_have_title(re.compile("^工单"))
    assert town.errors == []


def test_nobody_answers_so_the_next_on_duty_is_called_before_other_windows(town: Town) -> None:
    staff = town.context(DESK, permissions=["notifications"])
    staff.add_init_script(NOTE_NOTIFICATIONS)
    second = town.open(staff, "/manager", "supervisor")
    second.click("#as-of")
    third = town.open(staff, "/staff/appointments")
    third.click("#title")
    case = open_danger(town)
    expect(third).to_have_title(re.compile(r"^\(1\) 紧急！预约"))
    town.container.database.write(move_back)
    assert tasks.call_next(town.container.database, town.container.clock.now()) == 1
    expect(third).to_have_title(re.compile(r"^\(3\) 紧急！"))
    expect(third.locator("#alarms")).to_contain_text("已呼叫 clerk、supervisor")
    # One tab of the browser speaks for all: the one that was clicked in last.
    third.wait_for_function("window.noted.length >= 2")
    assert any("紧急无人应答" in text and case in text for text in third.evaluate("window.noted"))
    assert second.evaluate("window.noted") == []
    assert rung(second) == 0
    assert rung(third) > 0
    assert town.errors == []


def test_the_list_under_the_bell_keeps_what_each_person_has_read(town: Town) -> None:
    container = town.container
    for number in range(3):
        new = cases.NewCase("consultation", f"第 {number} 件事", "web", conversation_id=f"c{number}")
        opened = container.database.write(
            lambda uow, new=new: cases.open_case(uow, container.secrets, new, now=container.clock.now())
        )
        container.database.write(
            lambda uow, no=opened.case_no, who=new.conversation_id: cases.citizen_presses(
                uow, container.secrets, case_no=no, conversation_id=who, now=container.clock.now()
            )
        )
    case_no = open_danger(town)
    pages = {}
    for name, size in (("desk", DESK), ("phone", PHONE)):
        pages[name] = town.open(town.context(size), "/staff", "supervisor")
    for page in pages.values():
        expect(page.locator("#bell-count")).to_have_text("4")
        page.click("#bell")
        expect(page.locator(".notice_unread")).to_have_count(4)
        expect(page.locator("#bell-list")).to_contain_text("由市民")
    for name, page in pages.items():
        expect(page.locator("#queue-list")).to_contain_text(DANGER)
        keep(page, f"bell-{name}")
        page.click("#bell-close")
    desk = pages["desk"]
    desk.click("#bell")
    desk.click("#bell-all")
    expect(desk.locator("#bell-count")).to_be_hidden()
    expect(desk.locator(".notice_unread")).to_have_count(0)
    # The other device of the same person hears of it.
    expect(pages["phone"].locator("#bell-count")).to_be_hidden()
    expect(desk).to_have_title(re.compile("^紧急！工单"))
    for name, page in pages.items():
        page.goto(f"{town.url}/staff/cases/{case_no}")
        expect(page.locator(".flag_alarm")).to_contain_text("还没有人按“已收到”")
        expect(page.locator("#bell")).to_be_visible()
        expect(page.locator("#alarms .alarm__heard")).to_be_visible()
        keep(page, f"alarm-open-{name}")
    pages["phone"].locator("#alarms .alarm__heard").click()
    for name, page in pages.items():
        expect(page.locator("#alarms")).to_be_hidden()
        expect(page.locator(".flag_heard")).to_contain_text("supervisor 于", timeout=15_000)
        keep(page, f"alarm-heard-{name}")
    assert town.errors == []


@pytest.mark.parametrize("path", ["/staff", "/staff/appointments", "/manager", "/editor"])
def test_every_page_of_the_staff_has_the_bell_and_asks_for_no_permission_by_itself(town: Town, path: str) -> None:
    context = town.context(DESK)
    context.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { window.asked += 1; return 'default'; };"
    )
    page = town.open(context, path, "admin")
    expect(page.locator("#bell")).to_be_visible()
    page.click("#bell")
    expect(page.locator("#bell-list")).to_contain_text("没有消息")
    assert page.evaluate("window.asked") == 0
    page.click("#bell-notify")
    assert page.evaluate("window.asked") == 1
    assert town.errors == []


def open_danger(town: Town) -> str:
    the = town.container
    new = cases.NewCase("urgent", DANGER, "web", conversation_id="danger")
    return the.database.write(lambda uow: cases.open_case(uow, the.secrets, new, now=the.clock.now())).case_no


def move_back(uow: Any) -> None:
    """As if the minutes in which nobody answered had passed."""
    alarm = newest_alarm(uow.session, 1)
    assert alarm is not None
    assert alarm.next_step_at is not None
    alarm.next_step_at = alarm.raised_at
