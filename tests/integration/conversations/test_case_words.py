"""Typed words about an own case do what its buttons do, in the same transaction as the turn; on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases.events import CaseNews
from services.conversations.takeover import Takeover
from tests.integration.conversations.conftest import Room
from tests.integration.conversations.test_shortcuts import ASK, Citizen, said

LI = StaffUser("li", "clerk", None)


class CaseCitizen(Citizen):
    """A citizen with a case, whose news comes back into the conversation."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        takeover = Takeover(room.conversations)
        handlers = {
            "CaseClosed": takeover.closed,
            "CaseReopened": takeover.reopened,
            "CaseResolved": takeover.resolved,
            "CaseHeld": takeover.held,
        }
        for kind in CaseNews.__subclasses__():
            if kind.__name__ in handlers:
                room.database.bus.on(kind, handlers[kind.__name__])  # type: ignore[arg-type]
        self.case_no = str(self.taps_human().case_no)

    def taps_human(self) -> Any:
        self.room.dialogue.script = lambda text, metadata: [{"type": "offer_human", "route": "human"}]
        self.says("找人")
        (answer,) = self.taps("human:yes")
        self.room.dialogue.script = lambda text, metadata: [
            {"type": "text", "route": "chitchat", "text": f"收到：{text}"}
        ]
        return answer

    def staff(self, action: Any, **arguments: Any) -> Any:
        given = {"case_no": self.case_no, "user": LI, "now": self.room.clock.now(), **arguments}
        return self.room.database.write(lambda uow: action(uow, self.room.secrets, **given))

    def case(self) -> Any:
        with self.room.database.unit_of_work(read_only=True) as uow:
            return cases.get_case(uow, self.room.secrets, case_no=self.case_no, user=LI, now=self.room.clock.now())

    def events(self) -> list[str]:
        return [event.type for event in self.case().events]

    def heard(self) -> str:
        return "\n".join(message.text for message in self.room.transcript(self.id))


@pytest.fixture
def citizen(room: Room) -> CaseCitizen:
    return CaseCitizen(room)


def test_pressing_by_word_is_pressing_and_too_soon_again_is_refused_with_the_time(citizen: CaseCitizen) -> None:
    (first,) = citizen.says("催办")
    assert (said(first), first.route) == ("已为您催办，工作人员会尽快处理。", "query_progress")
    (second,) = citizen.says(f"催一下 {citizen.case_no}")
    assert "后可再次催办" in said(second)
    assert citizen.events().count("pressed") == 1
    assert [text for text, _ in citizen.room.dialogue.heard if "催" in text] == []


def test_withdrawing_by_word_closes_the_case_and_says_so_once(citizen: CaseCitizen) -> None:
    citizen.says("撤回工单")
    assert citizen.case().status == "closed"
    assert citizen.heard().count("已按您的要求撤回") == 1
    (again,) = citizen.says("撤回工单")
    assert "没有正在办理的工单" in said(again)


def test_what_is_added_by_word_is_in_the_case_without_its_numbers(citizen: CaseCitizen) -> None:
    (answer,) = citizen.says("补充：路灯也坏了，电话13800138000")
    assert said(answer) == f"已补充到工单 {citizen.case_no}，工作人员会一并看到。"
    (added,) = [event.text for event in citizen.case().events if event.type == "added"]
    assert added == "路灯也坏了，电话138****8000"


def test_the_own_cases_are_listed_with_what_can_be_done(citizen: CaseCitizen) -> None:
    (answer,) = citizen.says("我的工单")
    assert f"{citizen.case_no} 待受理，最迟于" in said(answer)
    payloads = [option.payload for option in answer.messages[-1].options or ()]
    assert payloads == [f"case:{citizen.case_no}:press", f"case:{citizen.case_no}:withdraw"]
    citizen.taps(payloads[0])
    assert "pressed" in citizen.events()


def test_a_settled_case_is_confirmed_or_reopened_by_word(citizen: CaseCitizen) -> None:
    citizen.staff(cases.reply, text="已处理", resolve=True)
    citizen.says("还没解决")
    assert citizen.case().status == "reopened"
    citizen.staff(cases.reply, text="这次处理好了", resolve=True)
    citizen.says("确认解决")
    assert citizen.case().status == "closed"
    assert citizen.events()[-1] == "confirmed"


