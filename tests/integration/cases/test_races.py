"""Two real sessions on PostgreSQL at once. Each race is forced: the second waits at the first one's lock."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.cases import alarms, repository
from services.cases import service as cases
from services.cases.models import Case, CaseAlert
from services.cases.tasks import sweep
from services.core.errors import Conflict
from tests.support import outcomes, wait_for

ROUNDS = 8


def wait_until_somebody_waits(desk: Any) -> None:
    """Return once a session of this database waits for a lock."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with desk.database.engine.connect() as connection:

        def waits() -> int:
            connection.rollback()
            return connection.scalar(waiting) or 0

        wait_for(waits)


def test_two_clerks_who_claim_at_once_get_one_winner_who_is_named_to_the_other(postgres_desk: Any) -> None:
    desk = postgres_desk
    for _ in range(ROUNDS):
        case_no = desk.open().case_no
        results = outcomes(
            partial(desk.do, cases.claim, case_no, desk.li), partial(desk.do, cases.claim, case_no, desk.wang)
        )
        lost = [result for result in results if isinstance(result, Conflict)]
        assert len(lost) == 1
        winner = desk.detail(case_no).assignee
        assert lost[0].extra == {"held_by": winner}
        assert desk.events(case_no) == ["opened", "claimed"]


def test_two_clerks_who_reply_at_once_send_one_answer(postgres_desk: Any) -> None:
    desk = postgres_desk
    for _ in range(ROUNDS):
        case_no = desk.open().case_no
        results = outcomes(
            partial(desk.do, cases.reply, case_no, desk.li, text="李的答复"),
            partial(desk.do, cases.reply, case_no, desk.wang, text="王的答复"),
        )
        (lost,) = [result for result in results if isinstance(result, Conflict)]
        winner = desk.detail(case_no).assignee
        assert lost.extra["first_replied_by"] == winner
        assert lost.extra["first_reply"] == {"li": "李的答复", "wang": "王的答复"}[winner]
        assert desk.events(case_no).count("replied") == 1


def test_the_second_claimer_waits_for_the_first_ones_commit(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open().case_no
    with ThreadPoolExecutor(1) as pool, desk.database.unit_of_work() as uow:
        cases.claim(uow, desk.secrets, case_no=case_no, user=desk.li, now=desk.clock.now())
        second = pool.submit(desk.do, cases.claim, case_no, desk.wang)
        wait_until_somebody_waits(desk)
        uow.commit()
        assert isinstance(second.exception(timeout=60), Conflict)


def test_numbers_of_cases_opened_at_once_are_all_different_and_without_gaps(postgres_desk: Any) -> None:
    desk = postgres_desk
    results = outcomes(*[desk.open for _ in range(16)])
    numbers = sorted(case.case_no for case in results)
    assert numbers == [f"GD20261120{number:05d}" for number in range(1, 17)]


def test_a_conversation_that_asks_twice_at_once_has_one_case(postgres_desk: Any) -> None:
    desk = postgres_desk
    for round_ in range(ROUNDS):
        name = f"conversation-{round_}"
        results = outcomes(*[partial(desk.open, conversation_id=name)] * 4)
        assert len({case.case_no for case in results}) == 1
        assert sorted(case.reused for case in results) == [False, True, True, True]
    assert desk.count(Case) == ROUNDS


def test_a_reply_that_is_being_written_wins_over_the_sweep(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open().case_no
    desk.at("2026-11-23T16:00")
    with desk.database.unit_of_work() as uow:
        cases.reply(uow, desk.secrets, case_no=case_no, user=desk.li, text="好", now=desk.clock.now())
        uow.session.flush()
        # The clock is still running for everybody else; the sweep leaves a locked case alone.
        swept = desk.at("2026-11-23T18:00").sweep()
        assert (swept.due, swept.raised) == (1, 0)
        uow.commit()
    assert desk.sweep().due == 0
    assert desk.events(case_no) == ["opened", "claimed", "replied"]
    assert [clock.state for clock in desk.detail(case_no).clocks] == ["met"]


def test_a_reply_behind_the_sweep_finds_the_breach_raised_once(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open().case_no
    desk.at("2026-11-23T18:00")
    for _ in range(ROUNDS):
        outcomes(desk.sweep, desk.sweep, partial(desk.do, cases.reply, case_no, desk.li, text="好"))
    events = desk.events(case_no)
    assert events.count("breached") == 1
    assert [recipient for kind, recipient in desk.outbox() if kind == "case_breach"] == ["role:supervisor"]
    assert [clock.state for clock in desk.detail(case_no).clocks] == ["breached"]


def test_many_sweeps_at_once_raise_everything_exactly_once(postgres_desk: Any) -> None:
    desk = postgres_desk
    for _ in range(30):
        desk.open()
    desk.at("2026-11-23T18:00")
    raised = sum(swept.raised for swept in outcomes(*[desk.sweep] * 4))
    # What one sweep had locked, another left; nothing is raised twice and the next sweep finds no rest.
    assert raised == 60
    assert desk.sweep().due == 0
    assert desk.count(CaseAlert) == 60
    assert len(desk.outbox()) == 60


def test_a_sweep_that_dies_before_its_commit_leaves_nothing_and_the_next_one_does_it_all(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open().case_no
    desk.at("2026-11-23T18:00")

    def die() -> None:
        with desk.database.unit_of_work() as uow:
            ids = repository.due_clock_ids(uow.session, desk.clock.now(), 10)
            (pair,) = repository.lock_clocks(uow.session, ids, desk.clock.now())
            case, clock = pair
            known = {"before": {}, "hands": [(case.created_at, case.department)]}
            assert alarms.raise_levels(uow, case, clock, desk.clock.now(), **known) == ["warning", "breach"]
            uow.session.flush()
            driver = uow.session.connection().connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            driver.close()
            uow.commit()

    with pytest.raises(OperationalError):
        die()
    assert desk.outbox() == []
    assert sweep(desk.database, desk.clock.now()).raised == 2
    assert desk.events(case_no) == ["opened", "warned", "breached"]
