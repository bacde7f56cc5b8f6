"""What a citizen writes in the chat reaches the case: its title, its mark of unread words; and who is named to them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.cases import service as cases
from services.cases.events import CaseClaimed, CaseReplied
from services.conversations import attachments
from services.conversations.photos import Decoder
from services.conversations.takeover import Takeover
from tests.integration.cases.test_attachments import photo
from tests.integration.conversations.conftest import Room
from tests.integration.conversations.test_case_words import LI
from tests.integration.conversations.test_shortcuts import Citizen, said
from tests.support import employ

HUMAN = {"type": "open_case", "route": "human", "kind": "consultation"}
COMPLAINT = {"type": "open_case", "route": "complaint", "kind": "complaint"}


def says(*payloads: dict[str, Any]) -> Callable[[str, dict[str, Any]], list[dict[str, Any]]]:
    return lambda text, metadata: list(payloads)


MISS = says({"type": "faq_miss", "route": "faq"})


class Talker(Citizen):
    """A citizen whose messages are answered as the test says."""

    def hears(self, text: str, script: Any = MISS) -> Any:
        self.room.dialogue.script = script
        return self.says(text)[0]

    def opens(self, text: str = "转人工", payload: dict[str, Any] = HUMAN) -> str:
        return str(self.hears(text, says(payload)).case_no)

    def waits(self, **length: float) -> None:
        self.room.clock.set(self.room.clock.now() + timedelta(**length))

    def case(self) -> Any:
        with self.room.database.unit_of_work(read_only=True) as uow:
            now = self.room.clock.now()
            (case, *_) = cases.cases_of_citizen(uow, self.room.secrets, conversation_id=self.id, now=now)
            return cases.get_case(uow, self.room.secrets, case_no=case.case_no, user=LI, now=now)

    def unread(self) -> tuple[int, str | None]:
        news = self.case().news
        return (news.unread, news.words) if news is not None else (0, None)

    def clerk(self, action: Any, **arguments: Any) -> Any:
        given = {"case_no": self.case().case_no, "user": LI, "now": self.room.clock.now(), **arguments}
        return self.room.database.write(lambda uow: action(uow, self.room.secrets, **given))

    def asked(self) -> str:
        with self.room.database.unit_of_work(read_only=True) as uow:
            return self.room.conversations.asked_in(uow, self.id, self.case().title_seq)


@pytest.fixture
def citizen(room: Room) -> Talker:
    with room.database.unit_of_work() as uow:
        employ(uow, "li", "clerk", room.clock.now(), department="市民政局", post="低保专员")
        uow.commit()
    return Talker(room)


# -- titles ---------------------------------------------------------------------------------------------------------


def test_the_title_is_the_first_sentence_of_the_matter_and_no_command(citizen: Talker) -> None:
    for text in ("你好", "在吗", "小区门口的路灯坏了三天。老人摔了一跤。", "就在东门那里"):
        citizen.hears(text)
    citizen.opens()
    assert citizen.case().title == "小区门口的路灯坏了三天"
    assert citizen.asked() == "小区门口的路灯坏了三天。老人摔了一跤。"


def test_a_complaint_is_named_by_the_words_that_complain(citizen: Talker) -> None:
    citizen.hears("护照怎么换发")
    citizen.opens("我要投诉，楼下烧烤店半夜噪音太大！没人管。", COMPLAINT)
    assert citizen.case().title == "楼下烧烤店半夜噪音太大"


def test_what_was_said_long_before_or_for_an_earlier_case_is_no_title(citizen: Talker) -> None:
    citizen.hears("社保断缴了怎么补")
    citizen.waits(hours=3)
    citizen.hears("楼上漏水一直没人处理")
    citizen.opens()
    assert citizen.case().title == "楼上漏水一直没人处理"
    citizen.clerk(cases.reply, text="已处理", resolve=True)
    citizen.hears("电梯又坏了")
    citizen.opens()
    assert citizen.case().title == "电梯又坏了"


def test_what_the_machine_looks_up_is_no_title(citizen: Talker) -> None:
    citizen.hears("看看我家这个月电费", says({"type": "text", "route": "query_bill", "text": "50 元"}))
    citizen.hears("为什么比上月多了一倍")
    citizen.opens()
    assert citizen.case().title == "为什么比上月多了一倍"


def test_the_title_and_the_last_words_show_numbers_masked(citizen: Talker) -> None:
    citizen.hears("同意使用我的手机号")
    citizen.waits(hours=1)
    citizen.room.database.write(
        lambda uow: citizen.room.conversations.grant_consent(uow, citizen.id, citizen.room.clock.now())
    )
    citizen.hears("手机13800138000收不到验证码")
    citizen.opens()
    assert citizen.case().title == "手机138****8000收不到验证码"
    citizen.hears("换成13900139000也收不到")
    assert citizen.unread() == (1, "换成139****9000也收不到")


def test_a_case_opened_by_commands_alone_is_named_by_what_comes_next(citizen: Talker) -> None:
    citizen.hears("你好")
    citizen.opens("我要投诉", COMPLAINT)
    assert citizen.case().title == "（市民尚未说明事由）"
    citizen.hears("喂")
    citizen.hears("楼道里堆满了杂物。过不去。")
    assert citizen.case().title == "楼道里堆满了杂物"
    citizen.hears("还有电动车")
    assert citizen.case().title == "楼道里堆满了杂物"


# -- unread words -----------------------------------------------------------------------------------------------------


def test_what_is_written_after_the_opening_is_unread_and_commands_and_lookups_are_not(citizen: Talker) -> None:
    citizen.hears("路灯坏了三天")
    citizen.opens()
    assert citizen.unread() == (0, None)
    citizen.hears("今天晚上能来修吗")
    assert citizen.unread() == (1, "今天晚上能来修吗")
    citizen.hears("喂")
    citizen.hears("谢谢", says({"type": "text", "route": "chitchat", "text": "不客气"}))
    citizen.hears("查一下电费", says({"type": "text", "route": "query_bill", "text": "50 元"}))
    assert citizen.unread()[0] == 1
    citizen.hears("人呢", says(HUMAN))
    assert citizen.unread() == (2, "人呢")


def test_all_that_is_said_to_a_clerk_is_unread_once_each(citizen: Talker) -> None:
    citizen.hears("路灯坏了三天")
    citizen.opens()
    citizen.clerk(cases.claim)
    now = citizen.room.clock.now()
    citizen.room.database.write(lambda uow: citizen.room.conversations.hand_to_clerk(uow, citizen.id, "li", now))
    for count, text in enumerate(("好的", "在东门", "2"), 1):
        citizen.hears(text)
        assert citizen.unread() == (count, text)


def test_an_answer_to_the_clerks_question_a_photo_an_addition_and_a_press_are_unread(citizen: Talker) -> None:
    citizen.hears("路灯坏了三天")
    citizen.opens()
    citizen.clerk(cases.claim)
    citizen.clerk(cases.hold, question="哪个门？")
    citizen.hears("北门")
    assert (citizen.unread(), citizen.case().status) == ((1, "北门"), "in_progress")
    content = attachments.cleaned(photo(), Decoder())
    now = citizen.room.clock.now()
    citizen.room.database.write(lambda uow: citizen.room.conversations.attach(uow, citizen.id, content, "photo", now))
    assert citizen.unread() == (2, "市民发来[照片]")
    citizen.hears("补充：井盖也松了")
    assert citizen.unread() == (3, "井盖也松了")
    citizen.hears("催办")
    assert citizen.unread() == (4, "（催办）")


def test_what_a_form_of_the_case_asks_for_is_unread_once(citizen: Talker) -> None:
    asks = {"type": "ask", "route": "complaint", "slot": "location", "text": "在哪里？"}
    citizen.hears("楼下烧烤店半夜噪音太大", says(COMPLAINT, asks))
    citizen.hears("湖滨路12号", says({"type": "case_addition", "route": "complaint", "label": "地点"}, asks))
    assert citizen.unread() == (1, "地点：湖滨路12号")


def test_what_a_citizen_adds_to_an_urgent_case_is_unread(citizen: Talker) -> None:
    citizen.says("我家着火了，快来人")
    assert citizen.case().priority == "urgent"
    citizen.says("火越来越大了怎么办")
    assert citizen.unread()[0] == 1


# -- who is named ------------------------------------------------------------------------------------------------------


def test_the_citizen_reads_department_and_post_and_never_the_login_name(citizen: Talker) -> None:
    takeover = Takeover(citizen.room.conversations)
    citizen.room.database.bus.on(CaseClaimed, takeover.claimed)
    citizen.room.database.bus.on(CaseReplied, takeover.replied)
    citizen.hears("低保怎么申请")
    citizen.opens()
    citizen.clerk(cases.claim)
    citizen.clerk(cases.reply, text="请带户口簿来")
    told = citizen.room.transcript(citizen.id)
    assert any("市民政局 · 低保专员" in one.text for one in told if one.sender == "system")
    assert [one.spoken_by for one in told if one.sender == "clerk"] == ["市民政局 · 低保专员"]
    with citizen.room.database.unit_of_work(read_only=True) as uow:
        assert citizen.room.conversations.handler_of(uow, citizen.id) == ("human", "市民政局 · 低保专员")
    read = [str(value) for one in told for value in one.model_dump(exclude={"created_at"}).values()]
    assert not any(re.search(r"\bli\b", value) for value in read)
    assert said(citizen.hears("谢谢")) == ""