def test_the_same_words_without_a_settled_case_go_to_the_dialogue(citizen: CaseCitizen, room: Room) -> None:
    assert said(citizen.says("还没解决")[0]) == "收到：还没解决"
    stranger = Citizen(room)
    assert said(stranger.says("催办")[0]) == "收到：催办"
    assert "还没有工单" in said(stranger.says("我的工单")[0])


def test_right_after_an_answer_the_words_are_about_the_answer(citizen: CaseCitizen) -> None:
    citizen.staff(cases.reply, text="已处理", resolve=True)
    citizen.room.dialogue.script = lambda text, metadata: [{"type": "faq_answer", "route": "faq"}]
    citizen.says("身份证丢了怎么补办")
    (answer,) = citizen.says("还没解决")
    assert "没有帮到您" in answer.messages[0].text
    assert citizen.case().status == "resolved"


def test_somebody_else_s_case_is_as_good_as_none(citizen: CaseCitizen, room: Room) -> None:
    stranger = Citizen(room)
    for text in ("催一下", "撤回工单", "重新办理"):
        assert said(stranger.says(f"{text} {citizen.case_no}")[0]) == "没有这个工单"
    assert citizen.events() == ["opened"]


def test_an_open_form_stays_open_and_keeps_its_answers(citizen: CaseCitizen) -> None:
    citizen.room.dialogue.script = lambda text, metadata: [ASK]
    citizen.says("查账单")
    before = len(citizen.room.dialogue.heard)
    citizen.says("催办", "我的工单")
    assert citizen.slot == "bill_kind"
    assert len(citizen.room.dialogue.heard) == before
    citizen.says("补充 水费")
    assert citizen.room.dialogue.heard[-1][0] == "补充 水费"


def test_withdrawing_in_the_middle_of_a_form_leaves_it(citizen: CaseCitizen) -> None:
    citizen.room.dialogue.script = lambda text, metadata: [ASK]
    citizen.says("我要投诉")
    citizen.room.dialogue.script = lambda text, metadata: [
        {"type": "text", "route": "chitchat", "text": "好的，先停下。"}
    ]
    citizen.says("撤回工单")
    assert citizen.slot is None
    assert citizen.case().status == "closed"
    assert citizen.room.dialogue.heard[-1][0] == "取消"
    assert "先停下" not in citizen.heard()


def test_asking_for_progress_does_not_end_the_wait_for_what_the_clerk_asked(citizen: CaseCitizen) -> None:
    citizen.staff(cases.claim)
    citizen.staff(cases.hold, question="请补充地点")
    citizen.says("催办", "我的工单")
    assert citizen.case().status == "waiting"
    citizen.says("补充：湖滨路12号")
    assert citizen.case().status == "in_progress"
    assert citizen.events().count("resumed") == 1


def test_while_a_clerk_holds_the_conversation_words_go_to_the_clerk(citizen: CaseCitizen) -> None:
    with citizen.room.database.unit_of_work() as uow:
        citizen.room.conversations.hand_to_clerk(uow, citizen.id, "li", citizen.room.clock.now())
        uow.commit()
    (answer,) = citizen.says("撤回工单")
    assert answer.messages == []
    assert citizen.case().status == "new"


def test_a_case_that_may_not_be_reopened_any_more_says_why(citizen: CaseCitizen) -> None:
    citizen.staff(cases.reply, text="已处理", resolve=True)
    citizen.room.clock.advance(timedelta(days=60))
    (answer,) = citizen.says("还没解决")
    assert "已超过重新办理的期限" in said(answer)
    assert citizen.case().status == "resolved"


def test_words_of_a_form_whose_case_was_settled_meanwhile_reach_a_case_of_their_own(citizen: CaseCitizen) -> None:
    asking = [{"type": "ask", "slot": "incident_place", "text": "事情发生在哪里？", "route": "complaint"}]
    citizen.room.dialogue.script = lambda text, metadata: asking
    citizen.says("还有一件事要说")
    citizen.staff(cases.reply, text="已处理", resolve=True)
    done = "好的，您说的都已补充到工单里。"
    citizen.room.dialogue.script = lambda text, metadata: [
        {"type": "case_addition", "label": "地点"},
        {"type": "text", "text": done, "route": "complaint"},
    ]
    (answer,) = citizen.says("湖滨路 8 号门口")
    assert answer.case_no not in (None, citizen.case_no)
    assert answer.messages[0].text == done
    assert any(str(answer.case_no) in message.text for message in answer.messages)
    citizen.case_no = str(answer.case_no)
    assert "湖滨路 8 号门口" in str(citizen.case())
