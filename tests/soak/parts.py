"""The parts of the soak. Each works for some seconds, comes to rest, and reports what it found."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from services.core.clock import SHANGHAI, parse_moment
from services.sla import service as sla
from tests.integration.notifications.servers import platform
from tests.soak.api import soak_api
from tests.soak.clock import SharedClock
from tests.soak.crew import Crew, Place
from tests.soak.findings import (
    Findings,
    in_order,
    look,
    missing_reports,
    newest_alert,
    not_taken,
    out_of_order,
    waiting_work,
)
from tests.soak.histories import soak_histories
from tests.soak.servers import OwnPostgres, OwnRedis
from tests.soak.town import Town
from tests.support import wait_for

START = "2026-11-20T09:30"
# As much as the town lives through, however many seconds that takes.
LIVED = timedelta(days=14)
# By then every limit, every wait and every escalation is over.
REST = timedelta(days=56)
WORKERS = 4
LEAST_ACTS = 80
# On a busy machine the town's time passes more slowly: no more than this part of it from one act to the next.
SLOWEST = 1 / 200
REST_SECONDS = 600
# Where the platform's group robots take their messages.
ROBOT = "/cgi-bin/webhook/send"
# On a busy machine a part goes on past its seconds until enough has happened, but not for ever.
LONGEST = 20
_numbers = itertools.count(1)


class Soak:
    """One part's town and workers on a database of its own."""

    def __init__(
        self, postgres: OwnPostgres, store: OwnRedis, folder: Path, *, seed: int, seconds: float, least: int = 0
    ) -> None:
        self.postgres, self.store, self.seconds, self.least = postgres, store, seconds, least
        self.faults = 0
        name = f"soak_{next(_numbers)}"
        with psycopg.connect(postgres.url, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        home = folder / name
        home.mkdir(parents=True)
        self.random = random.Random(seed)
        self.clock = SharedClock(home / "clock", parse_moment(START))
        self._group = platform()
        self.group = self._group.__enter__()
        self.place = Place(home, postgres.url.rsplit("/", 1)[0] + f"/{name}", store.url, self.group.url)
        self.container = self.place.container(self.clock)
        self.town = Town(self.container, self.clock, home, seed)
        self.crew = Crew(self.place, self.clock, self.random)
        self.began = time.monotonic()

    def ticks(self, lived: timedelta = LIVED) -> Iterator[float]:
        """Until the seconds are over and enough was done to the workers: one act of the town after another, while its
        time passes; yields the seconds."""
        began = before = time.monotonic()
        while self._goes_on((now := time.monotonic()) - began):
            self.clock.advance(lived * min((now - before) / self.seconds, SLOWEST))
            before = now
            self.town.act()
            yield now - began

    def _goes_on(self, seconds: float) -> bool:
        if seconds < self.seconds:
            return True
        lacks = self.faults < self.least or self.town.acts < LEAST_ACTS
        return lacks and self.least > 0 and seconds < self.seconds * LONGEST

    def rest(self) -> None:
        """Let everything that is due by a day weeks later be done, by workers whom nobody disturbs any more."""
        self.town.end_alert()
        self.clock.set(self.opening_after(self.clock.highest + REST))
        self.crew.count_fallen()

        deadline = time.monotonic() + REST_SECONDS
        # What never comes to rest is found by `look`, which names it.
        while time.monotonic() < deadline and (
            waiting_work(self.town.database, self.clock.now()) or missing_reports(self.town)
        ):
            # Rows that a killed worker had taken are free again half a minute later.
            self.clock.advance(timedelta(seconds=31))
            time.sleep(0.1)

    def opening_after(self, moment: datetime) -> datetime:
        """Ten minutes after the next opening of the hall."""
        with self.town.database.unit_of_work(read_only=True) as uow:
            office = sla.load_calendar(uow)
        midnight = moment.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        return office.next_opening(midnight) + timedelta(minutes=10)

    def found(self, part: str, *, straight: bool = True) -> Findings:
        findings = look(self.town, Findings(part, faults=self.faults), straight=straight)
        findings.lost += not_taken(self.town.database, [body["markdown"]["content"] for body in self.group.at(ROBOT)])
        findings.wrong += in_order(self.town.database)
        if self.crew.fell:
            findings.wrong.append(f"{self.crew.fell} workers ended by themselves, see {self.place.folder}/worker.log")
        findings.seconds = time.monotonic() - self.began
        return findings

    def close(self) -> None:
        self.crew.dismiss()
        self._group.__exit__(None, None, None)
        self.container.database.dispose()
        self.container.signals.close()


@contextmanager
def soak(
    postgres: OwnPostgres, store: OwnRedis, folder: Path, *, seed: int, seconds: float, least: int = 0
) -> Iterator[Soak]:
    """`least` faults happen at least, however few fit into the seconds."""
    made = Soak(postgres, store, folder, seed=seed, seconds=seconds, least=least)
    try:
        yield made
    finally:
        made.close()


def kills(the: Soak) -> Findings:
    """Four workers, one of which is killed with SIGKILL two or three times a second."""
    the.town.begin_alert()
    the.crew.hire(WORKERS)
    next_kill = 0.5
    for seconds in the.ticks():
        if seconds >= next_kill:
            the.crew.kill_one()
            the.faults += 1
            next_kill = seconds + the.random.expovariate(2.5)
    the.rest()
    return the.found("kills")


def jumps(the: Soak) -> Findings:
    """The clock of all machines jumps by up to four days ahead or back, while the time as a whole goes on."""
    the.town.begin_alert()
    the.crew.hire(WORKERS)
    next_jump = 0.5
    for seconds in the.ticks():
        if seconds >= next_jump:
            hours = the.random.uniform(-96, 96)
            the.clock.set(max(the.clock.now() + timedelta(hours=hours), parse_moment(START)))
            the.faults += 1
            next_jump = seconds + the.random.uniform(0.2, 1.0)
    the.clock.set(the.clock.highest)
    the.rest()
    return the.found("jumps", straight=False)


def outages(the: Soak) -> Findings:
    """The database crashes or is restarted, and Redis is killed, again and again; no worker may end by that."""
    the.town.begin_alert()
    the.crew.hire(WORKERS)
    next_outage = 2.0
    for seconds in the.ticks():
        if seconds < next_outage:
            continue
        what = the.random.choice(("crash", "restart", "redis", "both"))
        if what in ("redis", "both"):
            the.store.kill()
        if what != "redis":
            the.postgres.restart("fast" if what == "restart" else "immediate")
        if what in ("redis", "both"):
            the.town.act()
            the.store.start()
        the.faults += 1
        next_outage = seconds + the.random.uniform(3.0, 6.0)
        the.crew.count_fallen()
    the.rest()
    return the.found("outages")


def away(the: Soak) -> Findings:
    """No worker for a day, then one that catches up: what it raises comes in the order in which it fell due; on every
    second day it is killed while it does so, and others go on."""
    the.town.begin_alert()
    wrong: list[str] = []
    began = time.monotonic()
    while the.faults < max(2, the.least) or time.monotonic() - began < the.seconds:
        for _ in range(40):
            the.town.act()
            the.clock.advance(timedelta(minutes=36))
        the.faults += 1
        before = newest_alert(the.town.database)
        the.crew.hire(1)
        if the.faults % 2 == 0:
            the.crew.kill_one()
            the.crew.hire(1)
        wait_for(lambda: _caught_up(the), seconds=REST_SECONDS, step=0.1)
        the.crew.count_fallen()
        the.crew.dismiss()
        if the.faults % 2:
            wrong += out_of_order(the.town.database, before)
    the.crew.hire(WORKERS)
    the.rest()
    findings = the.found("away")
    findings.wrong += wrong
    return findings


def _caught_up(the: Soak) -> bool:
    the.clock.advance(timedelta(seconds=31))
    # Outside of the hall's hours what waits to be dealt out stays.
    return waiting_work(the.town.database, the.clock.now(), dealing=False) == 0


PARTS: dict[str, Callable[[Soak], Findings]] = {
    "kills": kills,
    "jumps": jumps,
    "outages": outages,
    "away": away,
    "api": soak_api,
    "histories": soak_histories,
}
