"""Staff who come in, on both databases: the clock stands still until it is moved, and hashes cost next to nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher

from services.accounts import service
from services.accounts.brakes import Brakes
from services.accounts.passwords import Passwords
from services.accounts.schemas import StaffUser
from services.accounts.tasks import Logins
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.errors import TooManyRequests
from tests.support import employ

NOW = parse_moment("2026-11-17T10:30")
PASSWORD = "a password for tests"
OFFICE, HOME, ELSEWHERE = "10.1.0.7", "192.0.2.44", "203.0.113.9"


class Watched(PasswordHasher):
    """Cheap; runs `during` whenever a password is checked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checks = 0
        self.during: Callable[[], None] = lambda: None

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.checks += 1
        self.during()
        return super().verify(hash, password)


@dataclass
class Door:
    """Where staff come in: 10 wrong passwords are free for a name at an address, 30 for a name, 60 for an address."""

    database: Database
    clock: FixedClock
    hasher: Watched
    logins: Logins

    def hire(self, name: str = "li", role: str = "clerk") -> None:
        def step(uow: Any) -> None:
            employ(uow, name, role, self.clock.now(), password=PASSWORD)

        self.database.write(step)

    def come(self, name: str = "li", address: str = OFFICE, password: str = PASSWORD) -> str:
        """What becomes of it: `in`, `wrong`, or how many seconds to wait."""
        try:
            found = self.logins.log_in(self.logins.visitor(name, address), password)
        except TooManyRequests as refused:
            return f"wait {refused.retry_after}"
        return "wrong" if found is None else "in"

    def token(self, name: str = "li", address: str = OFFICE, password: str = PASSWORD) -> str:
        found = self.logins.log_in(self.logins.visitor(name, address), password)
        assert found is not None
        return found[0]

    def guess(self, times: int, name: str = "li", address: str = ELSEWHERE) -> list[str]:
        return [self.come(name, address, "a wrong one") for _ in range(times)]

    def who(self, token: str) -> StaffUser:
        with self.database.unit_of_work(read_only=True) as uow:
            return service.user_of_token(uow, token, self.clock.now())

    def run(self, rule: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return self.database.write(lambda uow: rule(uow, *given, now=self.clock.now(), **named))


def behind(database: Database, clock: FixedClock, passwords: Passwords) -> Logins:
    secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
    return Logins(database, secrets, clock, passwords, Brakes.after(pair=10, name=30, address=60))


@pytest.fixture
def door(database: Database) -> Door:
    hasher, clock = Watched(), FixedClock(NOW)
    passwords = Passwords(at_once=2, waiting=8, seconds=60.0, hasher=hasher)
    made = Door(database, clock, hasher, behind(database, clock, passwords))
    made.hire()
    return made
