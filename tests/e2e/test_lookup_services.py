"""Lookups in the whole running system: a chart in the browser, a system that goes and comes back, cases, places."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect, sync_playwright

from services.core.clock import SHANGHAI
from services.core.database import Database
from services.lookups.models import SystemOutage
from services.lookups.outages import WAKING_HOURS
from services.places.models import Place
from tests.e2e.conftest import System
from tests.support import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("system", ["embedded"], indirect=True)]


@pytest.fixture
def rows(system: System) -> Iterator[Database]:
    database = Database(system.stack.settings.database_url)
    yield database
    database.dispose()


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(message["text"] for message in answer["messages"])


def test_a_bill_comes_with_a_chart_that_the_browser_shows(system: System, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
        page.goto(system.url)
        page.fill("#input", "查电费 户号80013328")
        page.press("#input", "Enter")
        page.get_by_role("button", name="同意", exact=True).click(timeout=60_000)
        picture = page.locator("img.chart")
        expect(picture).to_be_visible(timeout=60_000)
        wait_for(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
        address = str(picture.get_attribute("src"))
        assert "80013328" not in address
        assert page.request.get(system.url + address).status == 200
        stranger = browser.new_context()
        assert stranger.request.get(system.url + address).status == 401
        browser.close()


def test_a_citizen_is_told_since_when_a_system_is_down_and_once_when_it_is_back(system: System, rows: Database) -> None:
    citizen = system.citizen().consented()
    system.sandbox({"system": "outages", "error": "500"})
    try:
        answer = citizen.send("查一下创新二路的停水通知")
        assert "停供信息系统暂时没有回应" in texts(answer)
        assert "起）" in texts(answer)
        assert "12345" in texts(answer)
        told = citizen.send(choice="watch:outage")
        assert "恢复后会在这里告诉您" in texts(told)
    finally:
        system.sandbox({"system": "outages", "error": None})
    with rows.unit_of_work() as uow:
        # Time is moved, not waited for: the system is left alone for as long as its breaker is open.
        for outage in uow.session.scalars(sa.select(SystemOutage)):
            outage.last_failure_at -= timedelta(minutes=5)
        uow.commit()

    def news() -> list[str]:
        return [one["text"] for one in citizen.messages() if "已经恢复" in one["text"]]

    def is_back() -> bool:
        with rows.unit_of_work(read_only=True) as uow:
            return uow.session.scalar(sa.select(SystemOutage).where(SystemOutage.kind == "outage")) is None

    wait_for(is_back)
    if not WAKING_HOURS[0] <= datetime.now(SHANGHAI).hour < WAKING_HOURS[1]:
        # Here it is night, and the return is told in the morning (tests/integration/lookups/test_outages.py).
        assert news() == []
        return
    wait_for(news)
    assert news() == ["您关心的停供信息系统已经恢复，现在可以重新查询了。"]


def test_an_own_case_is_told_elsewhere_only_to_who_knows_the_phone(system: System) -> None:
    citizen, elsewhere = system.citizen().consented(), system.citizen().consented()
    citizen.send("我的手机号是13800006125")
    case_no = citizen.send("转人工")["case_no"]
    assert "待受理" in texts(citizen.send(f"查进度 {case_no}"))
    asked = elsewhere.send(f"查进度 {case_no}")
    assert "后四位" in texts(asked)
    assert "待受理" not in texts(asked)
    assert "信息不匹配" in texts(elsewhere.send("0000"))
    elsewhere.send(f"查进度 {case_no}")
    assert "待受理" in texts(elsewhere.send("6125"))


@pytest.fixture
def no_points_afterwards(rows: Database) -> Iterator[None]:
    yield
    rows.write(lambda uow: uow.session.execute(sa.delete(Place)))


@pytest.mark.usefixtures("no_points_afterwards")
def test_imported_points_answer_in_place_of_the_connector(system: System, tmp_path: Path) -> None:
    file = tmp_path / "points.jsonl"
    file.write_text(
        '{"id": "t1", "name": "测试街公厕", "kind": "公共厕所", "address": "测试街1号",'
        ' "lat": 22.6001, "lng": 114.2001, "hours": "1-7 00:00-24:00"}\n',
        encoding="utf-8",
    )
    done = system.command("places", "import", str(file))
    assert done.returncode == 0, done.stderr
    citizen = system.citizen()
    citizen.send("附近的公共厕所")
    found = texts(citizen.send(location={"lat": 22.6, "lng": 114.2}))
    assert "测试街公厕" in found
    assert "现在开放" in found
    assert "uri.amap.com" in found
