"""A server of the attack's own, on loopback, with its own data: the real `huiying up`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from services.supervision.processes import free_port

PROJECT = Path(__file__).resolve().parents[2]
SHARED = ("models", "rasa")
CACHE = "embeddings.db"
START_SECONDS = 900.0  # of which a busy machine may need some for training


class Target:
    """`huiying up` in a folder of its own; `stop` ends it and removes the folder.

    `project` is the checkout whose code runs, by this interpreter; another one may take over the same data by `start`.
    """

    def __init__(self, project: Path = PROJECT, **environment: str) -> None:
        self.project = project
        self.var = Path(tempfile.mkdtemp(prefix="huiying-attack-"))
        for name in SHARED:
            (PROJECT / "var" / name).mkdir(parents=True, exist_ok=True)
            (self.var / name).symlink_to(PROJECT / "var" / name)
        (self.var / CACHE).symlink_to(PROJECT / "var" / CACHE)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"HUIYING_VAR": str(self.var), "PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        plain = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = {**plain, **own, **environment}
        self.passwords: dict[str, str] = {}
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> float:
        """Start it and wait until it is ready; seconds that took. Raises RuntimeError when it ends or is too slow."""
        began = time.monotonic()
        output = (self.var / "up.txt").open("wb")
        command = [sys.executable, "-m", "services.cli", "up"]
        self.process = subprocess.Popen(
            command,
            env={**self.environment, "PYTHONPATH": str(self.project)},
            stdout=output,
            stderr=output,
            cwd=self.project,
            start_new_session=True,
        )
        while time.monotonic() - began < START_SECONDS:
            said = (self.var / "up.txt").read_text(errors="replace")
            if "Ctrl-C stops everything" in said:
                self.passwords.update(re.findall(r"^ {4}(\w+) +(\S+)$", said, re.MULTILINE))
                return time.monotonic() - began
            if self.process.poll() is not None:
                raise RuntimeError(f"huiying up ended: {said[-500:]}")
            time.sleep(0.1)
        raise RuntimeError("huiying up was not ready in time")

    def kill(self) -> None:
        """kill -9 of the supervisor; its children are left to themselves."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def end(self) -> None:
        """Stop it as an operator does; its data stays."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def stop(self) -> None:
        self.end()
        shutil.rmtree(self.var, ignore_errors=True)

    @property
    def database(self) -> Path:
        return self.var / "huiying.db"

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, headers=headers, trust_env=False)

    def client_from(self, address: str, **headers: str) -> httpx.Client:
        """A client that comes from another address of this machine (127.0.0.0/8)."""
        way = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self.url, timeout=60, headers=headers, trust_env=False, transport=way)

    def staff(self, role: str) -> httpx.Client:
        """A client that is logged in as the account of `role` that the first start made."""
        client = self.client()
        entry = {"name": role, "password": self.passwords[role]}
        client.headers["authorization"] = (
            f"Bearer {client.post('/api/v1/login', json=entry).raise_for_status().json()['token']}"
        )
        return client

    def memory(self) -> dict[str, int]:
        """Megabytes that the API holds now, and that all processes of the system hold, its decoder among them."""
        parents: dict[int, int] = {}
        held: dict[int, int] = {}
        apis: set[int] = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                number = int(process.name)
                parents[number] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                held[number] = int((process / "statm").read_text().split()[1]) * 4096 // (1024 * 1024)
                if b"services.serve" in (process / "cmdline").read_bytes():
                    apis.add(number)
            except (OSError, ValueError, IndexError):  # it has just ended
                continue
        # One that has just been forked off and is not yet what it will be holds its parent's memory, not more.
        apis -= (forked := {number for number in apis if parents[number] in apis})
        ours = [number for number in held if number not in forked and self._is_ours(number, parents)]
        return {"all": sum(held[one] for one in ours), "api": sum(held[one] for one in ours if one in apis)}

    def _is_ours(self, number: int, parents: dict[int, int]) -> bool:
        while number in parents and number != self.process.pid:
            number = parents[number]
        return number == self.process.pid

    def conversation(self, address: str = "127.0.0.1") -> tuple[str, dict[str, str]]:
        """A new conversation and the headers of its citizen."""
        with self.client_from(address) as client:
            opened = client.post("/api/v1/conversations").raise_for_status().json()
        return opened["conversation_id"], {"authorization": f"Bearer {opened['token']}"}


def say(attack: str, **figures: Any) -> None:
    """One line of figures on standard output."""
    print(json.dumps({"attack": attack, **figures}, ensure_ascii=False), flush=True)
