"""The booking talk: each line is a message through the action, with the real desk behind it."""

import asyncio
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.appointments import BookAppointment
from services.appointments.citizens import CitizenDesk
from services.appointments.models import Appointment
from tests.integration.appointments.conftest import Desk

PHONES = {"【手机号1】": "13800000001", "【手机号2】": "12345"}


class Talk:
    """A citizen's conversation; the draft is kept between messages as Rasa's slot keeps it."""

    def __init__(self, desk: Any, conversation_id: str = "c1") -> None:
        self.desk = desk
        self.id = conversation_id
        self.seq = 0
        self.slot: Any = None
        citizens = CitizenDesk(desk.database, desk.secrets, desk.clock, lambda _, name: PHONES.get(name))
        self.action = BookAppointment(desk.secrets, desk.clock, citizens)

    def say(self, text: str, *, again: bool = False) -> dict[str, Any]:
        """The last payload; its `all` is the text of everything that was said."""
        self.seq += 0 if again else 1
        ref = self.desk.secrets.sign_reference(self.id, self.seq, self.desk.clock.now())
        message = {"text": text, "metadata": {"ref": ref}}
        tracker = Tracker(self.id, {"appointment": self.slot}, message, [], False, None, {}, "action_listen")
        dispatcher = CollectingDispatcher()
        for event in asyncio.run(self.action.run(dispatcher, tracker, {})):
            assert "1380000" not in str(event)
            self.slot = event["value"]
        payloads = [message["custom"] for message in dispatcher.messages]
        return {**payloads[-1], "all": "\n".join(str(one.get("text")) for one in payloads), "count": len(payloads)}

    def options(self, said: dict[str, Any]) -> list[str]:
        return [option["payload"] for option in said.get("options", ())]


@pytest.fixture
def talk(sqlite: Any) -> Talk:

    desk = Desk(sqlite)
    desk.apply()
    return Talk(desk)


def test_one_question_after_another_leads_to_a_number_a_code_and_what_to_bring(talk: Talk) -> None:
    asked = talk.say("我要预约")
    assert asked["slot"] == "service"
    assert "结婚登记" in talk.options(asked)
    asked = talk.say("结婚登记")
    assert (asked["slot"], talk.options(asked)) == ("hall", ["市婚姻登记处", "东区政务服务分中心"])
    asked = talk.say("市婚姻登记处")
    assert asked["slot"] == "datetime"
    asked = talk.say(talk.options(asked)[0])
    assert (asked["slot"], asked["identifier"]) == ("phone", True)
    asked = talk.say("【手机号1】")
    assert asked["slot"] == "confirm"
    assert "手机号：【手机号1】" in asked["text"]
    assert talk.desk.live() == 0
    done = talk.say("确认预约")
    assert "预约成功" in done["text"]
    assert "请带：双方的身份证" in done["text"]
    assert done["data"]["qr"].startswith("/api/v1/conversations/c1/appointments/YY")
    assert talk.slot is None
    assert talk.desk.live() == 1


def test_a_first_sentence_fills_what_it_says_and_the_free_hours_of_that_morning_are_offered(talk: Talk) -> None:
    asked = talk.say("想预约下周一上午办结婚登记")
    assert asked["slot"] == "hall"
    asked = talk.say("民政局")
    assert talk.options(asked) == ["11月23日9:00", "11月23日10:00", "11月23日11:00", "不约了"]
    assert talk.say("十点吧")["slot"] == "phone"
    assert "周一）上午10:00-11:00" in talk.say("【手机号1】")["text"]


def test_everything_in_one_sentence_waits_only_for_the_confirmation(talk: Talk) -> None:
    asked = talk.say("帮我预约周二下午三点在东区分中心办结婚登记，电话【手机号1】")
    assert asked["slot"] == "confirm"
    assert "下午15:00-16:00" in asked["text"]
    assert "预约成功" in talk.say("好的")["text"]


def test_the_parts_may_come_in_any_order(talk: Talk) -> None:
    talk.say("预约 【手机号1】")
    talk.say("车管所")
    asked = talk.say("周二上午十点")
    assert asked["slot"] == "confirm"
    assert "市车辆管理所" in asked["text"]


