"""kill -9 of the real API in the middle of a stream of bookings."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import services
from services.appointments import service as appointments
from services.appointments.models import Appointment
from services.appointments.schemas import Person
from services.core.clock import SystemClock
from services.core.database import Database
from services.supervision.processes import free_port
from tests.support import employ, wait_for

CITIZENS, BEFORE_THE_KILL, PASSWORD = 120, 25, "a password for tests"
PROJECT = Path(services.__file__).parents[1]


class Api:
    """The real API process on a database; it needs no Rasa and no Redis for bookings by staff."""

    def __init__(self, database: Database, var: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        plain = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "CITY_DIR")}
        url = database.engine.url.render_as_string(hide_password=False)
        environment = {**plain, "HUIYING_VAR": str(var), "DATABASE_URL": url, "SECRET_KEYS": "k" * 40}
        environment["PYTHONPATH"] = str(PROJECT)
        command = [sys.executable, "-m", "uvicorn", "--factory", "services.app:create_app", "--port", str(self.port)]
        with (var / "api.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ready(self) -> bool:
        assert self.process.poll() is None
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).is_success
        except httpx.TransportError:
            return False

    def client(self) -> httpx.Client:
        client = httpx.Client(base_url=self.url, timeout=60)
        login = client.post("/api/v1/login", json={"name": "clerk", "password": PASSWORD}).raise_for_status()
        client.headers["authorization"] = f"Bearer {login.json()['token']}"
        return client


@pytest.fixture
def api(desk: Any, tmp_path: Path) -> Iterator[Api]:
    desk.clock = SystemClock()
    desk.apply()
    _add_clerk(desk)
    made = Api(desk.database, tmp_path)
    try:
        wait_for(made.ready, seconds=240)
        yield made
    finally:
        made.process.kill()
        made.process.wait(10)


def test_a_killed_api_loses_no_confirmed_booking_and_doubles_none(desk: Any, api: Api) -> None:
    hours = [one for one in _openings(desk) if one.free >= 6][: CITIZENS // 6]
    confirmed: dict[int, str] = {}
    enough = threading.Event()

    def book(client: httpx.Client, number: int) -> None:
        body = {
            "service": "vehicle",
            "hall": "vehicle-office",
            "start_at": hours[number % len(hours)].start_at.isoformat(),
            "phone": f"139{number:08d}",
            "request_id": f"request-{number}",
        }
        try:
            answer = client.post("/api/v1/appointments", json=body)
        except httpx.TransportError:
            return
        assert answer.status_code == 201, answer.text
        confirmed[number] = answer.json()["no"]
        if len(confirmed) >= BEFORE_THE_KILL:
            enough.set()

    with contextlib.closing(api.client()) as client, ThreadPoolExecutor(8) as pool:
        bookings = [pool.submit(book, client, number) for number in range(CITIZENS)]
        assert enough.wait(180)
        os.kill(api.process.pid, signal.SIGKILL)
        for one in bookings:
            one.result()
    told_before = dict(confirmed)
    assert BEFORE_THE_KILL <= len(told_before) < CITIZENS
    _complete(desk, told_before)
    # All ask again with the same keys, of another replica: what had been stored but not been heard of is the same.
    for number in range(CITIZENS):
        again = desk.book(
            0,
            hours[number % len(hours)].start_at.isoformat(),
            key=f"staff:clerk:request-{number}",
            person=Person("phone", f"139{number:08d}"),
            service="vehicle",
            hall="vehicle-office",
            conversation_id=None,
            origin="staff",
        )
        confirmed[number] = again.no
    assert {number: confirmed[number] for number in told_before} == told_before
    assert len(confirmed) == len(set(confirmed.values())) == desk.live() == CITIZENS
    _complete(desk, confirmed)


def _complete(desk: Any, confirmed: dict[int, str]) -> None:
    stored = {row.no: row for row in desk.rows(Appointment)}
    assert set(confirmed.values()) <= set(stored)
    assert len({row.person_hash for row in stored.values()}) == len(stored)
    assert desk.counted()


def _openings(desk: Any) -> list[Any]:
    with desk.database.unit_of_work(read_only=True) as uow:
        return appointments.openings(uow, service="vehicle", now=desk.clock.now())


def _add_clerk(desk: Any) -> None:
    desk.database.write(lambda uow: employ(uow, "clerk", "clerk", desk.clock.now(), password=PASSWORD))
