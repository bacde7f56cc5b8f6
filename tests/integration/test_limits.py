"""Counting limits, on the embedded server and on a real one."""

import os
import uuid

import pytest

from services.core.errors import TooManyRequests
from services.core.limits import count_against
from services.core.signals import connect


@pytest.mark.parametrize("server", ["embedded", "real"])
def test_past_the_limit_one_client_waits_and_another_does_not(server: str, request: pytest.FixtureRequest) -> None:
    if server == "embedded":
        url = request.getfixturevalue("embedded_redis_url")
    else:
        url = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
    client, who = connect(url), uuid.uuid4().hex
    for _ in range(3):
        count_against(client, what="test", who=who, limit=3)
    with pytest.raises(TooManyRequests):
        count_against(client, what="test", who=who, limit=3)
    count_against(client, what="test", who=who + "other", limit=3)
    assert 0 < client.ttl(f"huiying:limit:test:{who}") <= 60


def test_without_redis_nothing_is_limited() -> None:
    client = connect("redis://127.0.0.1:1/0")
    for _ in range(2):
        count_against(client, what="test", who="x", limit=1)
