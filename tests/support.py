"""Helpers that several tests share."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher

from services.accounts import service as accounts
from services.accounts.schemas import NewAccount
from services.core.database import UnitOfWork
from services.core.errors import Conflict

T = TypeVar("T")


# The real cost of a password hash belongs to the tests of accounts.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ADDRESS = "192.0.2.1"


def employ(
    uow: UnitOfWork,
    name: str,
    role: str,
    now: datetime,
    *,
    department: str | None = None,
    post: str | None = None,
    password: str = "a password",
) -> str:
    """A new account, and the token of somebody who has logged in by it."""
    new = NewAccount(name, role, department, post)
    accounts.create_account(uow, new, CHEAP.hash(password), actor="test", now=now)
    uow.session.flush()
    return accounts.open_session(uow, name, ADDRESS, now)


def chromium_path() -> str:
    """The Chromium of this machine; a test that needs one is skipped without it, and fails in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium on PATH")
    if found is None:
        pytest.skip("no Chromium on PATH")
    return found


def wait_for(condition: Callable[[], T], *, seconds: float = 60.0, step: float = 0.05) -> T:
    """The first true value of `condition`; fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain")
        time.sleep(step)


def outcomes(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions at the same moment; each gives its result or its Conflict."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return action()
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))
