"""Order and identity where replicas meet: one lease, one effect, whoever steps in between."""

import asyncio
import threading
from typing import Any

import pytest

from services.conversations import repository
from services.conversations.schemas import InboundMessage, SendAnswer, TurnContext
from services.conversations.turn_taking import LeaseLost
from tests.integration.conversations.conftest import Room


def message(text: str, key: str = "k1") -> InboundMessage:
    return InboundMessage(text=text, client_message_id=key)


def test_a_replica_that_steps_between_another_one_s_look_and_its_lease_does_not_get_the_turn(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = room.open()
    room.database.write(lambda uow: room.conversations.arrive(uow, conversation, message("你好"), room.clock.now()))
    other_tries = threading.Event()
    got: dict[str, TurnContext | type[LeaseLost] | None] = {}

    def other() -> None:
        other_tries.set()
        try:
            got["other"] = room.database.write(
                lambda uow: room.conversations.take_turn(uow, conversation, "other", room.clock.now())
            )
        except LeaseLost:
            got["other"] = LeaseLost

    thread = threading.Thread(target=other)
    look = repository.next_pending

    def look_and_be_interrupted(*arguments: Any) -> Any:
        # The place of the stock lock's gap: the first replica has read who may speak, and has not written yet.
        if threading.current_thread() is not thread:
            thread.start()
            assert other_tries.wait(10)
            thread.join(0.5)
            assert thread.is_alive(), "the other replica must wait for this one's transaction"
        return look(*arguments)

    monkeypatch.setattr(repository, "next_pending", look_and_be_interrupted)
    mine = room.database.write(lambda uow: room.conversations.take_turn(uow, conversation, "mine", room.clock.now()))
    thread.join(10)
    assert mine is not None
    assert got == {"other": LeaseLost}


def test_duplicates_sent_at_once_to_two_replicas_and_once_more_later_have_one_effect_and_one_answer(room: Room) -> None:
    conversation = room.open()
    room.dialogue.delay = 0.05
    room.dialogue.script = lambda text, metadata: [{"type": "open_case", "route": "human", "kind": "help"}]

    async def talk() -> list[SendAnswer]:
        replicas = [room.runner(), room.runner()]
        at_once = await asyncio.gather(*(replicas[n % 2].receive(conversation, message("转人工")) for n in range(8)))
        return [*at_once, await replicas[1].receive(conversation, message("转人工"))]

    answers = asyncio.run(talk())
    assert answers[0].case_no
    assert all(answer == answers[0] for answer in answers)
    assert len(room.dialogue.heard) == 1
    assert [entry.sender for entry in room.transcript(conversation)].count("citizen") == 1


def test_danger_told_twice_at_once_is_one_case(room: Room) -> None:
    conversation = room.open()

    async def talk() -> list[SendAnswer]:
        replicas = [room.runner(), room.runner()]
        return await asyncio.gather(
            *(replicas[n % 2].receive(conversation, message("家里煤气味很大，快来人")) for n in range(6))
        )

    answers = asyncio.run(talk())
    assert {answer.case_no for answer in answers} == {answers[0].case_no}
    assert answers[0].case_no
    assert [entry.type for entry in room.transcript(conversation)].count("emergency") == 1
