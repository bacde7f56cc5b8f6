"""Binding and reminders in conversations: before the classifier, each step in the transaction of its turn."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import anyio.to_thread
import pytest
import sqlalchemy as sa

from services.bindings import service as bindings
from services.bindings.models import Binding
from services.bindings.schemas import Check
from services.citizens import service as citizens
from services.citizens.models import PhoneCode
from services.conversations.decisions import Decider
from services.conversations.schemas import InboundMessage, SendAnswer
from services.conversations.turns import TurnRunner
from services.core.audit import AuditRow
from services.notifications.models import OutboxRow
from tests.integration.conversations.conftest import Room

PHONE = "13800006125"
CAR = ("粤B7K392", "小型汽车", "3F0712")


class Citizen:
    """One citizen; `check` is what the departmental system says of values that are to be bound."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.id = room.open()
        self.sent = 0
        self.checked: list[tuple[str, dict[str, str]]] = []
        self.check = Check(known=True)

    def runner(self) -> TurnRunner:
        async def check(kind: str, conversation_id: str, seq: int, values: Any) -> Check:
            with self.room.database.unit_of_work(read_only=True) as uow:
                known = {
                    slot: self.room.conversations.resolve_identifier(uow, conversation_id, value) or value
                    for slot, value in values.items()
                }
            self.checked.append((kind, known))
            return self.check

        async def verify(conversation_id: str, code: str) -> str:
            now = self.room.clock.now()
            return await anyio.to_thread.run_sync(
                self.room.database.write,
                lambda uow: self.room.conversations.check_phone(uow, conversation_id, code, now),
            )

        room = self.room
        decider = Decider(
            room.knowledge,
            room.dialogue,
            anyio.to_thread.run_sync,
            lambda conversation_id, seq: room.secrets.sign_reference(conversation_id, seq, room.clock.now()),
            lambda: room.clock.now().date(),
            check=check,
            verify=verify,
        )
        return TurnRunner(
            room.database, room.conversations, decider, room.signals, room.clock, patience=60.0, turn_seconds=60.0
        )

    def says(self, *texts: str) -> SendAnswer:
        """The answer to the last of these messages."""
        return [self._send({"text": text}) for text in texts][-1]

    def taps(self, payload: str) -> SendAnswer:
        return self._send({"choice": payload})

    def _send(self, body: dict[str, Any]) -> SendAnswer:
        self.sent += 1
        inbound = InboundMessage.model_validate({**body, "client_message_id": f"m{self.sent}"})
        return asyncio.run(self.runner().receive(self.id, inbound))

    def code(self) -> str:
        """The code in the newest text message, as the telephone shows it."""
        with self.room.database.unit_of_work(read_only=True) as uow:
            query = sa.select(OutboxRow).where(OutboxRow.channel == "sms").order_by(OutboxRow.id.desc()).limit(1)
            row = uow.session.scalars(query).one()
        text = json.loads(self.room.secrets.decrypt(row.body["sealed"]))["text"]
        found = re.search(r"\d{6}", text)
        assert found is not None
        return found.group()

    def binds_car(self) -> SendAnswer:
        self.says("绑定车牌", "同意绑定", *CAR, PHONE)
        return self.says(self.code())

    def rows(self, model: Any, *conditions: Any) -> list[Any]:
        with self.room.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(model).where(*conditions)).all())


@pytest.fixture
def citizen(room: Room) -> Iterator[Citizen]:
    return Citizen(room)


def text_of(answer: SendAnswer) -> str:
    return "\n".join(message.text for message in answer.messages)


def options_of(answer: SendAnswer) -> list[str]:
    return [option.payload for message in answer.messages for option in message.options or []]


