"""Two replicas of Rasa and one conversation: what the stock Redis lock does, and what this project relies on instead.

Needs a Redis server (TEST_REDIS_URL); the races themselves are made to happen, not hoped for.
"""

import asyncio
import os
import uuid
from collections import deque
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from rasa.core.lock_store import InMemoryLockStore, LockStore, RedisLockStore
from rasa.core.utils import AvailableEndpoints

BOT = Path(__file__).parents[2] / "bot"
REDIS = urlsplit(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"))
SERVER = {
    "host": REDIS.hostname,
    "port": REDIS.port or 6379,
    "db": int(REDIS.path.strip("/") or 0),
    "password": REDIS.password,
}


class Interrupted(RedisLockStore):
    """The stock store of one replica; `meanwhile` runs between its GET and its SET, as another replica may."""

    meanwhile = staticmethod(lambda: None)

    def save_lock(self, lock):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        super().save_lock(lock)


@pytest.fixture
def replicas():
    """Two stock stores on one Redis server, and a conversation that nobody else uses."""
    one, other = Interrupted(**SERVER), RedisLockStore(**SERVER)
    try:
        one.red.ping()
    except redis.RedisError:
        if os.environ.get("CI"):
            raise
        pytest.skip("no Redis server (TEST_REDIS_URL)")
    conversation = uuid.uuid4().hex
    yield one, other, conversation
    one.delete_lock(conversation)


def test_two_replicas_with_the_stock_redis_lock_draw_the_same_ticket_and_are_both_served(replicas):
    one, other, conversation = replicas
    drawn = []
    one.meanwhile = lambda: drawn.append(other.issue_ticket(conversation))
    drawn.append(one.issue_ticket(conversation))
    assert drawn == [0, 0]
    assert not other.get_lock(conversation).is_locked(drawn[0])
    assert not one.get_lock(conversation).is_locked(drawn[1])
    # One of the two tickets is gone: SET put the older state over the newer one.
    assert len(one.get_lock(conversation).tickets) == 1


def test_two_turns_of_one_conversation_run_at_once_under_the_stock_redis_lock(replicas):
    one, other, conversation = replicas

    async def overlap():
        # The other replica enters in the gap between GET and SET of this one.
        entering = []
        one.meanwhile = lambda: entering.append(other.issue_ticket(conversation))
        async with one.lock(conversation):
            task = asyncio.create_task(_acquired(other, conversation, entering[0]))
            return await asyncio.wait_for(task, 5)

    assert asyncio.run(overlap())


async def _acquired(store: LockStore, conversation, ticket):
    """True once the holder of `ticket` is let in."""
    return await store._acquire_lock(conversation, ticket, wait_time_in_seconds=60) is not None


def test_a_turn_that_ends_takes_the_ticket_of_one_that_still_waits(replicas):
    one, other, conversation = replicas
    mine = other.issue_ticket(conversation)
    waiting = []
    one.meanwhile = lambda: waiting.append(other.issue_ticket(conversation))
    one.finish_serving(conversation, mine)
    # The waiting one's ticket was written in the gap and is overwritten: its turn would never come.
    assert waiting == [1]
    assert one.get_lock(conversation).tickets == deque()


def test_this_bot_configures_no_lock_in_redis_since_the_service_lets_one_turn_in_at_a_time(monkeypatch):
    monkeypatch.setenv("ACTION_ENDPOINT_URL", "http://127.0.0.1:1/webhook")
    endpoints = AvailableEndpoints.read_endpoints(str(BOT / "endpoints.yml"))
    assert endpoints.lock_store is None
    assert isinstance(LockStore.create(endpoints.lock_store), InMemoryLockStore)
