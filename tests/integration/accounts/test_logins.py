"""Who comes in, who has to wait, and whom a stranger cannot keep out."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, extract_parameters

from services.accounts import service
from services.accounts.brakes import FORGOTTEN_AFTER
from services.accounts.models import LoginFailures, StaffAccount, StaffAddress
from services.accounts.passwords import Passwords
from services.core.audit import AuditRow
from services.core.errors import Conflict, Unauthorized, Unavailable
from tests.integration.accounts.conftest import ELSEWHERE, HOME, OFFICE, PASSWORD, Door, behind
from tests.support import ADDRESS, outcomes

MINUTE = timedelta(minutes=1)


def test_the_right_password_opens_a_session_and_a_wrong_one_does_not(door: Door) -> None:
    assert door.who(door.token()).name == "li"
    assert door.come(password="a wrong one") == "wrong"
    assert door.come("nobody") == "wrong"


def test_no_transaction_is_open_while_a_password_is_hashed_whether_or_not_the_name_exists(door: Door) -> None:
    found: list[tuple[int, bool]] = []
    pool: Any = door.database.engine.pool
    door.hasher.during = lambda: found.append((pool.checkedout(), door.database._writer.locked()))
    assert [door.come(), door.come(password="a wrong one"), door.come("nobody")] == ["in", "wrong", "wrong"]
    assert found == [(0, False)] * 3


def test_a_name_that_exists_and_one_that_does_not_are_told_apart_by_no_answer(door: Door) -> None:
    answers = []
    for name in ("li", "nobody"):
        checks = door.hasher.checks
        said = door.guess(12, name, ELSEWHERE if name == "li" else HOME)
        door.clock.advance(30 * timedelta(seconds=1))
        said += door.guess(2, name, ELSEWHERE if name == "li" else HOME)
        answers.append((said, door.hasher.checks - checks))
        door.clock.advance(FORGOTTEN_AFTER)
    assert answers[0] == answers[1]
    assert answers[0][0] == ["wrong"] * 10 + ["wait 30"] * 2 + ["wrong", "wait 60"]


def test_whoever_has_to_wait_costs_no_hash_and_does_not_wait_for_longer_by_trying(door: Door) -> None:
    door.guess(10)
    checks = door.hasher.checks
    assert set(door.guess(20)) == {"wait 30"}
    assert door.hasher.checks == checks
    door.clock.advance(timedelta(seconds=30))
    assert door.come(address=ELSEWHERE) == "in"


def test_a_stranger_who_fails_from_elsewhere_does_not_shut_the_owner_out(door: Door) -> None:
    assert door.come() == "in"
    assert door.guess(40)[-1].startswith("wait")
    for number in range(10):
        door.guess(10, address=f"198.51.100.{number}")
    assert door.come() == "in"


def test_guesses_from_many_addresses_are_braked_by_name_and_the_owner_elsewhere_waits_for_minutes_at_most(
    door: Door,
) -> None:
    said = [door.come(address=f"198.51.100.{number}", password="a wrong one") for number in range(100)]
    assert said[:30] == ["wrong"] * 30
    assert set(said[30:]) == {"wait 15"}
    for number in range(30):
        door.clock.advance(5 * MINUTE)
        assert door.come(address=f"192.0.2.{number}", password="a wrong one") == "wrong"
    assert door.come(address=HOME) == "wait 300"
    door.clock.advance(5 * MINUTE)
    assert door.come(address=HOME) == "in"


def test_an_address_that_guesses_many_names_waits_but_not_those_who_work_there(door: Door) -> None:
    assert door.come() == "in"
    said = [door.come(f"name {number}", OFFICE, "a wrong one") for number in range(70)]
    assert said == ["wrong"] * 60 + ["wait 15"] * 10
    door.hire("wang")
    assert door.come("wang") == "wait 15"
    assert door.come("wang", HOME) == "in"
    assert door.come() == "in"


def test_the_owners_login_forgives_the_own_mistakes_and_not_those_of_strangers(door: Door) -> None:
    door.come()
    door.guess(9, address=OFFICE)
    assert door.come() == "in"
    assert door.guess(10, address=OFFICE) == ["wrong"] * 10
    door.guess(10)
    assert door.come(address=HOME) == "in"
    assert door.come(address=ELSEWHERE) == "wait 30"


def test_a_crowd_of_strangers_before_the_door_does_not_keep_the_owner_waiting(door: Door) -> None:
    assert door.come() == "in"
    passwords = Passwords(at_once=2, waiting=0, seconds=0.0, hasher=door.hasher)
    door.logins = behind(door.database, door.clock, passwords)
    with passwords.turn(stranger=True):
        with pytest.raises(Unavailable):
            door.come(address=ELSEWHERE)
        assert door.come() == "in"


def test_mistakes_are_forgotten_after_two_hours_without_one_and_leave_no_rows(door: Door) -> None:
    for number in range(30):
        door.come(f"name {number}", f"198.51.100.{number}", "a wrong one")
    door.clock.advance(FORGOTTEN_AFTER)
    assert door.guess(1) == ["wrong"]
    with door.database.unit_of_work(read_only=True) as uow:
        left = uow.session.scalars(sa.select(LoginFailures)).all()
    assert len(left) == 3
    assert {one.failures for one in left} == {1}


def test_mistakes_at_the_same_moment_are_all_counted(door: Door) -> None:
    outcomes(*[lambda: door.guess(1)] * 4)
    with door.database.unit_of_work(read_only=True) as uow:
        assert set(uow.session.scalars(sa.select(LoginFailures.failures))) == {4}


def test_names_that_were_typed_are_kept_in_no_table(door: Door) -> None:
    door.come("my secret password", password="li")
    with door.database.unit_of_work(read_only=True) as uow:
        kept = uow.session.scalars(sa.select(LoginFailures.name_hash)).all()
        audited = uow.session.scalars(sa.select(AuditRow.subject)).all()
    assert len(kept) == 3
    assert "my secret password" not in [*kept, *audited]


def test_an_account_that_is_disabled_while_its_password_is_checked_gets_no_session(door: Door) -> None:
    door.hasher.during = lambda: door.run(service.disable, "li", actor="test")
    assert door.come() == "wrong"
    door.hasher.during = lambda: None
    with door.database.unit_of_work(read_only=True) as uow:
        assert service.sessions_of(uow, "li", door.clock.now()) == []


def test_a_disabled_account_lets_nobody_in_ends_its_sessions_and_says_what_a_wrong_password_says(door: Door) -> None:
    token = door.token()
    door.hire("wang")
    other = door.token("wang")
    assert door.run(service.disable, "li", actor="test") == 2
    with pytest.raises(Unauthorized):
        door.who(token)
    assert door.who(other).name == "wang"
    assert door.come() == "wrong"
    door.run(service.enable, "li", actor="test")
    with pytest.raises(Unauthorized):
        door.who(token)
    assert door.come() == "in"


def test_a_hash_of_earlier_parameters_is_made_anew_at_the_login(door: Door) -> None:
    earlier = PasswordHasher(time_cost=1, memory_cost=16, parallelism=2).hash(PASSWORD)
    door.database.write(lambda uow: uow.session.execute(sa.update(StaffAccount).values(password_hash=earlier)))
    assert door.come() == "in"
    with door.database.unit_of_work(read_only=True) as uow:
        stored = uow.session.scalar(sa.select(StaffAccount.password_hash))
    assert extract_parameters(str(stored)).parallelism == 1
    assert door.come() == "in"


def test_a_one_time_password_opens_its_change_only_and_nothing_after_three_days(door: Door) -> None:
    token = door.token()
    door.guess(10, address=OFFICE)
    password, ended = door.logins.reset("li", "test")
    assert ended == 2
    with pytest.raises(Unauthorized):
        door.who(token)
    # Mistakes of before make nobody wait.
    assert door.come() == "wrong"
    first = door.token(password=password)
    assert door.who(first).must_change
    door.clock.advance(timedelta(days=3))
    assert door.come(password=password) == "wrong"
    again, _ = door.logins.reset("li", "test")
    second = door.token(password=again)
    visitor = door.logins.visitor("li", OFFICE)
    door.logins.change_password(visitor, old=again, new="one of my own", token=second)
    assert not door.who(second).must_change
    assert door.come(password=again) == "wrong"
    assert door.come(password="one of my own") == "in"


def test_a_changed_password_ends_every_session_but_the_one_that_changed_it(door: Door) -> None:
    mine, other = door.token(), door.token(address=HOME)
    change = {"old": PASSWORD, "new": "quite another one", "token": mine}
    door.logins.change_password(door.logins.visitor("li", OFFICE), **change)
    assert door.who(mine).name == "li"
    with pytest.raises(Unauthorized):
        door.who(other)
    assert door.come() == "wrong"
    assert door.come(password="quite another one") == "in"


def test_two_changes_at_once_do_not_both_win(door: Door) -> None:
    token, visitor = door.token(), door.logins.visitor("li", OFFICE)

    def reset_meanwhile() -> None:
        door.hasher.during = lambda: None
        door.logins.reset("li", "test")

    door.hasher.during = reset_meanwhile
    with pytest.raises(Conflict):
        door.logins.change_password(visitor, old=PASSWORD, new="quite another one", token=token)
    assert door.come(password="quite another one") == "wrong"


def test_only_so_many_addresses_of_somebody_are_remembered_and_only_for_so_long(door: Door) -> None:
    for number in range(service.ADDRESSES_KEPT + 5):
        door.clock.advance(MINUTE)
        assert door.come(address=f"192.0.2.{number}") == "in"

    def kept() -> set[str]:
        with door.database.unit_of_work(read_only=True) as uow:
            return set(uow.session.scalars(sa.select(StaffAddress.address)))

    assert len(kept()) == service.ADDRESSES_KEPT
    assert f"192.0.2.{service.ADDRESSES_KEPT + 4}" in kept()
    assert ADDRESS not in kept()
    door.clock.advance(service.ADDRESS_KEPT + MINUTE)
    assert door.come(address=HOME) == "in"
    assert kept() == {HOME}
