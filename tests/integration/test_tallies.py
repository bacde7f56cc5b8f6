"""What is counted by the hour, over processes and on both databases."""

import threading
from datetime import datetime, timedelta

from services.core import tallies
from services.core.clock import parse_moment
from services.core.database import Database

NINE = parse_moment("2026-11-16T09:00")


def take(database: Database, now: datetime, *, who: str = "a", limit: int = 3) -> bool:
    return database.write(lambda uow: tallies.take(uow, what="tests", who=who, limit=limit, now=now))


def test_so_many_an_hour_are_let_through_and_somebody_else_is_not_touched(database: Database) -> None:
    assert [take(database, NINE) for _ in range(5)] == [True] * 3 + [False] * 2
    assert take(database, NINE, who="b")


def test_the_end_of_an_hour_does_not_double_what_is_let_through(database: Database) -> None:
    assert [take(database, NINE + timedelta(minutes=59)) for _ in range(3)] == [True] * 3
    assert not take(database, NINE + timedelta(minutes=61))
    assert take(database, NINE + timedelta(minutes=90))
    assert [take(database, NINE + timedelta(hours=3)) for _ in range(4)] == [True] * 3 + [False]


def test_what_is_refused_or_rolled_back_does_not_count(database: Database) -> None:
    for _ in range(3):
        take(database, NINE)
    for _ in range(50):
        assert not take(database, NINE)
    assert take(database, NINE + timedelta(minutes=90))

    with database.unit_of_work() as uow:
        # Ends without a commit.
        assert tallies.take(uow, what="tests", who="c", limit=1, now=NINE)
    assert take(database, NINE, who="c", limit=1)


def test_twelve_processes_at_once_let_no_more_through_than_one(database: Database) -> None:
    start, let = threading.Barrier(12), []

    def ask() -> None:
        start.wait()
        let.append(take(database, NINE, limit=5))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let) == [False] * 7 + [True] * 5


def test_counts_are_forgotten_when_nothing_looks_at_them_any_more(database: Database) -> None:
    take(database, NINE)
    tallies.forget(database, NINE + timedelta(days=1))
    with database.unit_of_work(read_only=True) as uow:
        assert uow.session.query(tallies.Tally).count() == 1
    tallies.forget(database, NINE + timedelta(days=3))
    with database.unit_of_work(read_only=True) as uow:
        assert uow.session.query(tallies.Tally).count() == 0
