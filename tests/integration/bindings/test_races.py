"""Scans that are killed, and scans at the same moment: everybody is told once."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.bindings.models import Scan
from services.bindings.tasks import Scanned, scan
from tests.integration.bindings.conftest import MONDAY
from tests.integration.bindings.test_reminders import facts
from tests.support import wait_for

POINTS = facts(points="10", points_cycle="2026")


def people(town: Any, count: int) -> list[str]:
    citizens = []
    for number in range(count):
        citizens.append(town.citizen())
        town.bind(citizens[-1], "licence", "points", license_file_no=f"4403001{number:05d}")
    town.systems.answers["licence_status"] = POINTS
    return citizens


def test_two_workers_at_once_tell_everybody_once(postgres_town: Any) -> None:
    town = postgres_town
    citizens = people(town, 40)
    results: list[Scanned] = []
    barrier = threading.Barrier(4)

    def work(owner: str) -> None:
        barrier.wait()
        results.append(
            asyncio.run(scan(town.database, town.secrets, town.systems, town.clock.now, owner, batch=5, at_once=5))
        )

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.told for one in results) == 40
    assert Counter(len(town.told(citizen)) for citizen in citizens) == {1: 40}


def test_a_worker_whose_lease_ran_out_stores_nothing_after_another_took_over(postgres_town: Any) -> None:
    town = postgres_town
    citizens = people(town, 4)
    taken_over: list[Scanned] = []

    def slow() -> None:
        # While the first worker waits for an answer its lease runs out, and another does the whole round.
        town.systems.after_asking = None
        town.clock.advance(timedelta(minutes=4))
        thread = threading.Thread(target=lambda: taken_over.append(town.scan("second")))
        thread.start()
        thread.join()

    town.systems.after_asking = slow
    first = town.scan("first")
    assert (first.told, first.finished) == (0, False)
    assert (taken_over[0].told, taken_over[0].finished) == (4, True)
    assert Counter(len(town.told(citizen)) for citizen in citizens) == {1: 4}


def test_a_batch_longer_than_its_lease_stays_with_its_worker_and_nobody_is_asked_for_twice(town: Any) -> None:
    citizens = people(town, 8)
    others: list[Scanned] = []

    def slow() -> None:
        # The whole batch takes more than twice a lease, and another worker tries after each answer.
        town.clock.advance(timedelta(minutes=1))
        thread = threading.Thread(target=lambda: others.append(asyncio.run(_scan(town, "second"))))
        thread.start()
        thread.join()

    town.systems.after_asking = slow
    first = asyncio.run(_scan(town, "first"))
    assert (first.looked, first.told, first.finished) == (8, 8, True)
    assert others == [Scanned()] * len(town.systems.asked)
    assert town.systems.asked == ["licence_status"] * 8
    assert Counter(len(town.told(citizen)) for citizen in citizens) == {1: 8}


async def _scan(town: Any, owner: str) -> Scanned:
    return await scan(town.database, town.secrets, town.systems, town.clock.now, owner, batch=20, at_once=1)


def test_a_killed_scan_is_resumed_by_another_worker_and_tells_everybody_once(town: Any, tmp_path: Path) -> None:
    citizens = people(town, 35)
    stopped_at = tmp_path / "stopped"
    environment = {
        **os.environ,
        "HUIYING_VAR": str(tmp_path),
        "DATABASE_URL": town.database.url,
        "SECRET_KEYS": "k" * 40,
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    command = [
        sys.executable,
        "-m",
        "tests.integration.bindings.scan_process",
        str(stopped_at),
        MONDAY.isoformat(),
        "2",
    ]
    process = subprocess.Popen(command, env=environment)
    try:
        wait_for(lambda: (stopped_at.exists() and stopped_at.read_text()) or process.poll() is not None, seconds=60)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait(timeout=60)
    (left,) = town.rows(Scan)
    assert (left.looked, left.told, left.finished_at) == (20, 20, None)
    assert town.scan("other").looked == 0, "the dead worker's lease still holds"
    town.clock.advance(timedelta(minutes=4))
    rest = town.scan("other", batch=10)
    assert (rest.looked, rest.told, rest.finished) == (15, 15, True)
    assert Counter(len(town.told(citizen)) for citizen in citizens) == {1: 35}
