"""The bell's stream of the whole application: news at once, and its end with the login."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from knowledge_base.testing import FakeEmbedder
from services import schema
from services.app import create_app
from services.cases import service as cases
from services.container import DEMO_CITY, Container, build_container
from services.core.settings import Settings
from services.core.streams import PER_OWNER
from services.sla import service as sla
from services.supervision.processes import free_port
from tests.support import employ

PASSWORD = "a password for tests"


class House:
    def __init__(self, container: Container, client: httpx.Client) -> None:
        self.container, self.client = container, client

    def open(self, kind: Any) -> str:
        the = self.container
        new = cases.NewCase(kind, "想问一件事", "web")
        return the.database.write(lambda uow: cases.open_case(uow, the.secrets, new, now=the.clock.now())).case_no


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    port = free_port()
    values = {"HUIYING_VAR": tmp_path, "redis_url": "redis://127.0.0.1:1/0", "secret_keys": "k" * 40}
    container = build_container(Settings.model_validate(values))
    container._embedder = FakeEmbedder()
    schema.upgrade(container.database)
    now = container.clock.now()
    container.database.write(lambda uow: sla.apply_city(uow, DEMO_CITY, now))
    container.database.write(lambda uow: employ(uow, "boss", "supervisor", now, password=PASSWORD))
    server = uvicorn.Server(uvicorn.Config(create_app(container), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    transport = httpx.HTTPTransport(retries=20)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=30) as client:
            token = client.post("/api/v1/login", json={"name": "boss", "password": PASSWORD}).json()["token"]
            client.cookies.clear()
            client.headers["authorization"] = f"Bearer {token}"
            yield House(container, client)
    finally:
        container.stopping.set()
        server.should_exit = True
        thread.join(timeout=30)


def bells(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_danger_is_on_the_stream_at_once_received_takes_it_off_and_logging_out_ends_it(house: House) -> None:
    with house.client.stream("GET", "/api/v1/bell/stream") as stream:
        heard = bells(stream)
        assert next(heard) == {"unread": 0, "news": [], "alarms": []}
        case_no = house.open("urgent")
        rings = next(heard)
        assert (rings["unread"], [one["case_no"] for one in rings["alarms"]]) == (1, [case_no])
        assert rings["news"][0]["loud"] is True
        assert house.client.post(f"/api/v1/cases/{case_no}/acknowledge").status_code == 200
        assert next(heard)["alarms"] == []
        assert house.client.get("/api/v1/bell").json()["news"][0]["kind"] == "case_acknowledged"
        house.client.post("/api/v1/notices/read", json={"case_no": case_no})
        assert next(heard) == {"unread": 0, "news": [], "alarms": []}
        house.client.post("/api/v1/logout")
        house.open("urgent")
        assert list(heard) == []


def test_one_person_has_so_many_streams_and_the_next_is_told_to_ask_instead(house: House) -> None:
    with contextlib.ExitStack() as opened:
        # An iterator that is thrown away closes its stream.
        heard = [
            bells(opened.enter_context(house.client.stream("GET", "/api/v1/bell/stream"))) for _ in range(PER_OWNER)
        ]
        assert all(next(one)["unread"] == 0 for one in heard)
        with house.client.stream("GET", "/api/v1/bell/stream") as refused:
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        assert house.client.get("/api/v1/bell").status_code == 200
