"""The database and the unit of work, which owns the commit.

    with database.unit_of_work() as uow:
        case = cases.open_case(uow, ...)
        uow.commit()

Leaving the block without `commit()` rolls back. PostgreSQL in production, SQLite by default; both speak through
synchronous sessions in short transactions.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from services.core.events import Event, EventBus
from services.core.storage import StorageState

POSTGRES_OPTIONS = "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"


# deadlock_detected and serialization_failure: PostgreSQL ended this one of two transactions; it may simply run again.
RETRIED_STATES = ("40P01", "40001")
WRITE_ATTEMPTS = 3
WRITER_SECONDS = 30.0
WRITER_STEP = 0.25

T = TypeVar("T")


# In a table's `info`: so many of its rows fit into memory together, for what walks over all of them.
ROWS_AT_ONCE = "rows_at_once"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in and out, stored as UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime where an aware one is needed")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def normalise_url(url: str) -> str:
    """Plain `postgresql://` and `postgres://` addresses speak through psycopg 3."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


class UnitOfWork:
    """One transaction with the events collected in it."""

    def __init__(
        self, session: Session, bus: "EventBus[UnitOfWork]", stored: Callable[[], None] = lambda: None
    ) -> None:
        self.session = session
        self._bus = bus
        self._stored = stored
        self._events: list[Event] = []

    def collect(self, news: Event) -> None:
        """Tell in-transaction handlers at once and after-commit handlers once the commit succeeded."""
        self._events.append(news)
        self._bus.run_inside(self, news)

    def commit(self) -> None:
        self.session.commit()
        self._stored()
        events, self._events = self._events, []
        for news in events:
            self._bus.run_after(news)


class Database:
    """Engine and sessions for one database address."""

    def __init__(self, url: str, bus: "EventBus[UnitOfWork] | None" = None, *, pool_size: int = 20) -> None:
        self.url = normalise_url(url)
        self.bus: EventBus[UnitOfWork] = bus or EventBus()
        self._writer = threading.Lock()
        self.is_sqlite = make_url(self.url).get_backend_name() == "sqlite"
        location = make_url(self.url).database
        on_disk = self.is_sqlite and location and location != ":memory:"
        self.storage = StorageState(Path(str(location)).parent if on_disk else None)
        self.engine = _sqlite_engine(self.url, self.storage) if self.is_sqlite else _server_engine(self.url, pool_size)

    @contextmanager
    def unit_of_work(self, *, read_only: bool = False) -> Iterator[UnitOfWork]:
        """One transaction; `read_only` lets SQLite readers run beside its one writer.

        Raises StorageUnavailable when the database has been locked for a while.
        """
        with self._turn(read_only), Session(self.engine, expire_on_commit=False) as session:
            if read_only:
                session.connection(execution_options={"huiying_read_only": True})
                yield UnitOfWork(session, self.bus)
                return
            try:
                yield UnitOfWork(session, self.bus, self.storage.stored)
            except (DBAPIError, PoolTimeout) as error:
                self.storage.failed(error)
                raise
            # A session that closes without a commit rolls back.

    @contextmanager
    def _turn(self, read_only: bool) -> Iterator[None]:
        """On SQLite the writers of this process stand in line: its own waiting is a lottery that some of a crowd lose.

        Whoever waits too long tries all the same, and the database decides; when it lets nobody through, all go home.
        """
        if not self.is_sqlite or read_only:
            yield
            return
        held = False
        for _ in range(int(WRITER_SECONDS / WRITER_STEP)):
            self.storage.refuse_if_locked()
            held = self._writer.acquire(timeout=WRITER_STEP)
            if held:
                break
        try:
            yield
        finally:
            if held:
                self._writer.release()

    def probe(self) -> None:
        """Find out whether the database can be written to: on SQLite by taking its lock for no longer than that needs.

        Raises the driver's error.
        """
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def write(self, step: Callable[[UnitOfWork], T]) -> T:
        """Run `step` in a unit of work of its own and commit; a transaction that the server ended to resolve a
        deadlock (a turn holds its conversation and wants the case, a clerk's action the other way round) runs again."""
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                with self.unit_of_work() as uow:
                    result = step(uow)
                    uow.commit()
                return result
            except DBAPIError as error:
                if attempt == WRITE_ATTEMPTS or getattr(error.orig, "sqlstate", None) not in RETRIED_STATES:
                    raise
        raise AssertionError("unreachable")

    def dispose(self) -> None:
        self.engine.dispose()


def _server_engine(url: str, pool_size: int) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": POSTGRES_OPTIONS},
    )


def _sqlite_engine(url: str, storage: StorageState) -> Engine:
    location = make_url(url).database
    if location and location != ":memory:":
        Path(location).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        # What goes into a statement is what citizens wrote: no error repeats it.
        hide_parameters=True,
        connect_args={"timeout": 15, "check_same_thread": False},
        pool_size=20,
        max_overflow=20,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver's own implicit BEGIN would come too late for BEGIN IMMEDIATE below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads first and then writes fails at once when another wrote in between.
        read_only = connection.get_execution_options().get("huiying_read_only", False)
        if read_only:
            connection.exec_driver_sql("BEGIN")
            return
        with storage.waiting():
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
