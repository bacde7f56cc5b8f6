"""Everything that runs on one machine: prepared, started in order, waited for.

`huiying up` keeps it for good; the end-to-end tests and the dialogue evaluation start one in a folder of their own.
"""

import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
from pydantic import SecretStr
from redis.connection import parse_url
from sqlalchemy.exc import SQLAlchemyError

from services import schema
from services.container import Container, build_container
from services.core import process
from services.core.settings import LOCK_FILE, RUNTIME_FILE, Settings
from services.supervision.first_start import Account, prepare_data
from services.supervision.processes import Child, Children, StartError, free_port, port_is_free
from services.supervision.rasa_model import BOT, BOT_PYTHON, PROJECT, ensure_model
from services.supervision.redis_server import embedded_redis, wait_for_redis
from services.supervision.training import Workshop, fit_for

READY_SECONDS = 180.0
EARLIER_RUN_SECONDS = 15.0
PYTHON = Path(sys.executable)
SANDBOX_SECRET = "CONNECTOR_SECRET_SANDBOX"

Say = Callable[[str], None]


@dataclass
class Stack:
    """The processes of one installation. Use `start`, then `watch` in a loop, then `stop`."""

    settings: Settings
    say: Say
    with_api: bool = True
    children: Children = field(default_factory=Children)
    accounts: list[Account] = field(default_factory=list)
    _lock: IO[str] | None = None

    def start(self) -> None:
        """Prepare and start everything and wait until it is ready. Raises StartError; the caller then stops."""
        settings = self.settings
        process.prepare(settings.var_dir)
        self._take_lock()
        if self.with_api and settings.port and not port_is_free(settings.host, settings.port):
            raise StartError(
                f"port {settings.port} on {settings.host} is in use: stop what uses it, or choose another (PORT=8001)."
            )
        if settings.port == 0:
            settings.port = free_port()
        self._start_redis()
        self._start_internal_servers()
        container = build_container(settings)
        # A mistake in a connector's file is said before anything else takes time.
        self.say(f"connectors: {', '.join(sorted(container.gateway.connectors)) or 'none'}")
        self._migrate(container)
        self.say("loading the embedding model ...")
        embedder = container.embedder()
        self.say("checking the Rasa model (trained when its sources changed; about a minute) ...")
        model, _ = ensure_model(settings.var_dir, embedder)
        fit_for(Workshop(settings.var_dir, embedder, container.embedding_cache, self.say))
        self._start_rasa(model)
        self.accounts = prepare_data(container, self.say)
        self._write_runtime_file()
        self._start_worker_and_api()
        container.database.dispose()
        self._wait_until_ready()

    def stop(self) -> None:
        if self._lock is not None:
            (self.settings.var_dir / RUNTIME_FILE).unlink(missing_ok=True)
        self.children.stop_all()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host
        return f"http://{host}:{self.settings.port}"

    def child(self, name: str) -> Child:
        return next(child for child in self.children.all if child.name == name)

    # -- steps --------------------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        """The lock is passed on to every child, so it is free only when nothing of an earlier run works on the data:
        what was killed leaves children that need some seconds to end."""
        lock = (self.settings.var_dir / LOCK_FILE).open("a+")
        deadline = time.monotonic() + EARLIER_RUN_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not _is_alive(lock) and time.monotonic() < deadline:
                    time.sleep(0.2)
                    continue
                lock.close()
                raise StartError(
                    f"already running with the data in {self.settings.var_dir}: stop it first, or set HUIYING_VAR."
                ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        self.children.lock = lock.fileno()

    def _start_redis(self) -> None:
        child = None
        if not self.settings.redis_url:
            child, self.settings.redis_url = embedded_redis(self.settings.var_dir)
            self.children.start(child)
        wait_for_redis(self.settings.redis_url, child)

    def _migrate(self, container: Container) -> None:
        try:
            schema.upgrade(container.database)
        except SQLAlchemyError as error:
            raise StartError(f"the database cannot be used ({type(error).__name__}); check DATABASE_URL.") from None

    def _start_internal_servers(self) -> None:
        """Sandbox and action server need nothing of the others to start."""
        settings = self.settings
        if not settings.sandbox_url:
            key = os.environ.get(SANDBOX_SECRET) or secrets.token_urlsafe(16)
            os.environ[SANDBOX_SECRET] = key
            settings.connector_secrets["sandbox"] = SecretStr(key)
            port = free_port()
            settings.sandbox_url = f"http://127.0.0.1:{port}"
            self._start("sandbox", [PYTHON, "-m", "services.sandbox", "--port", port], {"SANDBOX_KEY": key})
        if not settings.rasa_token.get_secret_value():
            settings.rasa_token = SecretStr(secrets.token_urlsafe(24))
        settings.action_url = settings.action_url or f"http://127.0.0.1:{free_port()}"

    def _start_rasa(self, model: Path) -> None:
        settings = self.settings
        if settings.rasa_url:
            return
        port = free_port()
        settings.rasa_url = f"http://127.0.0.1:{port}"
        redis = parse_url(settings.redis_url)  # type: ignore[no-untyped-call]
        command = [
            BOT_PYTHON, "-m", "rasa", "run", "--interface", "127.0.0.1", "--port", port, "--model", model,
            "--endpoints", BOT / "endpoints.yml", "--credentials", BOT / "credentials.yml",
        ]  # fmt: skip
        environment = {
            "RASA_TELEMETRY_ENABLED": "false",
            "RASA_TOKEN": settings.rasa_token.get_secret_value(),
            "ACTION_ENDPOINT_URL": f"{settings.action_url}/webhook",
            "REDIS_HOST": str(redis.get("host", "127.0.0.1")),
            "REDIS_PORT": str(redis.get("port", 6379)),
            "REDIS_DB": str(redis.get("db", 0)),
            "REDIS_PASSWORD": str(redis.get("password", "")),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "SANIC_WORKERS": "1",
        }
        self._start("rasa", command, environment, directory=BOT)

    def _start_worker_and_api(self) -> None:
        settings = self.settings
        action_port = settings.action_url.rsplit(":", 1)[-1]
        self._start("actions", [PYTHON, "-m", "actions.server", "--host", "127.0.0.1", "--port", action_port], {})
        self._start("worker", [PYTHON, "-m", "services.worker"], {})
        if self.with_api:
            self._start("api", [PYTHON, "-m", "services.serve"], {})

    def _start(self, name: str, command: list[Any], environment: dict[str, str], directory: Path = PROJECT) -> None:
        log = self.settings.var_dir / "log" / f"{name}.log"
        shared = {**self._shared_environment(), **environment}
        self.children.start(Child(name, [str(part) for part in command], shared, log, directory))

    def _shared_environment(self) -> dict[str, str]:
        settings = self.settings
        values = {
            "HUIYING_VAR": str(settings.var_dir),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "RASA_URL": settings.rasa_url,
            "RASA_TOKEN": settings.rasa_token.get_secret_value(),
            "ACTION_URL": settings.action_url,
            "SANDBOX_URL": settings.sandbox_url,
            "HOST": settings.host,
            "PORT": str(settings.port),
            "PYTHONUNBUFFERED": "1",
            "OTEL_SDK_DISABLED": "true",
        }
        return {name: value for name, value in values.items() if value}

    def _write_runtime_file(self) -> None:
        """Leave the addresses for commands that are started beside this one; gone when it stops."""
        settings = self.settings
        content = {
            "redis_url": settings.redis_url,
            "rasa_url": settings.rasa_url,
            "rasa_token": settings.rasa_token.get_secret_value(),
            "action_url": settings.action_url,
            "sandbox_url": settings.sandbox_url,
            "database_url": settings.database_url,
            "port": settings.port,
            "connector_secrets": {
                name: secret.get_secret_value() for name, secret in settings.connector_secrets.items()
            },
        }
        path = settings.var_dir / RUNTIME_FILE
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))

    def _wait_until_ready(self) -> None:
        """Wait for every part; a part that falls while starting is named with the end of its log."""
        deadline = time.monotonic() + READY_SECONDS
        down = ["api"]
        with httpx.Client(timeout=5.0) as client:
            while time.monotonic() < deadline:
                for child in self.children.all:
                    if not child.is_alive():
                        raise StartError(f"{child.name} ended while starting; see {child.log}: {child.tail()}")
                down = self._parts_down(client)
                if not down:
                    return
                time.sleep(0.25)
        raise StartError(
            f"not ready after {int(READY_SECONDS)} s: {', '.join(down)}; see {self.settings.var_dir / 'log'}"
        )

    def _parts_down(self, client: httpx.Client) -> list[str]:
        try:
            if self.with_api:
                checks = client.get(f"{self.url}/readyz").json()["checks"]
                return [
                    f"{name} ({check.get('detail', '')})" for name, check in checks.items() if check["status"] != "up"
                ]
            headers = {"authorization": f"Bearer {self.settings.rasa_token.get_secret_value()}"}
            rasa = client.get(f"{self.settings.rasa_url}/webhooks/huiying/", headers=headers)
            actions = client.get(f"{self.settings.action_url}/health")
        except (httpx.HTTPError, ValueError, KeyError) as error:
            return [f"starting ({type(error).__name__})"]
        return [name for name, answer in (("rasa", rasa), ("actions", actions)) if not answer.is_success]


def _is_alive(lock: IO[str]) -> bool:
    """Whether the supervisor that wrote its number into the lock file still runs."""
    lock.seek(0)
    number = lock.read().strip()
    return number.isdigit() and Path(f"/proc/{number}").exists()
