"""The connector's rate, counted over all replicas, on the embedded server and on a real one."""

import asyncio
import os
import uuid
from typing import Any

import pytest

from services.core.limits import SharedRate
from services.core.signals import connect
from services.lookups.connectors import Connector, Rate
from services.lookups.gateway import Gateway, SystemBusy

MATTER = {"case_no": "BJ202608150021", "phone_tail": "6125"}


@pytest.fixture(params=["embedded", "real"])
def redis_url(request: pytest.FixtureRequest) -> str:
    if request.param == "embedded":
        return str(request.getfixturevalue("embedded_redis_url"))
    return os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


class Renamed:
    """A rate under a name of the test's own: the servers are shared."""

    def __init__(self, url: str, name: str) -> None:
        self._rate = SharedRate(connect(url))
        self._name = name

    def take(self, what: str, *, calls: int, seconds: float) -> float:
        return self._rate.take(f"{self._name}:{what}", calls=calls, seconds=seconds)


def limited(connectors: dict[str, Connector], url: str, name: str, rate: Rate) -> Gateway:
    """A replica of its own."""
    return Gateway({"progress": connectors["progress"].model_copy(update={"rate": rate})}, rates=Renamed(url, name))


def test_no_window_ever_holds_more_calls_than_allowed(redis_url: str) -> None:
    rates = [SharedRate(connect(redis_url)) for _ in range(2)]
    name = uuid.uuid4().hex
    waits = [rates[number % 2].take(name, calls=3, seconds=60) for number in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert all(59 < wait <= 60 for wait in waits[3:])
    assert 0 < connect(redis_url).ttl(f"huiying:rate:{name}") <= 60


def test_a_call_beyond_the_rate_of_all_replicas_is_not_made(
    connectors: dict[str, Connector], sandbox: Any, redis_url: str
) -> None:
    name, rate = uuid.uuid4().hex, Rate(calls=2, seconds=60)
    replicas = [limited(connectors, redis_url, name, rate) for _ in range(3)]
    before = sandbox.calls("progress")
    for replica in replicas[:2]:
        assert asyncio.run(replica.ask("progress", MATTER, seconds=5)).state == "done"
    with pytest.raises(SystemBusy) as busy:
        asyncio.run(replicas[2].ask("progress", MATTER, seconds=5))
    assert busy.value.wait > 50
    assert sandbox.calls("progress") == before + 2


def test_a_call_waits_for_its_turn_when_that_is_soon(
    connectors: dict[str, Connector], sandbox: Any, redis_url: str
) -> None:
    connectors["progress"] = connectors["progress"].model_copy(
        update={"retry": connectors["progress"].retry.model_copy(update={"longest_wait": 2.0})}
    )
    name, rate = uuid.uuid4().hex, Rate(calls=1, seconds=0.3)
    before = sandbox.calls("progress")

    async def three() -> list[str]:
        replicas = [limited(connectors, redis_url, name, rate) for _ in range(3)]
        answers = await asyncio.gather(*(replica.ask("progress", MATTER, seconds=5) for replica in replicas))
        return [answer.state for answer in answers]

    assert asyncio.run(three()) == ["done"] * 3
    assert sandbox.calls("progress") == before + 3


def test_our_own_limit_never_opens_the_breaker(connectors: dict[str, Connector], redis_url: str) -> None:
    gateway = limited(connectors, redis_url, uuid.uuid4().hex, Rate(calls=1, seconds=60))
    asyncio.run(gateway.ask("progress", MATTER, seconds=5))
    for _ in range(8):
        with pytest.raises(SystemBusy, match="our own limit"):
            asyncio.run(gateway.ask("progress", MATTER, seconds=5))


def test_without_redis_calls_are_made_all_the_same(connectors: dict[str, Connector], sandbox: Any) -> None:
    gateway = limited(connectors, "redis://127.0.0.1:1/0", "x", Rate(calls=1, seconds=60))
    for _ in range(2):
        assert asyncio.run(gateway.ask("progress", MATTER, seconds=5)).state == "done"
