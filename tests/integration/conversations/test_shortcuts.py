"""Menus, keyword replies and ratings in conversations: what comes before the classifier, in which order."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.conversations.models import Message
from services.conversations.schemas import InboundMessage, SendAnswer
from services.conversations.turns import TurnRunner
from services.core.errors import BadRequest, NotFound
from services.knowledge.models import KnowledgeFeedback
from services.menus import service as menus
from services.menus.schemas import KeywordEdit
from tests.integration.conversations.conftest import Room

CITY = """\
accounts:
  - key: city
    name: 示范市
    default: true
    welcome: 您好，这里是{city}。
    menu:
      - title: 交通
        items:
          - {title: 查违章, say: 查违章}
          - title: 证件
            items:
              - {title: 身份证补办, entry: e1}
              - {title: 已经没有的条目, entry: gone}
      - {title: 热线, text: 请拨打 12345}
      - {title: 网站, link: "https://www.gov.cn/"}
      - {title: 人工, human: true}
    keywords:
      - {keyword: 上班时间, text: 九点到五点}
      - {keyword: 停水, match: contains, text: 请看停水公告}
      - {keyword: 护照, entry_id: e2}
      - {keyword: 菜单, text: 被菜单盖住}
      - {keyword: 旧条目, entry_id: gone}
  - key: jiaojing
    name: 交警
    welcome: 您好，这里是交警。
    menu:
      - {title: 一号, text: 交警的一号}
