"""The worker's own job against the sandbox over HTTP, with the demo city's connectors: every kind of reminder comes."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from services.citizens.schemas import REMINDER_TITLES
from services.container import build_container
from services.core.clock import SHANGHAI, FixedClock
from services.core.settings import Settings
from services.sandbox.app import create_app
from services.supervision.processes import free_port
from services.worker import Worker
from tests.integration.bindings.conftest import MONDAY, Town
from tests.support import wait_for

KEY = "a-sandbox-key-for-tests"
WANTED = {
    "plate": ("violation", "inspection"),
    "licence": ("licence", "points"),
    "household": ("bill", "overdue", "outage"),
}


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    port = free_port()
    app = create_app(1, api_key=KEY, today=MONDAY.astimezone(SHANGHAI).date())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def served(town: Town, sandbox_url: str, tmp_path: Path) -> Iterator[Any]:
    settings = Settings.model_validate(
        {
            "HUIYING_VAR": tmp_path,
            "database_url": town.database.url,
            "secret_keys": "k" * 40,
            "sandbox_url": sandbox_url,
            "connector_secrets": {"sandbox": KEY},
        }
    )
    clock = FixedClock(MONDAY)
    container = build_container(settings, clock)
    yield Worker(container)
    container.database.dispose()
    container.signals.close()


def test_the_worker_tells_what_the_citys_systems_know(town: Town, served: Worker, monkeypatch: Any) -> None:
    monkeypatch.delenv("CONNECTOR_SECRET_SANDBOX", raising=False)
    citizen = town.citizen()
    for kind, reminders in WANTED.items():
        # 80013328 has three unpaid bills, the older ones overdue; 80013327 has a planned outage.
        changes = {"household_no": "80013328"} if kind == "household" else {}
        town.bind(citizen, kind, *reminders, **changes)  # type: ignore[arg-type]
    town.bind(citizen, "household", "outage", household_no="80013327")
    served._scan_bindings()
    told = "\n".join(town.told(citizen))
    expected = ("inspection", "licence", "points", "overdue", "outage")
    assert [kind for kind in expected if f"【{REMINDER_TITLES[kind]}提醒】" not in told] == []  # type: ignore[index]
    assert "新违章提醒" not in told, "the three violations were there before"
    before = len(town.told(citizen))
    served._scan_bindings()
    assert len(town.told(citizen)) == before
