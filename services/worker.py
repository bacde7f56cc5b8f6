"""The worker: sends the outbox, sweeps the clocks of cases, finishes pending lookups and publications. Run as many as
needed."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import FrameType

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

from services import senders
from services.appointments import tasks as appointment_tasks
from services.bindings import tasks as binding_tasks
from services.cases import service as cases
from services.cases import tasks as case_tasks
from services.cases.models import OPEN_STATUSES
from services.citizens import tasks as citizen_tasks
from services.container import Container, build_container
from services.core import leases, process, tallies
from services.core.database import Database
from services.core.errors import HuiyingError
from services.core.logs import configure_logging
from services.core.settings import Settings
from services.core.signals import OUTBOX, connect
from services.knowledge import tasks as knowledge_tasks
from services.lookups import tasks as lookup_tasks
from services.notifications import service as notifications
from services.retention import service as retention
from services.retention import tasks as retention_tasks

log = structlog.get_logger(__name__)

HEARTBEAT_KEY = "huiying:worker:heartbeat"
BINDING_ASK_SECONDS = 10.0
# Seconds between two rounds of each job.
PERIODS: Mapping[str, float] = {
    **dict.fromkeys(notifications.CHANNELS, 2.0),
    "sweep": 10.0,
    "appointments": 10.0,
    "desk": 15.0,
    "bindings": 30.0,
    "lookups": 1.0,
    "systems": 15.0,
    "knowledge": 5.0,
    "tidy": 24 * 3600.0,
}
FAILURE_PAUSE = 3.0


class Worker:
    """Independent loops in threads; each job takes its own short transactions. `periods` are seconds per job."""

    def __init__(self, container: Container, *, periods: Mapping[str, float] = PERIODS) -> None:
        self._container = container
        self._periods = {**PERIODS, "heartbeat": container.settings.worker_heartbeat_seconds, **periods}
        self._stop = threading.Event()
        # What goes through a system of others, which may be slow, holds up nothing else: a loop for each channel.
        self._outbox_grew = {channel: threading.Event() for channel in notifications.CHANNELS}
        self._senders = senders.senders_of(container)
        self._owner = leases.new_holder()
        # Each job on cases leaves alone those that somebody has locked; two of one worker would pass over what the
        # other has in hand, and clocks missed while nobody worked would not be caught up in their order.
        self._cases = threading.Lock()
        self._named: object = None

    def run(self) -> None:
        """Work until `stop` is called."""
        loops = [
            threading.Thread(target=self._repeat, args=(name, job, wake), name=name, daemon=True)
            for name, job, wake in (
                *((channel, partial(self._send, channel), grew) for channel, grew in self._outbox_grew.items()),
                ("sweep", self._sweep, None),
                ("appointments", self._sweep_appointments, None),
                ("desk", self._keep_desk, None),
                ("bindings", self._scan_bindings, None),
                ("lookups", self._finish_lookups, None),
                ("systems", self._watch_systems, None),
                ("knowledge", self._finish_publication, None),
                ("tidy", self._tidy, None),
                ("heartbeat", self._beat, None),
            )
        ]
        loops.append(threading.Thread(target=self._listen, name="listen", daemon=True))
        for loop in loops:
            loop.start()
        log.info("worker ready")
        self._stop.wait()
        self._wake_senders()
        for loop in loops:
            loop.join(timeout=10)

    def stop(self) -> None:
        self._stop.set()

    def _repeat(self, name: str, job: Callable[[], object], wake: threading.Event | None) -> None:
        while not self._stop.is_set():
            pause = self._periods[name]
            try:
                job()
            except Exception as error:  # the next round tries again; nothing is lost, all state is in the database
                log.error("worker job failed", job=name, kind=type(error).__name__)
                pause = max(pause, FAILURE_PAUSE)
            if wake is not None:
                wake.wait(pause)
                wake.clear()
            else:
                self._stop.wait(pause)

    def _send(self, channel: str) -> None:
        the = self._container
        while notifications.send_due(the.database, self._senders, the.clock.now, limit=20, only=[channel]):
            if self._stop.is_set():
                return

    def _wake_senders(self) -> None:
        for grew in self._outbox_grew.values():
            grew.set()

    def _sweep(self) -> None:
        """Danger first, then the clocks."""
        with self._cases:
            database, now = self._container.database, self._container.clock.now()
            try:
                case_tasks.call_next(database, now)
            finally:
                case_tasks.sweep(database, now)

    def _sweep_appointments(self) -> None:
        appointment_tasks.sweep(self._container.database, self._container.clock.now())

    def _keep_desk(self) -> None:
        """What happens at the case desk by itself: the calendar follows new notices, waits end, queues are dealt out,
        clocks follow a new calendar, and reports come. One that fails does not keep the others from their turn."""
        jobs = (
            appointment_tasks.follow_notices,
            case_tasks.end_waits,
            self._tell_named,
            case_tasks.deal_queues,
            case_tasks.recompute_stale,
            case_tasks.write_due_reports,
        )
        for job in jobs:
            try:
                with self._cases:
                    job(self._container.database, self._container.clock.now())
            except SQLAlchemyError as error:
                log.error("worker job failed", job=job.__name__, kind=type(error).__name__)

    def _tell_named(self, database: Database, now: datetime) -> None:
        """Only when others are named than at the last look: nobody else has anything to hear."""
        with database.unit_of_work(read_only=True) as uow:
            named = cases.tip_off_readers(uow)
        if named != self._named:
            case_tasks.tell_named(database, now)
            self._named = named

    def _scan_bindings(self) -> None:
        container = self._container

        async def scan() -> None:
            try:
                await binding_tasks.scan(
                    container.database,
                    container.secrets,
                    container.asker(BINDING_ASK_SECONDS),
                    container.clock.now,
                    self._owner,
                    go_on=lambda: not self._stop.is_set(),
                )
            finally:
                await container.scan_gateway.aclose()

        asyncio.run(scan())

    def _finish_lookups(self) -> None:
        lookup_tasks.run_pending(self._container.lookups, self._container.gateway)

    def _watch_systems(self) -> None:
        container = self._container
        lookup_tasks.watch_systems(container.database, container.gateway, container.clock)

    def _finish_publication(self) -> None:
        container = self._container
        knowledge_tasks.finish_publication(
            container.database,
            container.embedder,
            container.knowledge_root,
            container.clock.now,
            lambda: container.embedding_cache,
        )

    def _tidy(self) -> None:
        container = self._container
        lookup_tasks.forget_old(container.lookups)
        lookup_tasks.forget_watches(container.database, container.clock)
        now = container.clock.now()
        with container.database.unit_of_work(read_only=True) as uow:
            identifiers = timedelta(days=retention.load_rules(uow).identifiers.days)
        tallies.forget(container.database, now)
        citizen_tasks.tidy(container.database, container.clock.now())
        binding_tasks.remove_unused(container.database, container.clock.now())
        appointment_tasks.tidy(container.database, now, identifiers)
        knowledge_tasks.clear_old_versions(container.database, container.knowledge_root, container.clock.now())
        retention_tasks.keep(container.database, now, OPEN_STATUSES, go_on=lambda: not self._stop.is_set())

    def _beat(self) -> None:
        seconds = int(self._container.settings.worker_heartbeat_seconds * 3)
        self._container.signals.client.set(HEARTBEAT_KEY, self._container.clock.now().isoformat(), ex=seconds)

    def _listen(self) -> None:
        """Wake the outbox's loops at once when a row is committed; without Redis they look every two seconds."""
        while not self._stop.is_set():
            try:
                with connect(self._container.settings.redis_url) as client, client.pubsub() as pubsub:
                    pubsub.subscribe(OUTBOX)
                    while not self._stop.is_set():
                        if pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0):
                            self._wake_senders()
            except (redis.RedisError, OSError):
                self._stop.wait(FAILURE_PAUSE)


def main() -> None:
    configure_logging("worker")
    try:
        settings = Settings()
        process.prepare(settings.var_dir)
        container = build_container(settings)
        # A mistake in a connector is said at once, in one line, instead of by every round of a loop.
        log.info("connectors read", kinds=sorted(container.gateway.connectors))
        worker = Worker(container)
    except HuiyingError as error:
        sys.exit(f"worker: {error.detail}")
    except ValueError as error:  # a setting that is none
        sys.exit(f"worker: {error}")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    worker.run()


if __name__ == "__main__":
    main()
