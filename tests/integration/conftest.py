"""The same tests on both databases: a fresh one for each test."""

import contextlib
import io
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import services.schema  # noqa: F401  every table
from services.core.database import Base, Database, normalise_url
from services.core.logs import configure_logging
from services.supervision.processes import Children
from services.supervision.redis_server import embedded_redis, wait_for_redis

DEFAULT_POSTGRES = "postgresql://root@127.0.0.1:5432/test"


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A command that a test ran configures the logs of this process, on a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def logged(log_as_before: None) -> io.StringIO:
    """What is logged from here on, word for word as the product prints it."""
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        configure_logging("test")
    return stream


def postgres_address() -> str:
    return os.environ.get("TEST_DATABASE_URL_POSTGRES", DEFAULT_POSTGRES)


def _server() -> psycopg.Connection:
    return psycopg.connect(postgres_address(), autocommit=True, connect_timeout=3)


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """A PostgreSQL database with all tables, that each test's own database is copied from."""
    name = f"huiying_template_{uuid.uuid4().hex[:12]}"
    try:
        server = _server()
    except psycopg.OperationalError:
        if os.environ.get("CI"):
            raise
        pytest.skip("PostgreSQL is not reachable (set TEST_DATABASE_URL_POSTGRES)")
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        database = Database(_address_of(name))
        Base.metadata.create_all(database.engine)
        database.dispose()
        yield name
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def copied(template: str) -> Iterator[Database]:
    """A PostgreSQL database of one's own, thrown away afterwards."""
    name = f"huiying_test_{uuid.uuid4().hex[:12]}"
    with _server() as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        database = Database(_address_of(name))
        yield database
        database.dispose()
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgres(postgres_template: str) -> Iterator[Database]:
    """A PostgreSQL database of one test's own."""
    with copied(postgres_template) as database:
        yield database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, that each test's own file is copied from."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = Database(f"sqlite:///{path}")
    Base.metadata.create_all(database.engine)
    database.dispose()
    return path


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A SQLite database of one test's own."""
    shutil.copyfile(sqlite_template, tmp_path / "test.db")
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database with all tables, once on SQLite and once on PostgreSQL."""
    fixture = "sqlite" if request.param == "sqlite" else "postgres"
    made: Database = request.getfixturevalue(fixture)
    return made


@pytest.fixture(scope="session")
def embedded_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    children = Children()
    child, url = embedded_redis(tmp_path_factory.mktemp("redis"))
    children.start(child)
    wait_for_redis(url, child)
    yield url
    children.stop_all()


def _address_of(name: str) -> str:
    url = make_url(normalise_url(postgres_address())).set(database=name)
    return url.render_as_string(hide_password=False)
