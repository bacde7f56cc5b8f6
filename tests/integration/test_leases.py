"""Leases, on both databases: one of several workers, kept while the work lasts, and lost for good."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.bindings import repository
from services.bindings.models import Scan
from services.core import leases
from services.core.clock import FixedClock, parse_moment
from services.core.database import Database, UnitOfWork
from tests.support import outcomes, wait_for

MONDAY = parse_moment("2026-11-16T10:00")
LEASE = timedelta(minutes=1)


class Work:
    """One row that is worked on."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock(MONDAY)
        database.write(lambda uow: repository.ensure_scan(uow.session, "work"))

    def take(self, holder: str, length: timedelta = LEASE) -> bool:
        return self.database.write(
            lambda uow: leases.take(repository.lock_scan(uow.session, "work"), holder, self.clock.now(), length)
        )

    def held(self, holder: str) -> bool:
        return self.database.write(lambda uow: leases.is_held(repository.lock_scan(uow.session, "work"), holder))

    def renew(self, holder: str, length: timedelta = LEASE) -> bool:
        return self.database.write(lambda uow: self._renewed(uow, holder, length))

    def _renewed(self, uow: UnitOfWork, holder: str, length: timedelta) -> bool:
        return leases.renew(uow, Scan, "work", holder, self.clock.now(), length)

    def free(self) -> bool:
        with self.database.unit_of_work(read_only=True) as uow:
            found = uow.session.scalar(sa.select(Scan.name).where(leases.is_free(Scan, self.clock.now())))
        return found is not None

    def until(self) -> object:
        with self.database.unit_of_work(read_only=True) as uow:
            return uow.session.scalar(sa.select(Scan.lease_until))


@pytest.fixture
def work(database: Database) -> Work:
    return Work(database)


def test_of_workers_at_the_same_moment_one_gets_the_work(work: Work) -> None:
    got = outcomes(*(lambda name=f"w{number}": work.take(name) for number in range(4)))  # type: ignore[misc]
    assert sorted(got) == [False, False, False, True]
    assert not work.free()


def test_a_lease_that_ran_out_is_its_holder_s_until_another_takes_it(work: Work) -> None:
    assert work.take("first")
    work.clock.advance(LEASE)
    assert work.free()
    assert work.held("first")
    assert work.take("second")
    assert not work.held("first")
    assert not work.renew("first")
    assert not work.take("first")


def test_a_renewed_lease_begins_anew_and_work_given_back_is_free(work: Work) -> None:
    assert work.take("first")
    work.clock.advance(LEASE - timedelta(seconds=1))
    assert work.renew("first")
    work.clock.advance(LEASE - timedelta(seconds=1))
    assert not work.take("second")
    work.database.write(lambda uow: leases.give_back(repository.lock_scan(uow.session, "work")))
    assert work.free()
    assert not work.held("first")
    assert work.take("second")


def test_a_lease_is_kept_while_the_work_lasts_however_long_and_no_longer(work: Work) -> None:
    short = timedelta(milliseconds=30)
    assert work.take("first", short)
    with leases.kept(work.database, lambda uow: work._renewed(uow, "first", short), short):
        for _ in range(5):
            work.clock.advance(timedelta(milliseconds=20))
            wait_for(lambda: work.until() == work.clock.now() + short, step=0.005)
            assert not work.take("second", short)
    work.clock.advance(short)
    assert work.take("second", short)


def test_who_lost_a_lease_does_not_renew_it_any_more(work: Work) -> None:
    short, asked = timedelta(milliseconds=30), []

    def renewal(uow: UnitOfWork) -> bool:
        asked.append(work._renewed(uow, "first", short))
        return asked[-1]

    assert work.take("first", short)
    work.clock.advance(short)
    assert work.take("second", LEASE)
    with leases.kept(work.database, renewal, short):
        wait_for(lambda: asked, step=0.005)
    assert asked == [False]
    assert work.held("second")
