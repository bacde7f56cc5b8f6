"""A turn that opens a case says what it is probably about, before its transaction."""

import threading
from typing import Any

import anyio

from services.cases import service as cases
from services.conversations.schemas import InboundMessage
from services.conversations.turns import TurnRunner


def opens_case(text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    if "人工" not in text:
        return [{"type": "text", "route": "chitchat", "text": "收到"}]
    return [{"type": "open_case", "route": "human", "kind": "help"}]


def say(room: Any, runner: TurnRunner, conversation_id: str, *texts: str) -> Any:
    async def talk() -> Any:
        answer = None
        for number, text in enumerate(texts):
            answer = await runner.receive(conversation_id, InboundMessage(text=text, client_message_id=f"m{number}"))
        await runner.drain()
        return answer

    return anyio.run(talk)


def case_of(room: Any, case_no: str) -> cases.CaseOut:
    with room.database.unit_of_work(read_only=True) as uow:
        found = cases.open_case_of(uow, room.secrets, conversation_id=room.opened, now=room.clock.now())
    assert found is not None
    assert found.case_no == case_no
    return found


def test_the_case_is_what_the_citizen_wrote_about_and_identifiers_do_not_reach_the_model(room: Any) -> None:
    room.dialogue.script = opens_case
    heard: list[str] = []

    def propose(text: str) -> cases.Proposal:
        heard.append(text)
        return cases.Proposal("suggestion", "suggestion", 0.93, "城管", 0.8, 0)

    runner = room.runner(propose=propose)
    room.opened = room.open()
    answer = say(room, runner, room.opened, "建议公园多修厕所，我的手机号是13812345678", "人工")
    case = case_of(room, answer.case_no)
    assert (case.kind, case.department, case.undecided) == ("suggestion", "市城市管理局", False)
    assert len(heard) == 1
    assert "建议公园多修厕所" in heard[0]
    assert "13812345678" not in heard[0]


def test_a_classifier_that_fails_does_not_keep_a_case_from_opening(room: Any) -> None:
    room.dialogue.script = opens_case

    def propose(text: str) -> cases.Proposal:
        raise RuntimeError(threading.current_thread().name)

    room.opened = room.open()
    answer = say(room, room.runner(propose=propose), room.opened, "路灯坏了一个星期没有人修", "人工")
    assert case_of(room, answer.case_no).kind == "help"


def test_danger_to_life_opens_its_case_without_asking_the_classifier(room: Any) -> None:
    heard: list[str] = []
    room.opened = room.open()
    answer = say(room, room.runner(propose=lambda text: heard.append(text)), room.opened, "家里着火了救命")
    assert case_of(room, answer.case_no).kind == "urgent"
    assert heard == []
