"""The editor's page imports a file: what it says of the rows, in a real browser on a real server."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import FastAPI
from openpyxl import Workbook
from playwright.sync_api import Page, expect, sync_playwright

from services import schema
from services.accounts import endpoints as accounts_endpoints
from services.core.clock import FixedClock
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.web import install_error_handlers
from services.knowledge import endpoints, service
from services.supervision.processes import free_port
from services.web.endpoints import build_router, mount_static
from tests.support import chromium_path, employ

NOW = datetime(2026, 10, 12, 2, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'web.db'}"
    schema.upgrade(Database(url))
    opened = Database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def page(database: Database) -> Iterator[Page]:
    chromium = chromium_path()
    with database.unit_of_work() as uow:
        token = employ(uow, "writer", "editor", NOW)
        uow.commit()
    app = FastAPI()
    install_error_handlers(app)
    secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
    app.state.container = SimpleNamespace(database=database, clock=FixedClock(NOW), secrets=secrets)
    app.include_router(accounts_endpoints.router)
    app.include_router(endpoints.router)
    app.include_router(build_router("示范市", departments=list))
    mount_static(app)
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            address = f"http://127.0.0.1:{server.config.port}"
            context = browser.new_context()
            context.add_cookies([{"name": "huiying_staff", "value": token, "url": address}])
            opened = context.new_page()
            opened.goto(f"{address}/editor")
            yield opened
            browser.close()
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def hand_in(page: Page, file: Path, *, replace: bool = False) -> None:
    page.set_input_files("#file", file)
    page.locator("#import-replace").set_checked(replace)
    page.click("#import-button")


def test_the_page_keeps_what_a_file_lacks_and_says_what_was_emptied_and_left_out(
    page: Page, database: Database, tmp_path: Path
) -> None:
    book = Workbook()
    first = book.worksheets[0]
    first.title = "体育"
    first.append(["编号", "问题", "答案", "部门"])
    first.append(["p-1", "泳池几点开", "早九点", "体育局"])
    first.append(["p-2", None, "没有问题", "体育局"])
    book.create_sheet("说明").append(["填表说明"])
    book.save(tmp_path / "full.xlsx")
    (tmp_path / "few.csv").write_text("编号,问题,答案\np-1,泳池几点开,早八点\n", encoding="utf-8")
    report = page.locator("#import-result")

    hand_in(page, tmp_path / "full.xlsx")
    expect(report).to_contain_text("新增 1，更新 0，未变 0，拒绝 1，清空内容 0")
    expect(report).to_contain_text("“体育”第 3 行 缺少问题")
    expect(report).to_contain_text("工作表“说明”没有导入：前 20 行没有表头")

    hand_in(page, tmp_path / "few.csv")
    expect(report).to_contain_text("更新 1，未变 0，拒绝 0，清空内容 0")
    with database.unit_of_work(read_only=True) as uow:
        assert service.get_entry(uow, "p-1").department == "体育局"

    hand_in(page, tmp_path / "few.csv", replace=True)
    expect(report).to_contain_text("清空内容 1")
    expect(report).to_contain_text("第 2 行 原有的部门被清空")
    with database.unit_of_work(read_only=True) as uow:
        assert service.get_entry(uow, "p-1").department is None
