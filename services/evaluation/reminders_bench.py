"""A scan over many bindings with real connectors, killed and taken up again (`huiying bench reminders`).

    figures = measure(settings, bindings=100_000, kills=2, progress=..., say=print)

The departmental system is the sandbox in a process of its own, asked over HTTP. Each worker is a process, killed with
SIGKILL in the middle of a batch; the next one's clock is ahead by as much as a lease lasts.
"""

import argparse
import asyncio
import json
import os
import secrets as randomness
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from services import schema
from services.bindings.models import Binding, Scan
from services.bindings.tasks import LEASE, scan
from services.citizens.models import CitizenRules, ReminderChoice, ReminderSent
from services.container import Container, build_container
from services.conversations.models import Conversation, Message
from services.core.settings import Settings
from services.supervision.processes import free_port

PROJECT = Path(__file__).resolve().parents[2]
# Of the sandbox's drivers one has nine points and is told of, the other has none.
TOLD_FILE, QUIET_FILE = "440300123456", "440300654321"
ROWS_AT_ONCE = 2_000
POLL_SECONDS = 0.02
ASKED_BEFORE_KILL = 40
WAIT_SECONDS = 3_600.0


@dataclass(frozen=True)
class AheadClock:
    """The system's clock, so much ahead."""

    ahead: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def measure(
    settings: Settings,
    *,
    bindings: int,
    told_share: float,
    kills: int,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Fill a database, scan it with `kills` kills on the way, and count what everybody was told."""
    container = build_container(settings)
    schema.upgrade(container.database)
    say(f"filling {bindings} bindings")
    began = time.perf_counter()
    expected = _fill(container, bindings, told_share, progress)
    filled = time.perf_counter() - began
    key = randomness.token_urlsafe(16)
    port = free_port()
    environment = {
        **os.environ,
        "HUIYING_VAR": str(settings.var_dir),
        "DATABASE_URL": settings.database_url,
        "SANDBOX_URL": f"http://127.0.0.1:{port}",
        "CONNECTOR_SECRET_SANDBOX": key,
        "SANDBOX_KEY": key,
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
    }
    sandbox = _start(["services.sandbox", "--port", str(port)], environment)
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        say("scanning")
        parts = _scan_and_kill(container, environment, bindings, kills, lambda: _calls(port, key), progress, say)
        asked = _calls(port, key)
    finally:
        sandbox.kill()
        sandbox.wait()
    figures = {
        "bindings": bindings,
        "database": "SQLite" if container.database.is_sqlite else "PostgreSQL",
        "cores": os.cpu_count(),
        "load_at_end": round(os.getloadavg()[0], 1),
        "fill_seconds": round(filled, 1),
        "kills": kills,
        **parts,
        "asked": asked,
        "asked_again_after_kills": asked - bindings,
        "expected_reminders": expected,
        **_told(container),
    }
    container.database.dispose()
    container.signals.close()
    return figures


def _fill(container: Container, count: int, told_share: float, progress: Callable[[int, int], None]) -> int:
    """One citizen with one driving licence and the reminder of points each; returns how many are to be told."""
    now = container.clock.now()
    encrypted = {
        number: container.secrets.encrypt(json.dumps({"id_card": "002X", "license_file_no": number}))
        for number in (TOLD_FILE, QUIET_FILE)
    }
    every = max(round(1 / told_share), 1) if told_share > 0 else 0
    told = 0
    with container.database.unit_of_work() as uow:
        # Measured by day and by night: nothing is quiet here.
        content = json.dumps({"reminders": {"quiet": {"start": "00:00", "end": "00:00"}}})
        uow.session.add(CitizenRules(version=1, digest="bench", content=content, applied_at=now))
        uow.commit()
    for first in range(0, count, ROWS_AT_ONCE):
        rows: dict[type[Any], list[dict[str, Any]]] = {Conversation: [], Binding: [], ReminderChoice: []}
        for number in range(first, min(first + ROWS_AT_ONCE, count)):
            citizen = f"bench-{number:08d}"
            is_told = bool(every) and number % every == 0
            told += is_told
            rows[Conversation].append(
                {"id": citizen, "channel": "web", "token_hash": citizen, "created_at": now, "last_seq": 0}
                | {"handler": "bot", "misses": 0}
            )
            rows[Binding].append(
                {"citizen": citizen, "kind": "licence", "identifier_hash": container.secrets.keyed_hash(citizen)}
                | {"values_encrypted": encrypted[TOLD_FILE if is_told else QUIET_FILE], "masked": "44****56"}
                | {"phone_hash": "", "consent_at": now, "created_at": now, "used_at": now, "seen": []}
            )
            rows[ReminderChoice].append({"citizen": citizen, "kind": "points", "wanted": True, "at": now})
        with container.database.unit_of_work() as uow:
            for model, values in rows.items():
                uow.session.execute(sa.insert(model), values)
            uow.commit()
        progress(min(first + ROWS_AT_ONCE, count), count)
    return told


def _scan_and_kill(
    container: Container,
    environment: dict[str, str],
    total: int,
    kills: int,
    calls: Callable[[], int],
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Workers one after the other, each killed at its share of the way but for the last."""
    seconds = 0.0
    killed_at: list[int] = []
    for number in range(kills + 1):
        ahead = (LEASE + timedelta(seconds=5)).total_seconds() * number
        began = time.perf_counter()
        worker = _start(["services.evaluation.reminders_bench", "--ahead", str(ahead)], environment)
        try:
            stop_at = total * (number + 1) // (kills + 1) if number < kills else None
            looked = _follow(container, worker, stop_at, total, progress)
            if stop_at is not None:
                # In the middle of a batch: some of it has been asked for and nothing of it stored.
                before = calls()
                while worker.poll() is None and calls() < before + ASKED_BEFORE_KILL:
                    time.sleep(POLL_SECONDS)
        finally:
            worker.kill()
            worker.wait()
        seconds += time.perf_counter() - began
        if stop_at is not None:
            killed_at.append(looked)
            say(f"killed after {looked} bindings")
    return {
        "killed_at": killed_at,
        "scan_seconds": round(seconds, 1),
        "bindings_per_second": round(total / seconds, 1),
    }


def _follow(
    container: Container,
    worker: "subprocess.Popen[bytes]",
    stop_at: int | None,
    total: int,
    progress: Callable[[int, int], None],
) -> int:
    """Watch the scan's row until it has come so far (None: to its end); the number of bindings looked at."""
    deadline = time.monotonic() + WAIT_SECONDS
    looked = 0
    while time.monotonic() < deadline:
        ended = worker.poll()
        with container.database.unit_of_work(read_only=True) as uow:
            row = uow.session.get(Scan, "bindings")
            if row is not None:
                looked = row.looked
                if row.finished_at is not None or (stop_at is not None and looked >= stop_at):
                    return looked
        if ended is not None:
            raise RuntimeError(f"the worker ended with status {ended} after {looked} bindings")
        progress(looked, total)
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the scan was not over after {WAIT_SECONDS:.0f} s")


def _told(container: Container) -> dict[str, int]:
    """What stands in the conversations and the notes: each once for everybody who is to be told."""
    with container.database.unit_of_work(read_only=True) as uow:
        session = uow.session
        messages = session.scalar(sa.select(sa.func.count()).select_from(Message)) or 0
        people = session.scalar(sa.select(sa.func.count(sa.distinct(Message.conversation_id)))) or 0
        notes = session.scalar(sa.select(sa.func.count()).select_from(ReminderSent)) or 0
    return {
        "reminders": messages,
        "people_told": people,
        "told_twice": messages - people,
        "notes": notes,
    }


def _start(module: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the sandbox did not start")


def _calls(port: int, key: str) -> int:
    state = httpx.get(f"http://127.0.0.1:{port}/_control", headers={"x-api-key": key}, trust_env=False).json()
    return int(state["status"]["calls"])


def main() -> None:
    """A worker that only scans, its clock `--ahead` seconds ahead."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ahead", type=float, default=0.0)
    ahead = timedelta(seconds=parser.parse_args().ahead)
    container = build_container(Settings(), AheadClock(ahead))

    async def run() -> None:
        try:
            await scan(
                container.database, container.secrets, container.asker(10.0), container.clock.now, f"{os.getpid()}"
            )
        finally:
            await container.scan_gateway.aclose()

    asyncio.run(run())


if __name__ == "__main__":
    main()
