"""The action server as a process of its own, called the way Rasa calls it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.core.crypto import Secrets
from services.core.database import Base, Database

KEYS = "s" * 40


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int, database: Database) -> None:
        self.process = process
        self.port = port
        self.database = database
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)

    def call(self, action: str, slots: dict[str, Any], *, ref: str, sender: str = "c1") -> dict[str, Any]:
        tracker = {"sender_id": sender, "slots": slots, "latest_message": {"metadata": {"ref": ref}}, "events": []}
        body = {"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.6.21"}
        answer: dict[str, Any] = self.client.post("/webhook", json=body).raise_for_status().json()
        return answer


def environment(tmp_path: Path, sandbox_url: str, **changes: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return plain | {
        "HUIYING_VAR": str(tmp_path),
        "SANDBOX_URL": sandbox_url,
        "CONNECTOR_SECRET_SANDBOX": "integration-test-key",
        "SECRET_KEYS": KEYS,
        **changes,
    }


@pytest.fixture
def server(tmp_path: Path, sandbox: Any) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = Database(f"sqlite:///{tmp_path / 'huiying.db'}")
    command = [sys.executable, "-m", "actions.server", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(tmp_path, sandbox.url), stdout=log, stderr=log)
    server = Server(process, port, database)
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        try:
            if server.client.get("/health").is_success:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    import services.schema  # noqa: F401  # every table, which the process before us may not have imported

    Base.metadata.create_all(database.engine)
    yield server
    if process.poll() is None:
        process.kill()
    process.wait()
    database.dispose()


def test_a_call_with_a_signed_reference_brings_the_violations(server: Server, tmp_path: Path) -> None:
    ref = Secrets([KEYS]).sign_reference("c1", 1, datetime.now(UTC))
    slots = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}
    (response,) = server.call("action_query_violation", slots, ref=ref)["responses"]
    assert response["custom"]["type"] == "lookup_result"
    assert "共 3 条交通违法记录" in response["custom"]["text"]
    refused = server.call("action_query_violation", slots, ref=ref, sender="c2")
    assert refused["responses"][0]["custom"]["type"] == "text"
    assert refused["events"] == []
    log = (tmp_path / "log").read_text()
    assert not any(word in log for word in ("粤B7K392", "3F0712", "might not be compatible"))


def test_it_listens_on_the_loopback_address_only_and_stops_when_told(server: Server) -> None:
    others = {one[4][0] for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, server.port), timeout=60)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_a_mistake_in_a_connector_is_one_line(tmp_path: Path) -> None:
    city = tmp_path / "city" / "connectors"
    city.mkdir(parents=True)
    (city / "bad.yaml").write_text("kind: violation\ncolour: red\n")
    command = [sys.executable, "-m", "actions.server", "--port", "1"]
    variables = environment(tmp_path, "http://127.0.0.1:9", CITY_DIR=str(tmp_path / "city"))
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("actions: bad.yaml:1: system: Field required")
    assert "Traceback" not in done.stderr