def test_a_car_is_bound_after_consent_a_check_and_a_code_and_rasa_hears_nothing_of_it(citizen: Citizen) -> None:
    assert "同意" in text_of(citizen.says("绑定车牌"))
    assert "车牌号" in text_of(citizen.says("同意绑定"))
    assert "号牌种类" in text_of(citizen.says("粤B7K392"))
    assert "发动机号" in text_of(citizen.says("1"))
    assert "手机号" in text_of(citizen.says("3F0712"))
    assert "138****6125" in text_of(citizen.says(PHONE))
    bound = citizen.says(citizen.code())
    assert "已绑定车牌 粤B7**92" in text_of(bound)
    assert "开启新违章提醒" in options_of(bound)
    assert citizen.checked == [("violation", {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"})]
    assert citizen.room.dialogue.heard == []
    (row,) = citizen.rows(Binding)
    assert "7K392" not in row.values_encrypted + row.masked + row.identifier_hash
    actions = [one.action for one in citizen.rows(AuditRow)]
    assert {"consent.bind", "phone.send_code", "phone.verified", "binding.add"} <= set(actions)


def test_what_is_bound_goes_to_the_forms_as_placeholders(citizen: Citizen) -> None:
    citizen.binds_car()
    citizen.says("查违章")
    ((_, metadata),) = citizen.room.dialogue.heard
    (record,) = metadata["bound"]
    assert record["plate_kind"] == "小型汽车"
    assert record["plate"].startswith("【车牌")
    assert record["engine_tail"].startswith("【发动机号")
    assert "7K392" not in json.dumps(metadata, ensure_ascii=False)


def test_a_placeholder_of_a_binding_outlives_the_vault(citizen: Citizen) -> None:
    citizen.binds_car()
    room = citizen.room
    room.clock.advance(timedelta(days=200))
    assert room.forget_identifiers() > 0
    citizen.says("查违章")
    plate = room.dialogue.heard[-1][1]["bound"][0]["plate"]
    with room.database.unit_of_work(read_only=True) as uow:
        assert room.conversations.resolve_identifier(uow, citizen.id, plate) == "粤B7K392"


def test_bound_numbers_are_offered_to_tap_when_a_form_asks_for_one(citizen: Citizen) -> None:
    citizen.binds_car()
    ask = {"type": "ask", "route": "query_violation", "slot": "plate", "identifier": True, "text": "车牌？"}
    citizen.room.dialogue.script = lambda text, metadata: [ask]
    answer = citizen.says("查违章")
    options = {option.title: option.payload for option in answer.messages[-1].options or []}
    assert options["粤B7**92"].startswith("【车牌")


def test_traditional_characters_and_full_width_digits_are_understood(citizen: Citizen) -> None:
    assert "同意" in text_of(citizen.says("綁定車牌"))
    citizen.says("同意綁定", *CAR, PHONE)
    wide = citizen.code().translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert "已绑定" in text_of(citizen.says(wide))


def test_a_second_binding_needs_no_second_code(citizen: Citizen) -> None:
    citizen.binds_car()
    codes = len(citizen.rows(PhoneCode))
    citizen.says("绑定水费户号", "同意绑定")
    assert "已绑定户号" in text_of(citizen.says("80013327"))
    assert len(citizen.rows(PhoneCode)) == codes


def test_whoever_does_not_agree_leaves_nothing_behind(citizen: Citizen) -> None:
    citizen.says("绑定车牌粤B7K392")
    assert "没有绑定" in text_of(citizen.says("不同意"))
    assert citizen.rows(Binding) == []
    with citizen.room.database.unit_of_work(read_only=True) as uow:
        assert citizen.room.conversations.identifiers(uow, citizen.id) == []


def test_values_of_the_first_message_are_not_asked_for_again(citizen: Citizen) -> None:
    citizen.says("绑定车牌粤B7K392小型汽车")
    assert "发动机号" in text_of(citizen.says("同意"))


def test_values_that_the_system_does_not_know_are_asked_for_again_and_not_bound(citizen: Citizen) -> None:
    citizen.check = Check(known=False, text="信息不匹配，请核对。")
    answer = citizen.says("绑定车牌", "同意绑定", "粤B7K392", "小型汽车", "000000")
    assert "信息不匹配" in text_of(answer)
    assert "车牌号" in text_of(answer)
    citizen.check = Check(known=False, text="系统暂时没有回应。", final=True)
    answer = citizen.says(*CAR)
    assert "没有绑定" in text_of(answer)
    assert "收到" in text_of(citizen.says("你好呀朋友"))


def test_a_wrong_code_may_be_tried_again_but_the_fifth_ends_it(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    right = citizen.code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    assert "不对" in text_of(citizen.says(wrong))
    assert "作废" in text_of(citizen.says(wrong, wrong, wrong, wrong))
    citizen.says(right)
    assert citizen.rows(Binding) == []


def test_a_code_is_worth_nothing_after_five_minutes(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    code = citizen.code()
    citizen.room.clock.advance(timedelta(minutes=5))
    assert "失效" in text_of(citizen.says(code))
    assert "已发送" in text_of(citizen.says("重新发送"))
    assert "已绑定" in text_of(citizen.says(citizen.code()))


def test_the_code_stands_in_no_table_in_the_clear(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    code = citizen.code()
    (row,) = citizen.rows(PhoneCode)
    (outbox,) = citizen.rows(OutboxRow, OutboxRow.channel == "sms")
    stored = f"{row.code_hash} {row.phone_encrypted} {json.dumps(outbox.body)} {outbox.recipient} {outbox.dedupe_key}"
    assert code not in stored
    assert PHONE not in stored


def test_codes_to_one_phone_are_limited_whoever_asks(citizen: Citizen) -> None:
    room = citizen.room
    others = [Citizen(room) for _ in range(6)]
    answers = []
    for other in others:
        answers.append(text_of(other.says("绑定车牌", "同意绑定", *CAR, PHONE)))
        room.clock.advance(timedelta(minutes=2))
    assert ["已发送" in answer for answer in answers] == [True] * 5 + [False]
    assert "一小时后" in answers[-1]
    assert "刚刚" not in answers[-1]


def test_a_second_code_within_a_minute_is_refused(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    assert "刚刚发送过" in text_of(citizen.says("没收到"))


def test_bindings_are_listed_masked_and_removed(citizen: Citizen) -> None:
    citizen.binds_car()
    listed = citizen.says("我的绑定")
    assert "粤B7**92" in text_of(listed)
    assert "粤B7K392" not in text_of(listed)
    tapped = next(payload for payload in options_of(listed) if payload.startswith("unbind:"))
    assert "已解绑车牌 粤B7**92" in text_of(citizen.taps(tapped))
    assert citizen.rows(Binding) == []
    assert "还没有绑定" in text_of(citizen.says("我的绑定"))


def test_somebody_elses_binding_cannot_be_removed(citizen: Citizen) -> None:
    citizen.binds_car()
    (row,) = citizen.rows(Binding)
    other = Citizen(citizen.room)
    with citizen.room.database.unit_of_work() as uow:
        assert bindings.unbind(uow, citizen=other.id, binding_id=row.id, now=citizen.room.clock.now()) is None
        uow.commit()
    assert len(citizen.rows(Binding)) == 1


def test_an_open_form_stays_as_it_is_while_something_is_bound(citizen: Citizen) -> None:
    ask = {"type": "ask", "route": "query_bill", "slot": "bill_kind", "text": "查哪种账单？"}
    citizen.room.dialogue.script = lambda text, metadata: [ask]
    citizen.says("查账单")
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    citizen.says(citizen.code())
    with citizen.room.database.unit_of_work(read_only=True) as uow:
        slot = uow.session.execute(
            sa.text("SELECT requested_slot FROM conversations WHERE id = :id"), {"id": citizen.id}
        ).scalar_one()
    assert slot == "bill_kind"
    assert [text for text, _ in citizen.room.dialogue.heard] == ["查账单"]


def test_a_question_in_between_is_answered_and_the_binding_goes_on(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定")
    assert "收到" in text_of(citizen.says("转人工"))
    assert "收到" in text_of(citizen.says("护照怎么换发"))
    assert "号牌种类" in text_of(citizen.says("粤B7K392"))
    assert "不绑定了" in text_of(citizen.says("取消"))


def test_a_question_about_binding_is_left_to_the_dialogue(citizen: Citizen) -> None:
    assert "收到" in text_of(citizen.says("怎么绑定车牌"))
    assert "收到" in text_of(citizen.says("我想绑定医保卡"))


def test_reminders_are_begun_and_stopped_one_by_one_or_all(citizen: Citizen) -> None:
    assert "先绑定车牌" in text_of(citizen.says("开启新违章提醒"))
    citizen.binds_car()
    citizen.says("开启新违章提醒", "开启年检提醒", "开启预约提醒")
    assert _wanted(citizen) == {"violation", "inspection", "appointment"}
    assert "新违章：已开启" in text_of(citizen.says("我的提醒"))
    citizen.says("退订年检提醒")
    assert _wanted(citizen) == {"violation", "appointment"}
    citizen.says("停止提醒")
    assert _wanted(citizen) == set()


def test_two_turns_that_bind_the_same_at_once_make_one_binding(citizen: Citizen) -> None:
    """The unique key decides, not a look before: two units of work insert before either commits."""
    room, made = citizen.room, []
    barrier = threading.Barrier(8)

    def bind() -> None:
        barrier.wait()

        def step(uow: Any) -> Any:
            return bindings.bind(
                uow,
                room.secrets,
                citizen=citizen.id,
                kind="plate",
                values={"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"},
                masked="粤B7**92",
                phone_hash="p",
                consent_at=room.clock.now(),
                now=room.clock.now(),
            )

        made.append(room.database.write(step))

    threads = [threading.Thread(target=bind) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in made) == 1
    assert len(made) == 8
    assert len(citizen.rows(Binding)) == 1


def test_eight_tries_at_once_over_replicas_count_as_eight(citizen: Citizen) -> None:
    citizen.says("绑定车牌", "同意绑定", *CAR, PHONE)
    room, right = citizen.room, citizen.code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def attempt() -> None:
        barrier.wait()
        rules = citizens.CitizensFile().codes
        outcomes.append(
            room.database.write(
                lambda uow: citizens.check_code(
                    uow, room.secrets, rules, citizen=citizen.id, purpose="bind", code=wrong, now=room.clock.now()
                )
            )
        )

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["spent"] * 4 + ["wrong"] * 4
    assert "作废" in text_of(citizen.says(right))


def test_a_booking_verifies_the_phone_and_goes_on_without_the_code_reaching_the_dialogue(citizen: Citizen) -> None:
    def script(text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        if text == "确认预约":
            return [{"type": "text", "route": "book_appointment", "text": "预约成功！"}]
        return [{"type": "verify_phone", "route": "book_appointment", "phone": "【手机号1】", "then": "确认预约"}]

    room = citizen.room
    room.dialogue.script = script
    with room.database.unit_of_work() as uow:
        room.conversations.grant_consent(uow, citizen.id, room.clock.now())
        uow.commit()
    assert "138****6125" in text_of(citizen.says(f"预约，{PHONE}"))
    code = citizen.code()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert "不对" in text_of(citizen.says(wrong))
    assert "预约成功" in text_of(citizen.says(code))
    assert [text for text, _ in room.dialogue.heard] == ["预约，【手机号1】", "确认预约"]
    assert "收到" not in text_of(citizen.says("我的绑定"))


def _wanted(citizen: Citizen) -> set[str]:
    with citizen.room.database.unit_of_work(read_only=True) as uow:
        return set(citizens.choices(uow, citizen.id))
