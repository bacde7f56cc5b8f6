"""Logins by the dozen: a citizen is answered all the same, the owner comes in, and a name says nothing of itself."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.attacks.target import Target, say

RATE, SECONDS, MESSAGES, TIMED = 20, 12, 10, 20
OWNER, TIMED_NAME = "clerk", "editor"
# Everything of 127.0.0.0/8 is this machine: strangers with an address each.
STRANGERS = [f"127.9.{number // 250}.{number % 250 + 1}" for number in range(RATE * SECONDS)]


def logins(target: Target) -> None:
    """Twenty logins a second from one address, then from one address each, while a citizen writes and the owner, who
    has logged in before, logs in again."""
    conversation, headers = target.conversation()
    quiet = _answered(target, conversation, headers, "q")
    _try(target, OWNER, target.passwords[OWNER])
    for crowd in ("one address", "an address each"):
        answers: Counter[int] = Counter()
        with _crowd(target, answers, STRANGERS[:1] if crowd == "one address" else STRANGERS):
            seconds = _answered(target, conversation, headers, crowd)
            began = time.monotonic()
            owner = _try(target, OWNER, target.passwords[OWNER])
            owner_seconds = time.monotonic() - began
        say(
            f"logins from {crowd}",
            tried=sum(answers.values()),
            a_second=RATE,
            answers=dict(sorted(answers.items())),
            messages=len(seconds),
            median_seconds=round(statistics.median(seconds), 3),
            slowest_seconds=round(max(seconds), 3),
            median_seconds_without=round(statistics.median(quiet), 3),
            owner_logs_in=owner,
            owner_seconds=round(owner_seconds, 2),
        )
    _tell_apart(target)


def _tell_apart(target: Target) -> None:
    """Wrong passwords for a name that exists and for one that does not, in turns, each from an address of its own."""
    seconds: dict[str, list[float]] = {TIMED_NAME: [], "nobody at all": []}
    answers = set()
    for number in range(TIMED):
        for at, name in enumerate(seconds):
            began = time.monotonic()
            answers.add(_try(target, name, "a wrong one", f"127.8.{at}.{number + 1}"))
            seconds[name].append(time.monotonic() - began)
    say(
        "names that exist and not",
        tries_each=TIMED,
        answers=sorted(answers),
        median_seconds_of_a_name=round(statistics.median(seconds[TIMED_NAME]), 4),
        median_seconds_of_no_name=round(statistics.median(seconds["nobody at all"]), 4),
        spread_of_a_name=round(statistics.stdev(seconds[TIMED_NAME]), 4),
    )


@contextmanager
def _crowd(target: Target, answers: "Counter[int]", addresses: list[str]) -> Iterator[None]:
    """While the block runs, and for SECONDS in all, RATE logins a second of names that exist and others."""
    lock = threading.Lock()

    def one(number: int) -> None:
        name = ("admin", "manager", f"name {number}")[number % 3]
        status = _try(target, name, "a wrong one", addresses[number % len(addresses)])
        with lock:
            answers[status] += 1

    def all_of_them() -> None:
        threads = []
        for number in range(RATE * SECONDS):
            thread = threading.Thread(target=one, args=(number,))
            thread.start()
            threads.append(thread)
            time.sleep(1 / RATE)
        for thread in threads:
            thread.join()

    crowd = threading.Thread(target=all_of_them)
    crowd.start()
    time.sleep(1.0)  # the line is full by then
    try:
        yield
    finally:
        crowd.join()


def _answered(target: Target, conversation: str, headers: dict[str, str], mark: str) -> list[float]:
    """How long each of some messages took to be answered, in seconds."""
    seconds = []
    with target.client(**headers) as client:
        for number in range(MESSAGES):
            began = time.monotonic()
            body = {"text": "身份证丢了怎么补办", "client_message_id": f"{mark} {number}"}
            client.post(f"/api/v1/conversations/{conversation}/messages", json=body).raise_for_status()
            seconds.append(time.monotonic() - began)
    return seconds


def _try(target: Target, name: str, password: str, address: str = "127.0.0.1") -> int:
    """The status of one login from an address of this machine; 0 when there is none."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=target.url, transport=transport, timeout=60, trust_env=False) as client:
        try:
            return client.post("/api/v1/login", json={"name": name, "password": password}).status_code
        except httpx.TransportError:
            return 0
