"""What a hash costs, and for whom."""

import re

import pytest
from argon2 import PasswordHasher, extract_parameters

from services.accounts.passwords import Hashes, Passwords, generated, usual_hasher
from services.core.errors import Unavailable
from tests.support import CHEAP

PASSWORD = "correct horse battery"


class Watched(PasswordHasher):
    """Cheap, and keeps what it was asked to check against."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.checked.append(str(hash))
        return super().verify(hash, password)


def test_a_name_without_an_account_costs_a_check_of_the_same_parameters_and_length() -> None:
    hasher = Watched()
    hashes = Hashes(hasher)
    stored = hashes.make(PASSWORD)
    assert hashes.fit(stored, PASSWORD)
    assert not hashes.fit(stored, "wrong")
    assert not hashes.fit(None, PASSWORD)
    assert [extract_parameters(one) for one in hasher.checked] == [extract_parameters(stored)] * 3
    assert len(hasher.checked[2]) == len(stored)


def test_the_hash_that_stands_for_nobody_is_a_real_one_of_the_usual_cost_and_nobodys_password() -> None:
    hashes = Hashes(usual_hasher())
    assert not hashes.fit(None, "")
    made = hashes.make(PASSWORD)
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=1\$", made)
    assert hashes.fit(made, PASSWORD)


def test_a_hash_of_other_parameters_still_fits_and_is_made_anew() -> None:
    earlier = PasswordHasher(time_cost=1, memory_cost=16, parallelism=2).hash(PASSWORD)
    hashes = Hashes(CHEAP)
    assert hashes.fit(earlier, PASSWORD)
    renewed = hashes.renewed(earlier, PASSWORD)
    assert extract_parameters(renewed).parallelism == 1
    assert hashes.fit(renewed, PASSWORD)
    assert hashes.renewed(renewed, PASSWORD) == renewed


def test_a_hash_is_made_and_checked_within_a_turn_of_the_gate_only() -> None:
    passwords = Passwords(at_once=1, waiting=0, seconds=0, hasher=CHEAP)
    with passwords.turn() as hashes:
        assert hashes.make(PASSWORD)
        with pytest.raises(Unavailable):
            passwords.made(PASSWORD)
    assert passwords.made(PASSWORD)


def test_strangers_leave_a_place_for_those_who_belong_here() -> None:
    passwords = Passwords(at_once=2, waiting=0, seconds=0, hasher=CHEAP)
    with passwords.turn(stranger=True):
        with pytest.raises(Unavailable), passwords.turn(stranger=True):
            pass
        with passwords.turn() as hashes:
            assert hashes.make(PASSWORD)


def test_generated_passwords_are_long_and_never_the_same() -> None:
    made = {generated() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 16
