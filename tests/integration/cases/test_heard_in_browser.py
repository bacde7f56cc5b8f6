"""The clerks' page in a real browser: a case rises when its citizen writes, and is read by being opened."""

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from services.supervision.processes import free_port
from tests.integration.cases import test_citizen_http as citizens
from tests.support import employ, wait_for

hall = citizens.hall
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture
def address(hall: citizens.Hall) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(hall.client.app, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(15)


@pytest.fixture
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium on PATH")
    if found is None:
        pytest.skip("no Chromium on PATH")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def page_of(browser: Browser, hall: citizens.Hall, address: str, who: str, size: dict[str, int]) -> Page:
    """The page of a staff member, whose browser's clock is the hall's."""
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    context.add_cookies([{"name": "huiying_staff", "value": hall.tokens[who], "url": address}])
    page = context.new_page()
    page.clock.set_fixed_time(hall.clock.now())
    return page


def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def opened(hall: citizens.Hall, title: str, name: str) -> tuple[str, str]:
    conversation = hall.citizen(name)
    hall.tokens["citizen"] = hall.tokens[name]
    case_no = hall.case_of(conversation)
    assert hall.call("li", "POST", f"/cases/{case_no}/title", title=title).status_code == 200
    return case_no, conversation


def adds(hall: citizens.Hall, who: str, conversation: str, case_no: str, text: str) -> None:
    path = f"/conversations/{conversation}/cases/{case_no}/add"
    assert hall.call(who, "POST", path, text=text).status_code == 200


def test_a_case_rises_marked_with_the_last_words_and_opening_it_reads_it(
    browser: Browser, hall: citizens.Hall, address: str
) -> None:
    first, _ = opened(hall, "护照换发要带什么材料", "one")
    second, conversation = opened(hall, "小区门口的路灯坏了三天", "two")
    adds(hall, "two", conversation, second, "老人昨晚摔了一跤")
    hall.clock.set(hall.clock.now() + timedelta(minutes=11))
    adds(hall, "two", conversation, second, "请尽快派人来，电话13800138000，就在幸福路小区东门旁边的公交站")
    hall.clock.set(hall.clock.now() + timedelta(minutes=1))
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        page = page_of(browser, hall, address, "boss", size)
        page.goto(f"{address}/staff")
        expect(page.locator(".row").first).to_contain_text(second)
        keep(page, f"heard-list-{name}")
        page.context.close()
    page = page_of(browser, hall, address, "li", DESK)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{address}/staff")
    rows = page.locator(".row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(second)
    expect(rows.nth(0)).to_contain_text("2 条新留言 · 12 分钟前")
    expect(rows.nth(0)).to_contain_text("138****8000")
    expect(rows.nth(1)).not_to_contain_text("新留言")
    expect(page.locator("#tab-new .count")).to_have_class("weui-badge count count_alert")
    rows.nth(0).click()
    expect(page.locator(".case-head__title")).to_contain_text("小区门口的路灯坏了三天")
    expect(page.locator(".unread")).to_have_count(0)
    expect(rows.nth(0)).to_contain_text(first)
    expect(page.locator("#tab-new .count")).to_have_class("weui-badge count")
    expect(page.locator(".timeline")).to_contain_text("市民补充 · 市民")
    keep(page, "heard-case-desk")
    news = hall.call("li", "GET", "/cases").json()
    assert (news["unread"], [one["news"] and one["news"]["unread"] for one in news["cases"]]) == (0, [None, 0])
    assert problems == []


def test_a_supervisor_who_looks_leaves_the_words_unread(browser: Browser, hall: citizens.Hall, address: str) -> None:
    case_no, conversation = opened(hall, "小区门口的路灯坏了三天", "two")
    adds(hall, "two", conversation, case_no, "老人昨晚摔了一跤")
    page = page_of(browser, hall, address, "boss", DESK)
    with page.expect_response(lambda response: response.url.endswith(f"{case_no}/read")) as told:
        page.goto(f"{address}/staff/cases/{case_no}")
    assert told.value.status == 204
    expect(page.locator(".row .unread")).to_have_count(1)
    assert hall.call("li", "GET", "/cases").json()["unread"] == 1


def test_a_title_is_edited_and_the_departments_that_had_the_case_have_room(
    browser: Browser, hall: citizens.Hall, address: str
) -> None:
    case_no, _ = opened(hall, "它又坏了", "one")
    for department in ("市城市管理局", "市公安局交通警察支队", "市民政局"):
        hall.clock.set(hall.clock.now() + timedelta(hours=1))
        moved = hall.call("boss", "POST", f"/cases/{case_no}/transfer", department=department, reason="职责所在")
        assert moved.status_code == 200
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        page = page_of(browser, hall, address, "boss", size)
        page.goto(f"{address}/staff/cases/{case_no}")
        if name == "phone":
            expect(page.get_by_label("经手部门").locator("li").first).not_to_be_visible()
            page.get_by_text("经手 4 个部门").click()
        expect(page.get_by_label("经手部门").locator("li").last).to_be_visible()
        expect(page.get_by_label("经手部门").locator("li")).to_have_count(4)
        page.get_by_role("button", name="修改标题").click()
        box = page.get_by_role("dialog").get_by_label("标题（40 字以内）")
        expect(box).to_have_value("它又坏了" if name == "phone" else "幸福路路灯损坏，手机版")
        keep(page, f"heard-retitle-{name}")
        title = "幸福路路灯损坏" + ("，手机版" if name == "phone" else "，电话13800138000")
        box.fill(title)
        page.get_by_role("dialog").get_by_role("button", name="保存").click()
        expect(page.locator(".case-head__title")).to_contain_text(title.replace("13800138000", "138****8000"))
        expect(page.get_by_role("dialog")).to_have_count(0)
        keep(page, f"heard-hands-{name}")
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]
        page.context.close()
    events = [event["name"] for event in hall.call("boss", "GET", f"/cases/{case_no}").json()["events"]]
    assert events.count("修改标题") == 3


def test_the_citizens_page_names_department_and_post_above_what_a_clerk_says(
    browser: Browser, hall: citizens.Hall, address: str
) -> None:
    with hall.container.database.unit_of_work() as uow:
        hall.tokens["zhang"] = employ(uow, "zhang", "clerk", hall.clock.now(), department="市公安局交通警察支队")
        uow.commit()
    case_no, _ = opened(hall, "异地年检要带什么", "one")
    hall.call("boss", "POST", f"/cases/{case_no}/transfer", department="市公安局交通警察支队", reason="职责所在")
    hall.call("zhang", "POST", f"/cases/{case_no}/claim")
    hall.call("zhang", "POST", f"/cases/{case_no}/reply", text="全国任一检验机构都能办，请带行驶证。")
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        context = browser.new_context(viewport=size)  # type: ignore[arg-type]
        context.add_cookies([{"name": "huiying_citizen", "value": hall.tokens["one"], "url": address}])
        page = context.new_page()
        page.goto(address)
        who = "市公安局交通警察支队 · 值班员"
        expect(page.locator(".msg__name")).to_have_text([who])
        expect(page.locator("#thread")).to_contain_text(f"{who} 已接入")
        expect(page.locator("#status-text")).to_have_text(f"人工服务中 · {who}")
        expect(page.locator("body")).not_to_contain_text("zhang")
        status, end = (page.locator(one).bounding_box() for one in ("#status-text", "#end"))
        assert status is not None
        assert end is not None
        assert status["x"] + status["width"] <= end["x"]
        keep(page, f"heard-chat-{name}")
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]
        context.close()
