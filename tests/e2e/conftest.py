"""The whole system, really running: Rasa, action server, worker, sandbox, API; on the embedded defaults and on
PostgreSQL with Redis."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import redis

from services.core.settings import Settings
from services.supervision.processes import Child
from services.supervision.stack import Stack
from tests.support import wait_for

PROJECT = Path(__file__).resolve().parents[2]
POSTGRES = os.environ.get("TEST_DATABASE_URL_POSTGRES", "postgresql://root@127.0.0.1:5432/postgres")
# A database of its own on the server that other tests use: it is emptied, and they run meanwhile.
REDIS = urlsplit(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"))._replace(path="/8").geturl()
# Unpacked model, trained Rasa model and embeddings depend on nothing but their sources: every run shares them.
SHARED = ("models", "rasa", "embeddings.db")


@dataclass
class Citizen:
    """A citizen's browser without the browser."""

    client: httpx.Client
    conversation_id: str
    token: str
    seen: int = 0
    sent: int = 0

    def send(self, text: str | None = None, **body: Any) -> dict[str, Any]:
        """Post a message and wait for the end of its turn."""
        answer = self.post(text, **body)
        if answer["pending"]:
            key = f"m{self.sent}"
            wait_for(lambda: not self._post({"text": text, **body, "client_message_id": key})["pending"])
            answer = self._post({"text": text, **body, "client_message_id": key})
        return answer

    def post(self, text: str | None = None, **body: Any) -> dict[str, Any]:
        self.sent += 1
        return self._post({"text": text, **body, "client_message_id": f"m{self.sent}"})

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in body.items() if value is not None}
        response = self.client.post(f"/api/v1/conversations/{self.conversation_id}/messages", json=given)
        response.raise_for_status()
        return response.json()

    def messages(self, after: int = 0) -> list[dict[str, Any]]:
        response = self.client.get(f"/api/v1/conversations/{self.conversation_id}/messages", params={"after": after})
        response.raise_for_status()
        return response.json()["messages"]

    def consented(self) -> "Citizen":
        """Agree to the use of identifiers, as a citizen does at the first lookup."""
        self.send("查违章")
        self.send(choice="consent:yes")
        self.send("取消")
        return self


@dataclass
class System:
    stack: Stack
    passwords: dict[str, str]
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.stack.url

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(base_url=self.url, headers=headers, timeout=60.0)
        self.clients.append(made)
        return made

    def citizen(self) -> Citizen:
        opened = self.client().post("/api/v1/conversations").json()
        return Citizen(self.client(opened["token"]), opened["conversation_id"], opened["token"])

    def staff(self, name: str) -> httpx.Client:
        answer = self.client().post("/api/v1/login", json={"name": name, "password": self.passwords[name]})
        answer.raise_for_status()
        return self.client(answer.json()["token"])

    def sandbox(self, fault: dict[str, Any]) -> None:
        key = os.environ["CONNECTOR_SECRET_SANDBOX"]
        response = httpx.post(f"{self.stack.settings.sandbox_url}/_control", json=fault, headers={"x-api-key": key})
        response.raise_for_status()

    def code_to(self, phone: str) -> str:
        """The newest one-time code on the sandbox's telephone."""
        url = f"{self.stack.settings.sandbox_url}/sms/messages"
        headers = {"x-api-key": os.environ["CONNECTOR_SECRET_SANDBOX"]}
        newest = wait_for(lambda: httpx.get(url, params={"phone": phone}, headers=headers).json())[-1]
        return re.search(r"\d{6}", newest["text"]).group()

    def checks(self) -> dict[str, Any]:
        return self.client().get("/readyz").json()["checks"]

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `huiying` beside the running system, as an administrator would."""
        settings = self.stack.settings
        own = {"HUIYING_VAR": str(settings.var_dir), "DATABASE_URL": settings.database_url}
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def child(self, name: str) -> Child:
        return self.stack.child(name)


@pytest.fixture(scope="session", params=["embedded", "servers"])
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system with its own data; `embedded` is SQLite and Valkey, `servers` PostgreSQL and Redis."""
    var = tmp_path_factory.mktemp(f"var-{request.param}")
    share(var)
    database_url, redis_url, cleanup = "", "", lambda: None
    if request.param == "servers":
        database_url, redis_url, cleanup = servers()
    settings = Settings.model_validate(
        {
            "HUIYING_VAR": var,
            "port": 0,
            "database_url": database_url or f"sqlite:///{var / 'huiying.db'}",
            "redis_url": redis_url,
            "rasa_url": "",
            "action_url": "",
            "sandbox_url": "",
        }
    )
    stack = Stack(settings, say=print)
    try:
        stack.start()
        running = System(stack, {account.name: account.password for account in stack.accounts})
        yield running
        for client in running.clients:
            client.close()
    finally:
        stack.stop()
        cleanup()


def share(var: Path) -> None:
    own = PROJECT / "var"
    own.mkdir(exist_ok=True)
    for name in SHARED:
        if name != "embeddings.db":
            (own / name).mkdir(exist_ok=True)
        (var / name).symlink_to(own / name)


def servers() -> tuple[str, str, Callable[[], None]]:
    """A fresh PostgreSQL database and a flushed Redis database of the servers at hand."""
    name = f"huiying_e2e_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
        store = redis.Redis.from_url(REDIS, socket_connect_timeout=3)
        store.ping()
    except (psycopg.OperationalError, redis.RedisError):
        if os.environ.get("CI"):
            raise
        pytest.skip("no PostgreSQL or no Redis server (TEST_DATABASE_URL_POSTGRES, TEST_REDIS_URL)")
    store.flushdb()
    admin.execute(f'CREATE DATABASE "{name}"')

    def cleanup() -> None:
        store.flushdb()
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.close()

    return POSTGRES.rsplit("/", 1)[0] + f"/{name}", REDIS, cleanup


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; tests that need it skip without one."""
    for candidate in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(candidate)
        if found:
            return found
    if os.environ.get("CI"):
        pytest.fail("no Chromium on PATH")
    pytest.skip("no Chromium on PATH")
