"""Helpers that several tests share."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from services.core.errors import Conflict

T = TypeVar("T")


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
