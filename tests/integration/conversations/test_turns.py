"""Turns: one at a time, in order, each message once, nothing lost."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.conversations import repository
from services.conversations.decisions import SUSPECTED
from services.conversations.models import Message
from services.conversations.schemas import InboundMessage, SendAnswer
from services.conversations.turns import TurnRunner
from services.core.errors import TooManyRequests, Unprocessable
from services.understanding.danger import detect, likelihood
from tests.integration.conversations.conftest import Room

HELDOUT = Path(__file__).resolve().parents[2] / "bot" / "heldout" / "danger.jsonl"
DANGERS = [row["text"] for row in map(json.loads, HELDOUT.read_text("utf-8").splitlines()) if row["route"] == "urgent"]


def message(text: str, key: str = "k1") -> InboundMessage:
    return InboundMessage(text=text, client_message_id=key)


def choice(payload: str, key: str) -> InboundMessage:
    return InboundMessage(choice=payload, client_message_id=key)


def said(answer: SendAnswer) -> list[str]:
    return [reply.text for reply in answer.messages]


def test_messages_of_one_citizen_are_handled_one_at_a_time_over_replicas_in_order_of_arrival(room: Room) -> None:
    conversation = room.open()
    running = 0
    most = 0

    async def burst() -> None:
        replicas = [room.runner(), room.runner()]
        room.dialogue.delay = 0.01
        turn = room.dialogue.turn

        async def counted(conversation_id: str, text: str, metadata: dict) -> list[dict]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await turn(conversation_id, text, metadata)
            finally:
                running -= 1

        room.dialogue.turn = counted  # type: ignore[method-assign]
        sends = [replicas[n % 2].receive(conversation, message(f"第{n}条", f"k{n}")) for n in range(20)]
        answers = await asyncio.gather(*sends)
        assert all(not answer.pending for answer in answers)
        assert [said(answer) for answer in answers] == [[f"收到：第{n}条"] for n in range(20)]

    asyncio.run(burst())
    assert most == 1
    stored = [entry for entry in room.transcript(conversation) if entry.sender == "citizen"]
    assert [text for text, _ in room.dialogue.heard] == [entry.text for entry in stored]


def test_the_same_client_message_id_gets_the_same_answer_without_a_second_turn(room: Room) -> None:
    conversation = room.open()

    async def twice() -> tuple[SendAnswer, SendAnswer]:
        runner = room.runner()
        return (
            await runner.receive(conversation, message("你好")),
            await runner.receive(conversation, message("你好")),
        )

    first, second = asyncio.run(twice())
    assert first == second
    assert len(room.dialogue.heard) == 1


def test_a_slow_turn_says_so_once_and_brings_its_result_later(room: Room) -> None:
    conversation = room.open()
    told = asyncio.Event()
    turn = room.dialogue.turn

    async def held(conversation_id: str, text: str, metadata: dict) -> list[dict]:
        await told.wait()
        return await turn(conversation_id, text, metadata)

    room.dialogue.turn = held  # type: ignore[method-assign]

    async def slowly() -> SendAnswer:
        runner = room.runner(patience=0.1)
        answer = await runner.receive(conversation, message("查违章"))
        told.set()
        await runner.drain()
        return answer

    answer = asyncio.run(slowly())
    assert answer.pending
    assert said(answer) == ["正在查询，请稍候…"]
    assert [entry.text for entry in room.transcript(conversation)][-2:] == ["正在查询，请稍候…", "收到：查违章"]


def test_a_turn_that_never_ends_is_bounded_and_the_citizen_hears_it(room: Room) -> None:
    conversation = room.open()
    room.dialogue.delay = 30

    answer = asyncio.run(room.runner(turn_seconds=0.2).receive(conversation, message("查违章")))
    assert "没有完成" in said(answer)[0]


def test_a_message_left_by_a_dead_worker_is_picked_up_by_another(room: Room) -> None:
    conversation = room.open()
    with room.database.unit_of_work() as uow:
        room.conversations.arrive(uow, conversation, message("我还在等"), room.clock.now())
        uow.commit()
    with room.database.unit_of_work() as uow:
        assert room.conversations.take_turn(uow, conversation, "dead worker", room.clock.now())
        uow.commit()
    room.clock.advance(timedelta(seconds=40))

    async def recover() -> None:
        runner = room.runner()
        await runner.recover()
        await runner.drain()

    asyncio.run(recover())
    assert room.transcript(conversation)[-1].text == "收到：我还在等"


def test_what_a_worker_computed_after_losing_its_lease_is_dropped(room: Room) -> None:
    conversation = room.open()

    async def overtaken() -> None:
        slow, quick = room.runner(patience=0.05), room.runner()
        room.dialogue.delay = 0.5
        await slow.receive(conversation, message("问题"))
        room.clock.advance(timedelta(seconds=40))
        room.dialogue.delay = 0
        await quick.receive(conversation, message("又一条", "k2"))
        await slow.drain()

    asyncio.run(overtaken())
    texts = [entry.text for entry in room.transcript(conversation)]
    assert texts.count("收到：问题") == 1
    assert texts.count("收到：又一条") == 1


def test_turns_longer_than_a_lease_between_two_replicas_answer_each_message_once_and_leave_none(room: Room) -> None:
    conversation = room.open()
    runners: list[TurnRunner] = []

    def slow(text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        room.clock.advance(timedelta(seconds=40))
        return [{"type": "text", "route": "chitchat", "text": f"收到：{text}"}]

    async def talk() -> None:
        runners.extend((room.runner(), room.runner()))
        room.dialogue.script = slow
        room.dialogue.delay = 0.05
        await asyncio.gather(
            *(runners[number % 2].receive(conversation, message(f"第{number}条", f"k{number}")) for number in range(6))
        )
        for runner in runners:
            await runner.recover()
            await runner.drain()

    asyncio.run(talk())
    answers = [entry.text for entry in room.transcript(conversation) if entry.text.startswith("收到")]
    assert sorted(answers) == [f"收到：第{number}条" for number in range(6)]


def test_empty_and_too_long_messages_are_refused_and_a_flood_is_bounded(room: Room) -> None:
    conversation = room.open()
    with room.database.unit_of_work() as uow:
        with pytest.raises(Unprocessable):
            room.conversations.arrive(uow, conversation, message(" \n\0"), room.clock.now())
        with pytest.raises(Unprocessable):
            room.conversations.arrive(uow, conversation, message("长" * 2001), room.clock.now())
        for number in range(50):
            room.conversations.arrive(uow, conversation, message("在吗", f"f{number}"), room.clock.now())
        with pytest.raises(TooManyRequests):
            room.conversations.arrive(uow, conversation, message("在吗", "one more"), room.clock.now())


def test_neither_the_database_nor_the_dialogue_sees_an_identifier(room: Room) -> None:
    conversation = room.open(consent=True)
    secret = ("粤B7K392", "440106199209230007", "13812345678")
    text = f"车牌{secret[0]}，身份证{secret[1]}，手机{secret[2]}，查违章"
    asyncio.run(room.runner().receive(conversation, message(text)))
    heard, metadata = room.dialogue.heard[0]
    assert "【车牌1】" in heard
    with room.database.unit_of_work(read_only=True) as uow:
        rows = uow.session.execute(sa.select(Message)).scalars().all()
        stored = str([(row.text_encrypted, row.extra) for row in rows])
        assert room.conversations.resolve_identifier(uow, conversation, "【车牌1】") == secret[0]
    for value in secret:
        assert value not in heard + str(metadata) + stored


def test_an_identifier_waits_for_consent_and_the_message_is_then_handled(room: Room) -> None:
    conversation = room.open()

    async def talk() -> tuple[SendAnswer, SendAnswer]:
        runner = room.runner()
        asked = await runner.receive(conversation, message("查粤B7K392的违章"))
        return asked, await runner.receive(conversation, choice("consent:yes", "k2"))

    asked, granted = asyncio.run(talk())
    assert [option.payload for option in asked.messages[0].options or ()] == ["consent:yes", "consent:no"]
    assert room.dialogue.heard[0][0] == "查【车牌1】的违章"
    assert len(room.dialogue.heard) == 1
    assert "收到" in said(granted)[-1]


def test_a_refusal_deletes_the_identifier_and_tells_the_dialogue_nothing_of_it(room: Room) -> None:
    conversation = room.open()

    async def talk() -> None:
        runner = room.runner()
        await runner.receive(conversation, message("查粤B7K392的违章"))
        await runner.receive(conversation, choice("consent:no", "k2"))

    asyncio.run(talk())
    assert room.dialogue.heard[0][1]["entities"] == []
    with room.database.unit_of_work(read_only=True) as uow:
        assert repository.identifiers(uow.session, conversation) == []


def test_a_form_s_question_for_an_identifier_waits_for_consent_too(room: Room) -> None:
    conversation = room.open()
    ask = {"type": "ask", "route": "query_violation", "slot": "plate", "identifier": True, "text": "请发车牌号"}
    room.dialogue.script = lambda text, metadata: [ask]

    async def talk() -> tuple[SendAnswer, SendAnswer]:
        runner = room.runner()
        first = await runner.receive(conversation, message("查违章"))
        return first, await runner.receive(conversation, message("同意", "k2"))

    first, second = asyncio.run(talk())
    assert "是否同意" in said(first)[0]
    assert said(second)[-1] == "请发车牌号"
    assert len(room.dialogue.heard) == 1


def test_a_bare_answer_is_recognised_by_the_slot_that_was_asked_for(room: Room) -> None:
    conversation = room.open(consent=True)
    ask = {"type": "ask", "route": "query_violation", "slot": "engine_tail", "identifier": True, "text": "发动机号？"}
    room.dialogue.script = lambda text, metadata: [ask]

    async def talk() -> None:
        runner = room.runner()
        await runner.receive(conversation, message("查违章"))
        await runner.receive(conversation, message("3F0712", "k2"))

    asyncio.run(talk())
    text, _ = room.dialogue.heard[1]
    assert text == "【发动机号1】"


def test_without_rasa_the_knowledge_base_answers_and_a_person_can_be_had(room: Room) -> None:
    conversation = room.open()
    room.dialogue.goes_down()

    async def talk() -> tuple[SendAnswer, SendAnswer, SendAnswer]:
        runner = room.runner()
        return (
            await runner.receive(conversation, message("身份证丢了怎么补办")),
            await runner.receive(conversation, message("天书无解之问", "k2")),
            await runner.receive(conversation, message("转人工", "k3")),
        )

    answered, offered, opened = asyncio.run(talk())
    assert answered.messages[0].type in ("answer", "candidates")
    assert any(option.payload == "human:yes" for reply in offered.messages for option in reply.options or ())
    assert opened.case_no


def test_danger_that_only_the_dialogue_sees_is_answered_with_the_emergency_numbers_too(room: Room) -> None:
    conversation = room.open()
    room.dialogue.script = lambda text, metadata: [{"type": "open_case", "route": "urgent", "kind": "urgent"}]
    answer = asyncio.run(room.runner().receive(conversation, message("我想订一束花")))
    assert [reply.type for reply in answer.messages] == ["emergency"]
    assert "110" in answer.messages[0].text
    assert answer.case_no
    assert answer.messages[0].case_no == answer.case_no


def test_without_the_dialogue_a_suspicion_of_danger_is_enough(room: Room) -> None:
    conversation = room.open()
    # Which messages are only suspected changes with the examples that danger is learned from.
    text = next(text for text in DANGERS if detect(text) is None and (likelihood(text) or 0) >= SUSPECTED)
    room.dialogue.goes_down()
    answer = asyncio.run(room.runner().receive(conversation, message(text)))
    assert answer.route == "urgent"
    assert [reply.type for reply in answer.messages] == ["emergency"]


def test_an_unexpected_failure_in_a_turn_never_meets_the_citizen_as_silence(room: Room) -> None:
    conversation = room.open()

    def broken(text: str, metadata: dict) -> list[dict]:
        raise RuntimeError("boom")

    room.dialogue.script = broken
    answer = asyncio.run(room.runner().receive(conversation, message("你好")))
    assert answer.messages


def test_consent_counts_already_for_the_lookup_that_waited_for_it(room: Room) -> None:
    conversation = room.open()
    resolved: list[str | None] = []

    def looking_up(text: str, metadata: dict) -> list[dict]:
        with room.database.unit_of_work(read_only=True) as uow:
            resolved.append(room.conversations.resolve_identifier(uow, conversation, "【车牌1】"))
        return [{"type": "lookup_result", "route": "query_violation", "text": "没有违法记录", "data": {}}]

    room.dialogue.script = looking_up

    async def talk() -> None:
        runner = room.runner()
        await runner.receive(conversation, message("查粤B7K392的违章"))
        await runner.receive(conversation, message("同意", "k2"))

    asyncio.run(talk())
    assert resolved == ["粤B7K392"]


def test_identifiers_are_deleted_after_the_time_that_the_citizen_was_told(room: Room) -> None:
    conversation = room.open(consent=True)
    asyncio.run(room.runner().receive(conversation, message("查粤B7K392的违章")))
    room.clock.advance(timedelta(days=179))
    assert room.forget_identifiers() == 0
    room.clock.advance(timedelta(days=2))
    assert room.forget_identifiers() == 1
    with room.database.unit_of_work(read_only=True) as uow:
        assert room.conversations.resolve_identifier(uow, conversation, "【车牌1】") is None


def test_a_claim_lapses_after_fifteen_idle_minutes(room: Room) -> None:
    conversation = room.open()
    room.database.write(lambda uow: room.conversations.hand_to_clerk(uow, conversation, "li", room.clock.now()))
    runner = room.runner()

    async def talk() -> tuple[SendAnswer, SendAnswer]:
        held = await runner.receive(conversation, message("还在吗"))
        room.clock.advance(timedelta(minutes=16))
        return held, await runner.receive(conversation, message("还在吗", "k2"))

    held, lapsed = asyncio.run(talk())
    assert (held.handler, held.messages) == ("human", [])
    assert lapsed.handler == "bot"
    assert lapsed.messages
