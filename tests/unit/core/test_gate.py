"""So many at once, so many waiting, and the others go home."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.core.errors import Unavailable
from services.core.limits import Gate
from tests.support import wait_for

LONG = 60.0


class Crowd:
    """People who go through a gate and stay inside until they are let out."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside = self.most = 0
        self.out = threading.Event()
        self._lock = threading.Lock()

    def go(self) -> str:
        try:
            with self.gate.turn():
                with self._lock:
                    self.inside += 1
                    self.most = max(self.most, self.inside)
                self.out.wait(LONG)
                with self._lock:
                    self.inside -= 1
        except Unavailable:
            return "refused"
        return "been inside"


def test_so_many_are_inside_at_once_so_many_wait_and_the_rest_is_refused_at_once() -> None:
    crowd = Crowd(Gate(at_once=2, waiting=3, seconds=LONG))
    with ThreadPoolExecutor(12) as pool:
        people = [pool.submit(crowd.go) for _ in range(12)]
        # Five have a place; whoever is refused is so while nobody has left.
        wait_for(lambda: sum(one.done() for one in people) == 7)
        assert crowd.inside == 2
        crowd.out.set()
        came = [one.result() for one in people]
    assert sorted(came) == ["been inside"] * 5 + ["refused"] * 7
    assert crowd.most == 2


def test_whose_turn_does_not_come_in_time_is_refused_and_leaves_the_line() -> None:
    gate = Gate(at_once=1, waiting=1, seconds=0.0)
    with gate.turn():
        for _ in range(3):
            with pytest.raises(Unavailable) as refused, gate.turn():
                pass
            assert refused.value.retry_after
    with gate.turn():
        pass


def test_an_error_inside_gives_the_place_back() -> None:
    gate = Gate(at_once=1, waiting=0, seconds=0.0)
    for _ in range(3):
        with pytest.raises(LookupError), gate.turn():
            raise LookupError
    with gate.turn():
        pass