"""
ASK = {"type": "ask", "route": "query_bill", "slot": "bill_kind", "text": "查哪种账单？"}


class Citizen:
    def __init__(self, room: Room, account: str | None = None) -> None:
        self.room = room
        with room.database.unit_of_work() as uow:
            opened = room.conversations.open(uow, channel="web", now=room.clock.now(), account=account)
            uow.commit()
        self.id = opened.conversation_id
        self.welcome = opened.messages[0]
        self.sent = 0

    def says(self, *texts: str) -> list[SendAnswer]:
        return asyncio.run(self._send([{"text": text} for text in texts]))

    def taps(self, *payloads: str) -> list[SendAnswer]:
        return asyncio.run(self._send([{"choice": payload} for payload in payloads]))

    async def _send(self, bodies: list[dict[str, Any]]) -> list[SendAnswer]:
        runner: TurnRunner = self.room.runner()
        answers = []
        for body in bodies:
            self.sent += 1
            inbound = InboundMessage.model_validate({**body, "client_message_id": f"m{self.sent}"})
            answers.append(await runner.receive(self.id, inbound))
        return answers

    @property
    def slot(self) -> str | None:
        with self.room.database.unit_of_work(read_only=True) as uow:
            row = uow.session.execute(
                sa.text("SELECT requested_slot FROM conversations WHERE id = :id"), {"id": self.id}
            )
            return row.scalar_one()  # type: ignore[no-any-return]


def said(answer: SendAnswer) -> str:
    return "\n".join(reply.text for reply in answer.messages)


def payloads(answer: SendAnswer) -> list[str]:
    return [option.payload for reply in answer.messages for option in reply.options or ()]


@pytest.fixture
def city(room: Room, tmp_path: Path) -> Room:
    (tmp_path / "menus.yaml").write_text(CITY, encoding="utf-8")
    room.database.write(lambda uow: menus.apply_menus(uow, tmp_path, room.clock.now()))
    return room


@pytest.fixture
def form(city: Room) -> Citizen:
    """A citizen in the middle of a form."""
    citizen = Citizen(city)
    city.dialogue.script = lambda text, metadata: [ASK]
    citizen.says("查账单")
    assert citizen.slot == "bill_kind"
    return citizen


def test_the_welcome_shows_the_first_level_as_digits_and_as_options(city: Room) -> None:
    welcome = Citizen(city).welcome
    assert welcome.text.startswith("您好，这里是示范市。\n1 交通\n2 热线\n3 网站\n4 人工")
    assert [option.title for option in welcome.options or ()] == ["交通", "热线", "网站", "人工"]


def test_each_account_has_its_own_welcome_and_menu_and_an_unknown_one_is_refused(city: Room) -> None:
    citizen = Citizen(city, "jiaojing")
    assert citizen.welcome.text.startswith("您好，这里是交警。")
    assert said(citizen.says("1")[0]) == "交警的一号"
    with pytest.raises(NotFound):
        Citizen(city, "nobody")


def test_without_accounts_a_conversation_opens_as_ever_and_a_digit_goes_to_the_dialogue(room: Room) -> None:
    citizen = Citizen(room)
    assert "查违章" in [option.payload for option in citizen.welcome.options or ()]
    assert said(citizen.says("1")[0]) == "收到：1"


def test_digits_lead_down_three_levels_and_back_and_replicas_share_the_place(city: Room) -> None:
    citizen = Citizen(city)
    first, second, leaf, up, top = citizen.says("１", "2", "1", "返回", "菜单")
    assert "1 查违章\n2 证件\n0 返回上一级" in said(first)
    assert "证件：\n1 身份证补办" in said(second)
    assert "带户口簿到派出所补办" in said(leaf)
    assert leaf.route == "faq"
    assert said(up).startswith("交通：")
    assert "1 交通" in said(top)
    assert city.dialogue.heard == []


def test_a_path_leads_there_at_once_and_a_leaf_starts_a_route_as_if_typed(city: Room) -> None:
    answer = Citizen(city).says("1-1")[0]
    assert said(answer) == "收到：查违章"
    assert [text for text, _ in city.dialogue.heard] == ["查违章"]


def test_leaves_show_a_text_open_a_link_and_ask_for_a_person(city: Room) -> None:
    text, link, human = Citizen(city).says("2", "3", "4")
    assert said(text) == "请拨打 12345"
    assert "https://www.gov.cn/" in said(link)
    assert human.case_no
    assert human.route == "human"


def test_a_number_that_is_not_on_the_menu_is_said_so_and_a_leaf_without_entry_too(city: Room) -> None:
    unknown, gone = Citizen(city).says("9", "1-2-2")
    assert "没有这一项" in said(unknown)
    assert "1 交通" in said(unknown)
    assert "已经更新" in said(gone)


def test_options_of_the_menu_can_be_tapped_and_those_of_an_older_menu_show_the_new_one(
    city: Room, tmp_path: Path
) -> None:
    citizen = Citizen(city)
    level = citizen.taps((citizen.welcome.options or [])[0].payload)[0]
    assert "1 查违章" in said(level)
    (tmp_path / "menus.yaml").write_text(CITY.replace("title: 交通", "title: 车辆"), encoding="utf-8")
    city.database.write(lambda uow: menus.apply_menus(uow, tmp_path, city.clock.now()))
    assert "1 车辆" in said(citizen.taps(payloads(level)[0])[0])
    assert city.dialogue.heard == []


def test_after_an_hour_a_digit_counts_from_the_top_again(city: Room) -> None:
    citizen = Citizen(city)
    citizen.says("1")
    city.clock.advance(timedelta(minutes=61))
    assert said(citizen.says("2")[0]) == "请拨打 12345"


def test_inside_a_form_digits_back_and_keywords_are_answers_to_the_form(form: Citizen) -> None:
    form.says("2", "返回", "上班时间", "1-1")
    assert [text for text, _ in form.room.dialogue.heard] == ["查账单", "2", "返回", "上班时间", "1-1"]


def test_inside_a_form_menu_shows_the_menu_and_the_form_goes_on(form: Citizen) -> None:
    shown, after = form.says("菜单", "2")
    assert "您正在办理的事项还留着" in said(shown)
    assert [text for text, _ in form.room.dialogue.heard] == ["查账单", "2"]
    assert said(after) == "查哪种账单？"
    leaf = form.taps(payloads(shown)[1])[0]
    assert said(leaf) == "请拨打 12345"
    assert form.slot == "bill_kind"


def test_keywords_answer_before_the_classifier_with_a_text_or_an_entry(city: Room) -> None:
    exact, contained, entry = Citizen(city).says("上班时间？", "今天停水吗", "护照")
    assert said(exact) == "九点到五点"
    assert said(contained) == "请看停水公告"
    assert said(entry) == "到出入境窗口换发。"
    assert entry.messages[0].source is not None
    assert city.dialogue.heard == []


def test_a_contained_keyword_leaves_long_messages_and_identifiers_to_the_dialogue(city: Room) -> None:
    citizen = Citizen(city)
    with city.database.unit_of_work() as uow:
        city.conversations.grant_consent(uow, citizen.id, city.clock.now())
        uow.commit()
    citizen.says("我家所在的小区已经连续停水三天了，物业一直不处理，我要投诉", "停水 13812345678")
    assert len(city.dialogue.heard) == 2


def test_the_menu_comes_before_keywords_and_a_keyword_whose_entry_is_gone_goes_to_the_dialogue(city: Room) -> None:
    menu, gone = Citizen(city).says("菜单", "旧条目")
    assert "被菜单盖住" not in said(menu)
    assert said(gone) == "收到：旧条目"


def test_a_keyword_holds_on_its_days_for_its_account_and_while_it_is_switched_on(city: Room) -> None:
    def save(**values: Any) -> None:
        edit = KeywordEdit.model_validate(values)
        city.database.write(lambda uow: menus.create_reply(uow, edit, actor="editor", now=city.clock.now()))

    save(keyword="明天", text="明天才有", valid_from="2026-11-17")
    save(keyword="昨天", text="昨天还有", valid_to="2026-11-15")
    save(keyword="交警", text="只在交警", account="jiaojing")
    save(keyword="关着", text="关着", enabled=False)
    save(keyword="今天", text="所有账号", valid_from="2026-11-16", valid_to="2026-11-16")
    save(keyword="今天", text="本账号的", account="city")
    answers = Citizen(city).says("明天", "昨天", "交警", "关着", "今天")
    assert [said(answer) for answer in answers] == [
        "收到：明天", "收到：昨天", "收到：交警", "收到：关着", "本账号的",
    ]  # fmt: skip
    assert said(Citizen(city, "jiaojing").says("今天")[0]) == "所有账号"


def test_danger_comes_before_menus_and_keywords(city: Room) -> None:
    edit = KeywordEdit(keyword="家里着火了", text="关键词")
    city.database.write(lambda uow: menus.create_reply(uow, edit, actor="editor", now=city.clock.now()))
    answer = Citizen(city).says("家里着火了")[0]
    assert answer.route == "urgent"
    assert "关键词" not in said(answer)


def test_while_a_person_holds_the_conversation_nothing_of_it_answers_but_a_rating_is_kept(city: Room) -> None:
    citizen = Citizen(city)
    answer = citizen.says("1-2-1")[0]
    city.database.write(lambda uow: city.conversations.hand_to_clerk(uow, citizen.id, "li", city.clock.now()))
    held = citizen.says("1", "菜单", "上班时间")
    assert [(one.handler, one.messages) for one in held] == [("human", [])] * 3
    assert citizen.taps(payloads(answer)[1])[0].messages == []
    assert ratings(city) == [("e1", False)]


def ratings(room: Room) -> list[tuple[str, bool]]:
    with room.database.unit_of_work(read_only=True) as uow:
        rows = uow.session.scalars(sa.select(KnowledgeFeedback).order_by(KnowledgeFeedback.seq)).all()
    return [(row.entry_id, row.helpful) for row in rows]


def answering(text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "faq_answer", "route": "faq"}]


def test_under_an_answer_one_can_say_whether_it_helped_and_change_one_s_mind(city: Room) -> None:
    citizen = Citizen(city)
    city.dialogue.script = answering
    answer = citizen.says("身份证丢了怎么补办")[0]
    assert [option.title for option in answer.messages[0].options or ()] == ["有帮助", "没帮助"]
    thanks = citizen.taps(payloads(answer)[0])[0]
    assert thanks.messages[0].sender == "system"
    assert ratings(city) == [("e1", True)]
    citizen.taps(payloads(answer)[1])
    assert ratings(city) == [("e1", False)]
    shown = next(message for message in city.transcript(citizen.id) if message.type == "answer")
    assert shown.helpful is False


@pytest.mark.parametrize("typed", [False, True])
def test_not_helpful_leads_to_the_other_candidates_then_to_a_person(city: Room, typed: bool) -> None:
    citizen = Citizen(city)
    city.dialogue.script = answering
    answer = citizen.says("身份证丢了怎么补办")[0]
    more = citizen.says("没帮助")[0] if typed else citizen.taps(payloads(answer)[1])[0]
    assert more.messages[0].type == "candidates"
    assert payloads(more) == ["faq:e2", "faq:none"]
    other = citizen.says("1")[0] if typed else citizen.taps("faq:e2")[0]
    assert said(other) == "到出入境窗口换发。"
    last = citizen.says("没用")[0] if typed else citizen.taps(payloads(other)[1])[0]
    assert payloads(last) == ["human:yes", "human:no"]
    assert ratings(city) == [("e1", False), ("e2", False)]


def test_not_helpful_said_twice_of_one_answer_offers_a_person(city: Room) -> None:
    citizen = Citizen(city)
    city.dialogue.script = answering
    answer = citizen.says("身份证丢了怎么补办")[0]
    first, second = citizen.taps(payloads(answer)[1], payloads(answer)[1])
    assert first.messages[0].type == "candidates"
    assert payloads(second) == ["human:yes", "human:no"]
    assert ratings(city) == [("e1", False)]


def test_the_same_words_with_no_answer_before_them_go_to_the_dialogue(city: Room) -> None:
    answers = Citizen(city).says("没帮助", "你好", "没用")
    assert [said(answer) for answer in answers] == ["收到：没帮助", "收到：你好", "收到：没用"]


def test_a_word_that_can_only_rate_an_answer_does_so_some_turns_later_too(city: Room) -> None:
    citizen = Citizen(city)
    city.dialogue.script = answering
    citizen.says("身份证丢了怎么补办")
    city.dialogue.script = lambda text, metadata: [{"type": "text", "route": "chitchat", "text": f"收到：{text}"}]
    later = citizen.says("我看看", "没用", "没帮助")
    assert [said(answer) for answer in later[:2]] == ["收到：我看看", "收到：没用"]
    assert later[2].messages[0].type == "candidates"
    assert ratings(city) == [("e1", False)]


def test_a_rating_leaves_an_open_form_as_it_is(city: Room) -> None:
    citizen = Citizen(city)
    city.dialogue.script = lambda text, metadata: [{"type": "faq_answer", "route": "faq"}, ASK]
    answer = citizen.says("身份证丢了怎么补办")[0]
    citizen.says("没帮助")
    assert citizen.slot == "bill_kind"
    assert ratings(city) == [("e1", False)]
    assert payloads(answer)[0].startswith("helpful:")


def test_a_rating_of_something_that_is_no_answer_is_refused(city: Room) -> None:
    citizen = Citizen(city)
    for payload in ("helpful:1", "unhelpful:99", "helpful:x", "helpful:-1"):
        with pytest.raises(BadRequest):
            citizen.taps(payload)


def test_an_old_answer_can_still_be_rated_and_a_rating_is_no_line_of_the_talk(city: Room) -> None:
    citizen = Citizen(city)
    answer = citizen.says("1-2-1", *["上班时间"] * 12)[0]
    citizen.taps(payloads(answer)[0])
    assert ratings(city) == [("e1", True)]
    with city.database.unit_of_work(read_only=True) as uow:
        types = uow.session.scalars(sa.select(Message.type).where(Message.sender == "citizen")).all()
    assert types.count("feedback") == 1