def test_a_number_that_is_no_mobile_number_is_asked_for_again(talk: Talk) -> None:
    talk.say("预约周二上午十点办公证")
    assert "11 位" in talk.say("【手机号2】")["text"]
    assert talk.say("【手机号1】")["slot"] == "confirm"


def test_the_same_message_again_books_once(talk: Talk) -> None:
    talk.say("预约周二上午十点办公证，【手机号1】")
    kept = talk.slot
    first = talk.say("确认预约")
    talk.slot = kept
    assert talk.say("确认预约", again=True)["text"] == first["text"]
    assert talk.desk.live() == 1


def test_a_full_hour_offers_the_others_of_the_day_and_the_waiting_list(talk: Talk) -> None:
    held = talk.desk.fill_up("2026-11-24T10:00")
    talk.say("预约周二上午十点办结婚登记")
    asked = talk.say("市婚姻登记处")
    assert "已经约满" in asked["text"]
    assert "排队等候" in talk.options(asked)
    assert "11月24日9:00" in talk.options(asked)
    talk.say("排队等候")
    waiting = talk.say("【手机号1】")
    assert "已经为您排队" in waiting["text"]
    assert "前面还有 0 位" in waiting["text"]
    assert "正在排队" in talk.say("我的预约")["all"]
    talk.desk.cancel(held[0].no)
    assert [one.conversation_id for one in talk.desk.news] == ["c1"]
    assert "上午10:00-11:00" in talk.say("我的预约")["all"]


def test_a_closed_day_offers_the_next_days_with_places(talk: Talk) -> None:
    talk.say("预约周六办公证")
    asked = talk.say("随便")
    assert "不能预约" in asked["text"]
    assert talk.options(asked)[0] == "11月23日9:00"


def test_leaving_the_line_by_its_word(talk: Talk) -> None:
    talk.desk.fill_up("2026-11-24T10:00")
    talk.say("预约周二上午十点办结婚登记，市婚姻登记处，【手机号1】")
    talk.say("排队等候")
    assert "退出排队" in talk.say("退出排队")["text"]
    assert talk.desk.waiting() == []


def booked(talk: Talk) -> None:
    talk.say("预约周二上午十点办公证，【手机号1】")
    assert "预约成功" in talk.say("确认预约")["text"]


def test_moving_asks_and_then_keeps_the_number(talk: Talk) -> None:
    booked(talk)
    (before,) = talk.desk.rows(Appointment)
    asked = talk.say("改到周三下午")
    assert asked["slot"] == "datetime"
    asked = talk.say("下午三点")
    assert asked["slot"] == "confirm"
    moved = talk.say("确认改期")
    assert "11月25日（周三）下午15:00-16:00" in moved["text"]
    assert moved["data"]["no"] == before.no
    assert talk.desk.counted()


def test_cancelling_asks_and_is_not_done_without_a_yes(talk: Talk) -> None:
    booked(talk)
    assert talk.options(talk.say("取消预约")) == ["确认取消", "不取消了"]
    assert "保留" in talk.say("不取消了")["text"]
    assert talk.desk.live() == 1
    talk.say("取消预约")
    assert "已经取消" in talk.say("确认取消")["text"]
    assert talk.desk.live() == 0
    assert "没有找到" in talk.say("取消预约")["text"]


def test_of_several_appointments_the_one_to_cancel_is_chosen(talk: Talk) -> None:
    booked(talk)
    talk.say("预约周三上午十点办车管业务，【手机号1】")
    talk.say("确认预约")
    asked = talk.say("取消预约")
    assert "您有 2 个预约" in asked["text"]
    assert talk.say(talk.options(asked)[1])["slot"] == "confirm"
    assert "车驾管业务" in talk.say("确认取消")["text"]
    assert talk.say("我的预约")["count"] == 1


def test_a_second_appointment_for_the_same_service_is_refused_in_words(talk: Talk) -> None:
    booked(talk)
    talk.say("预约周三上午十点办公证，【手机号1】")
    refused = talk.say("确认预约")
    assert "不能重复预约" in refused["text"]
    assert talk.slot is None


def test_another_time_and_giving_up_before_the_confirmation(talk: Talk) -> None:
    talk.say("预约周二上午十点办公证，【手机号1】")
    assert talk.say("换个时间")["slot"] == "datetime"
    assert "不约了" in talk.say("不约了")["text"]
    assert (talk.slot, talk.desk.live()) == (None, 0)
