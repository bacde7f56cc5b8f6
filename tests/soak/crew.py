"""The workers under test: real processes of `services.worker`, forked from one that has imported everything."""

import multiprocessing
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from services.container import Container, build_container
from services.core.clock import Clock
from services.core.logs import configure_logging
from services.core.settings import Settings
from services.worker import Worker
from tests.soak.clock import SharedClock

# As the worker's own, only faster: the soak's days pass in seconds.
PERIODS = {"robot": 0.1, "sweep": 0.15, "desk": 0.4}
ROBOT_KEY = "robot-key"
SECRET = "a-secret-key-for-soaking-that-is-long-enough"


@dataclass(frozen=True)
class Place:
    """Where a worker works."""

    folder: Path
    database_url: str
    redis_url: str
    # A platform of group robots, which takes what leaves the house.
    group_url: str

    def container(self, clock: Clock) -> Container:
        values = {
            "HUIYING_VAR": self.folder,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "wecom_url": self.group_url,
            "connector_secrets": {"robot": ROBOT_KEY},
            "secret_keys": SECRET,
        }
        return build_container(Settings.model_validate(values), clock)


def work(place: Place, clock: Path) -> None:
    """One worker, until it is told to stop or the soak itself is gone."""
    with (place.folder / "worker.log").open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    configure_logging("worker")
    worker = Worker(place.container(SharedClock(clock)), periods=PERIODS)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


@dataclass
class Crew:
    """Workers that are killed and replaced; `fell` counts those that ended by themselves, which none may."""

    place: Place
    clock: SharedClock
    random: random.Random
    fell: int = 0
    members: list[BaseProcess] = field(default_factory=list)

    def hire(self, count: int) -> "Crew":
        # Child processes that come out of a fork of this one would share its connections and threads.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        for _ in range(count):
            member = context.Process(target=work, args=(self.place, self.clock.path), daemon=True)
            member.start()
            self.members.append(member)
        return self

    def kill_one(self) -> None:
        """kill -9 of one of them, whatever it is doing, and a new one in its place."""
        self.count_fallen()
        victim = self.members.pop(self.random.randrange(len(self.members)))
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        self.hire(1)

    def count_fallen(self) -> None:
        fallen = [member for member in self.members if not member.is_alive()]
        self.fell += len(fallen)
        self.members = [member for member in self.members if member.is_alive()]
        self.hire(len(fallen))

    def dismiss(self) -> None:
        """Let all go home, those who do not hear it by force."""
        for member in self.members:
            member.terminate()
        for member in self.members:
            member.join(20)
            if member.is_alive():
                member.kill()
                member.join()
        self.members = []
