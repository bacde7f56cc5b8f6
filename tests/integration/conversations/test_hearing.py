"""What is embedded on arrival: once a message, in the order of the asking, and danger is seen by its meaning."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knowledge_base import EmbedderBusy, KnowledgeBase
from services.conversations import repository
from services.conversations.schemas import InboundMessage
from services.understanding.classifier.model import Classifier
from services.understanding.danger import detect, judge
from services.understanding.danger.judge import HEAD
from tests.integration.conversations.conftest import Room

VEILED = "请帮我把窗边的花搬走"


class Snapshot:
    """A real snapshot whose `embed` may be held up."""

    def __init__(self, base: KnowledgeBase, before: Callable[[str], None] = lambda text: None) -> None:
        self._base = base
        self._before = before
        self.embedded: list[str] = []
        self.given: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    def embed(self, text: str) -> Any:
        self._before(text)
        self.embedded.append(text)
        return self._base.embed(text)

    def search(self, text: str, *arguments: Any, embedding: Any = None, **options: Any) -> Any:
        self.given.append(embedding is not None)
        return self._base.search(text, *arguments, embedding=embedding, **options)


def message(text: str, key: str = "k1") -> InboundMessage:
    return InboundMessage(text=text, client_message_id=key)


@pytest.fixture
def told_by_meaning(knowledge: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> str:
    """A message that no n-gram gives away, and a network that knows its meaning."""
    vector = knowledge.embed(VEILED)
    one = np.ones((1, 1), dtype=np.float32)
    length = np.linalg.norm(vector)
    network = ((vector / length)[:, None], 0 * one[0], 100 / length * one, -60 * one[0])
    shipped = judge.shipped()
    taught = Classifier(
        judge.terms,
        shipped.vocabulary,
        shipped.idf,
        {HEAD: replace(shipped.heads[HEAD], networks=(network,))},
        embedder=knowledge.embedder.identity,
        center=np.zeros_like(vector),
        scale=np.ones_like(vector),
    )
    monkeypatch.setattr(judge, "_fitted", taught)
    assert detect(VEILED) is None
    return VEILED


def test_a_question_is_embedded_once_and_its_search_uses_that(room: Room) -> None:
    snapshot = Snapshot(room.knowledge.current)
    room.knowledge.current = snapshot
    asyncio.run(room.runner().receive(room.open(), message("身份证丢了怎么补办")))
    assert snapshot.embedded == ["身份证丢了怎么补办"]
    assert snapshot.given == [True]


def test_what_was_heard_with_an_identifier_in_it_is_embedded_anew_without(room: Room) -> None:
    snapshot = Snapshot(room.knowledge.current)
    room.knowledge.current = snapshot
    asyncio.run(room.runner().receive(room.open(consent=True), message("帮我查一下粤B7K392的违章")))
    assert snapshot.given == [False]
    assert "粤B7K392" not in room.dialogue.heard[0][0]


def test_messages_are_stored_in_the_order_of_the_asking_also_if_the_first_takes_longest_to_embed(room: Room) -> None:
    texts = [f"第{number}个问题是什么呢" for number in range(6)]
    last_heard = threading.Event()

    def before(text: str) -> None:
        if text == texts[0]:
            assert last_heard.wait(30)
        elif text == texts[-1]:
            last_heard.set()

    room.knowledge.current = Snapshot(room.knowledge.current, before)
    conversation = room.open()

    async def burst() -> None:
        runner = room.runner()
        await asyncio.gather(
            *(runner.receive(conversation, message(text, f"k{number}")) for number, text in enumerate(texts))
        )
        await runner.drain()

    asyncio.run(burst())
    assert [entry.text for entry in room.transcript(conversation) if entry.sender == "citizen"] == texts
    assert [text for text, _ in room.dialogue.heard] == texts


def test_a_model_that_is_too_busy_loses_no_message(room: Room) -> None:
    def busy(text: str) -> None:
        raise EmbedderBusy("busy")

    room.knowledge.current = Snapshot(room.knowledge.current, busy)
    conversation = room.open()
    answer = asyncio.run(room.runner().receive(conversation, message("身份证丢了怎么补办")))
    assert answer.messages
    alarm = asyncio.run(room.runner().receive(conversation, message("家里煤气味很大", "k2")))
    assert [reply.type for reply in alarm.messages] == ["emergency"]


def test_danger_that_only_the_meaning_tells_is_answered_at_once_without_the_dialogue(
    room: Room, told_by_meaning: str
) -> None:
    room.dialogue.goes_down()
    answer = asyncio.run(room.runner().receive(room.open(), message(told_by_meaning)))
    assert [reply.type for reply in answer.messages] == ["emergency"]
    assert answer.route == "urgent"
    assert answer.case_no
    assert room.dialogue.heard == []


def test_it_is_seen_also_while_a_person_holds_the_conversation(room: Room, told_by_meaning: str) -> None:
    conversation = room.open()
    with room.database.unit_of_work() as uow:
        row = repository.lock(uow.session, conversation)
        assert row is not None
        row.handler, row.clerk, row.clerk_active_at = "human", "clerk", room.clock.now()
        uow.commit()
    answer = asyncio.run(room.runner().receive(conversation, message(told_by_meaning)))
    assert [reply.type for reply in answer.messages] == ["emergency"]


def test_another_message_is_not_taken_for_it(room: Room, told_by_meaning: str) -> None:
    answer = asyncio.run(room.runner().receive(room.open(), message("身份证丢了怎么补办")))
    assert answer.route == "chitchat"
