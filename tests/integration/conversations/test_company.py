"""Between an urgent report and the clerk: the citizen's messages reach the case and are answered kindly."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from services.cases import service as cases
from services.cases.models import CaseEvent
from services.conversations.schemas import InboundMessage, Location, SendAnswer
from tests.integration.conversations.conftest import Room


def say(room: Room, conversation: str, *messages: InboundMessage) -> list[SendAnswer]:
    async def run() -> list[SendAnswer]:
        runner = room.runner()
        return [await runner.receive(conversation, message) for message in messages]

    return asyncio.run(run())


def text(words: str, key: str) -> InboundMessage:
    return InboundMessage(text=words, client_message_id=key)


def test_while_an_urgent_case_waits_the_citizen_is_answered_with_the_numbers_and_never_reaches_the_dialogue(
    room: Room,
) -> None:
    conversation = room.open()
    report, more = say(room, conversation, text("我家着火了", "1"), text("还有人吗", "2"))
    assert (more.route, more.case_no) == ("urgent", report.case_no)
    (reply,) = more.messages
    assert "119" in reply.text
    assert reply.type == "emergency"
    assert room.dialogue.heard == []


def test_a_position_sent_after_the_report_is_attached_to_the_case_and_tells_the_duty_again(room: Room) -> None:
    conversation = room.open()
    pin = InboundMessage(location=Location(lat=22.54, lng=114.05), client_message_id="2")
    report, place = say(room, conversation, text("我家着火了", "1"), pin)
    assert place.case_no == report.case_no
    assert "位置" in place.messages[0].text
    with room.database.unit_of_work(read_only=True) as uow:
        case = cases.open_case_of(uow, room.secrets, conversation_id=conversation, now=room.clock.now())
        assert case is not None
        told = uow.session.scalars(sa.select(CaseEvent.type).order_by(CaseEvent.id)).all()
    assert case.transcript_upto == max(entry.id for entry in room.transcript(conversation) if entry.sender == "citizen")
    assert list(told) == ["opened", "asked_again"]


def test_other_business_and_messages_long_after_the_report_go_to_the_dialogue(room: Room) -> None:
    conversation = room.open()
    say(room, conversation, text("我家着火了", "1"), text("查一下电费", "2"))
    room.clock.advance(timedelta(hours=3))
    say(room, conversation, text("还有人吗", "3"))
    assert [words for words, _ in room.dialogue.heard] == ["查一下电费", "还有人吗"]


def test_a_conversation_whose_case_is_not_urgent_is_left_alone(room: Room) -> None:
    conversation = room.open()
    room.dialogue.script = lambda words, metadata: [{"type": "open_case", "route": "human", "kind": "help"}]
    say(room, conversation, text("转人工", "1"))
    say(room, conversation, text("还有人吗", "2"))
    assert [words for words, _ in room.dialogue.heard] == ["转人工", "还有人吗"]
