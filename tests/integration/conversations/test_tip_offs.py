"""A tip-off is confidential at once, wherever in a conversation it is typed; on both databases."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases.events import CaseAssigned, CaseClaimed
from services.cases.proposing import Proposal
from services.conversations.schemas import InboundMessage
from services.conversations.takeover import Takeover
from services.core.errors import NotFound
from tests.integration.conversations.conftest import Room
from tests.integration.conversations.test_case_words import LI, CaseCitizen
from tests.integration.conversations.test_shortcuts import Citizen, said

ACCUSED = "我要举报翡翠科科长收红包"
NAMED = StaffUser("inspector", "clerk", None)
ASKS_WHERE: list[dict[str, Any]] = [
    {"type": "ask", "slot": "incident_place", "text": "事情发生在哪里？", "route": "complaint"}
]
ADDS: list[dict[str, Any]] = [
    {"type": "case_addition", "label": "地点"},
    {"type": "text", "text": "已补充。", "route": "complaint"},
]


@pytest.fixture
def citizen(room: Room) -> CaseCitizen:
    """With an ordinary case open."""
    takeover = Takeover(room.conversations)
    room.database.bus.on(CaseClaimed, takeover.claimed)
    room.database.bus.on(CaseAssigned, takeover.assigned)
    return CaseCitizen(room)


def seen_by(room: Room, user: StaffUser, case_no: str) -> Any:
    with room.database.unit_of_work(read_only=True) as uow:
        return cases.get_case(uow, room.secrets, case_no=case_no, user=user, now=room.clock.now())


def must_be_secret(room: Room, case_no: str) -> Any:
    with pytest.raises(NotFound):
        seen_by(room, LI, case_no)
    case = seen_by(room, NAMED, case_no)
    assert case.confidential
    return case


def test_at_a_question_of_a_form_it_makes_the_open_case_confidential_and_reaches_no_dialogue(
    citizen: CaseCitizen,
) -> None:
    citizen.room.dialogue.script = lambda text, metadata: ASKS_WHERE
    citizen.says("还有一件事要说")
    (answer,) = citizen.says(ACCUSED)
    assert answer.case_no == citizen.case_no
    assert "按保密规定办理" in said(answer)
    assert must_be_secret(citizen.room, citizen.case_no).kind == "report"
    assert [text for text, _ in citizen.room.dialogue.heard if "翡翠科" in text] == []
    # The form still waits for its answer, which goes into the case that is confidential now.
    assert citizen.slot == "incident_place"
    citizen.room.dialogue.script = lambda text, metadata: ADDS
    citizen.says("湖滨路 8 号")
    added = [event.text for event in seen_by(citizen.room, NAMED, citizen.case_no).events if event.type == "added"]
    assert any("湖滨路 8 号" in str(text) for text in added)


def test_at_a_question_of_a_form_without_a_case_it_gets_a_confidential_one_of_its_own(room: Room) -> None:
    citizen = Citizen(room)
    room.dialogue.script = lambda text, metadata: ASKS_WHERE
    citizen.says("我要预约")
    (answer,) = citizen.says(ACCUSED)
    assert answer.case_no is not None
    assert must_be_secret(room, answer.case_no).title == ACCUSED


def test_what_only_the_classifier_takes_for_one_is_confidential_when_a_form_adds_it(citizen: CaseCitizen) -> None:
    sure = Proposal("report", "举报", 0.9, None, 0.0, 0)
    citizen.room.dialogue.script = lambda text, metadata: ADDS

    async def send() -> None:
        runner = citizen.room.runner(propose=lambda text: sure)
        await runner.receive(citizen.id, InboundMessage(text="他把公家的东西搬回家了", client_message_id="x1"))

    asyncio.run(send())
    must_be_secret(citizen.room, citizen.case_no)


def test_while_a_clerk_holds_the_conversation_it_leaves_the_clerks_hands(citizen: CaseCitizen) -> None:
    citizen.staff(cases.claim)
    (answer,) = citizen.says("路灯还是不亮")
    assert answer.handler == "human"
    (answer,) = citizen.says(ACCUSED)
    assert answer.handler == "bot"
    assert must_be_secret(citizen.room, citizen.case_no).assignee is None


def test_words_of_a_closed_one_are_no_title_and_no_guess_of_a_later_case(citizen: CaseCitizen) -> None:
    citizen.says(ACCUSED)
    citizen.staff(cases.reply, user=NAMED, text="已核实", resolve=True)
    citizen.staff(cases.close, user=NAMED)
    citizen.room.clock.advance(timedelta(minutes=1))
    guessed: list[str] = []
    answer = citizen.taps_human()
    with citizen.room.database.unit_of_work(read_only=True) as uow:
        guessed.append(citizen.room.conversations.words_of(uow, citizen.id))
    later = seen_by(citizen.room, LI, str(answer.case_no))
    assert (later.case_no != citizen.case_no, later.confidential) == (True, False)
    assert "翡翠科" not in later.title
    assert all("翡翠科" not in words for words in guessed)


def test_whoever_asks_how_to_report_reports_nothing(citizen: CaseCitizen) -> None:
    citizen.says("怎么举报干部贪污")
    assert not citizen.case().confidential
