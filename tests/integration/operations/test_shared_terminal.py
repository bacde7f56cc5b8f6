"""The end of a conversation in a real browser, on a terminal that the next person will use."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from services.app import create_app
from services.container import build_container
from services.core.database import Database
from services.core.settings import Settings
from services.supervision.processes import free_port
from tests.support import wait_for


@pytest.fixture
def address(sqlite: Database, tmp_path: Path) -> Iterator[str]:
    given = {"HUIYING_VAR": tmp_path, "database_url": sqlite.url, "redis_url": "redis://127.0.0.1:1/0"}
    port = free_port()
    app = create_app(build_container(Settings.model_validate(given)))
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(15)


@pytest.fixture
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium on PATH")
    return found or pytest.skip("no Chromium on PATH")


def test_whoever_sits_down_next_begins_afresh_also_behind_the_back_button(address: str, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#thread .bubble").first).to_be_visible()
        before = page.context.cookies()
        page.evaluate("sessionStorage.setItem('huiying.outbox', JSON.stringify([{id: 'x', text: '隐私', body: {}}]))")
        page.get_by_role("button", name="结束会话").click()
        expect(page.get_by_role("dialog")).to_contain_text("工单和预约继续有效")
        with page.expect_navigation():
            page.get_by_role("dialog").get_by_role("button", name="结束会话").click()
        expect(page.locator("#thread .bubble").first).to_be_visible()
        after = page.context.cookies()
        assert [one["name"] for one in after] == [one["name"] for one in before] == ["huiying_citizen"]
        assert after[0]["value"] != before[0]["value"]
        expect(page.locator("body")).not_to_contain_text("隐私")
        browser.close()
