"""A database that cannot be written to: said at once, nothing waits in vain, nothing is lost."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from services.core.database import Database
from services.core.errors import TooManyRequests
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.storage import AWAY, FULL, LOCKED, LOCKED_SECONDS, StorageUnavailable, watch
from services.core.web import install_error_handlers
from tests.support import wait_for

SECRET_WORDS = "市民写下的话和证件号"


@pytest.fixture
def elsewhere(sqlite: Database) -> Iterator[sqlite3.Connection]:
    """Another process's connection to the same file."""
    connection = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()


def app_around(database: Database) -> TestClient:
    """A write and a mistake over HTTP, with the error handlers and the guard of the real application."""
    app = FastAPI()
    install_error_handlers(app)

    @app.post("/write")
    def write() -> dict[str, str]:
        database.write(lambda uow: uow.session.execute(text("CREATE TABLE written (words TEXT)")))
        return {}

    @app.post("/fill")
    def fill() -> dict[str, str]:
        insert = text("INSERT INTO filled VALUES (:words)")
        database.write(lambda uow: uow.session.execute(insert, {"words": SECRET_WORDS * 40_000}))
        return {}

    @app.post("/mistake")
    def mistake() -> dict[str, str]:
        statement = text("INSERT INTO nowhere VALUES (:words)")
        database.write(lambda uow: uow.session.execute(statement, {"words": SECRET_WORDS}))
        return {}

    @app.post("/limited")
    def limited() -> None:
        raise TooManyRequests("慢一点")

    app.add_middleware(RequestGuard, rules=Rules(Bounds(1024)))
    return TestClient(app)


def test_a_lock_that_another_process_holds_is_seen_without_any_request(
    sqlite: Database, elsewhere: sqlite3.Connection
) -> None:
    async def see() -> None:
        watching = asyncio.create_task(watch(sqlite.storage, sqlite.probe))
        try:
            async with asyncio.timeout(20):
                while sqlite.storage.trouble is not None:
                    await asyncio.sleep(0.01)
                elsewhere.execute("BEGIN IMMEDIATE")
                while sqlite.storage.trouble != LOCKED:
                    await asyncio.sleep(0.01)
                with sqlite.unit_of_work(read_only=True) as uow:
                    assert uow.session.scalar(text("SELECT 1")) == 1
                elsewhere.execute("ROLLBACK")
                while sqlite.storage.trouble is not None:
                    await asyncio.sleep(0.01)
        finally:
            watching.cancel()

    asyncio.run(see())


def test_nobody_stands_in_line_behind_a_writer_that_waits_in_vain(
    sqlite: Database, elsewhere: sqlite3.Connection
) -> None:
    elsewhere.execute("BEGIN IMMEDIATE")
    first = threading.Thread(target=lambda: sqlite.probe(), daemon=True)
    first.start()
    wait_for(lambda: sqlite.storage.waited() > LOCKED_SECONDS, seconds=60)
    answer = app_around(sqlite).post("/write")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "重试" in answer.json()["detail"]
    elsewhere.execute("ROLLBACK")
    first.join()
    assert app_around(sqlite).post("/write").status_code == 200


def test_a_full_disk_is_answered_with_503_and_when_to_come_back(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    pages: list[int] = []

    @event.listens_for(sqlite.engine, "checkout")
    def limit(connection: Any, *_rest: object) -> None:
        if pages:
            connection.execute(f"PRAGMA max_page_count={pages[-1]}")

    with sqlite.engine.begin() as connection:
        connection.execute(text("CREATE TABLE filled (words TEXT)"))
        pages.append(int(connection.execute(text("PRAGMA page_count")).scalar_one()))
    client = app_around(sqlite)
    with caplog.at_level(logging.DEBUG):
        answer = client.post("/fill")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert sqlite.storage.trouble == FULL
    assert SECRET_WORDS not in caplog.text
    with sqlite.unit_of_work(read_only=True) as uow:
        assert uow.session.scalar(text("SELECT count(*) FROM filled")) == 0
    pages.append(1_000_000)
    assert client.post("/fill").status_code == 200
    assert sqlite.storage.trouble is None


def test_a_mistake_of_our_own_is_no_trouble_of_the_database_and_repeats_no_words(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = app_around(database).post("/mistake")
    assert answer.status_code == 500
    assert "retry-after" not in answer.headers
    assert SECRET_WORDS not in caplog.text + answer.text
    assert database.storage.trouble is None


def test_a_server_that_went_away_is_trouble_until_it_is_back(postgres: Database) -> None:
    def cut(uow: Any) -> None:
        uow.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DBAPIError):
        postgres.write(cut)
    assert postgres.storage.trouble == AWAY
    postgres.write(lambda uow: uow.session.execute(text("SELECT 1")))
    assert postgres.storage.trouble is None


def test_whoever_asks_too_often_is_told_when_to_come_back(sqlite: Database) -> None:
    answer = app_around(sqlite).post("/limited")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert StorageUnavailable(LOCKED).retry_after == 3


def test_every_engine_hides_what_goes_into_its_statements(database: Database) -> None:
    assert database.engine.hide_parameters
