"""What a message means for bindings and reminders, and what it leaves to the dialogue."""

from datetime import UTC, datetime, timedelta

import pytest

from services.bindings.schemas import TYPES, Draft, Said
from services.bindings.talk import expected, needs_check, understand
from services.citizens.schemas import REMINDER_KINDS, REMINDER_TITLES

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)


def meant(text: str, *entities: tuple[str, str], draft: Draft | None = None) -> object:
    return understand(Said(text, entities), draft, NOW)


def does(text: str, *entities: tuple[str, str], draft: Draft | None = None) -> str | None:
    intent = understand(Said(text, entities), draft, NOW)
    return intent.does if intent else None


def at(step: str, **values: str) -> Draft:
    return Draft("plate", step, values, NOW)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("我的绑定", "list"),
        ("查看我的绑定", "list"),
        ("绑定", "list"),
        ("绑定车牌", "start"),
        ("我要绑定驾驶证", "start"),
        ("帮我绑定一下户号", "start"),
        ("解绑", "unbind"),
        ("解除绑定", "unbind"),
        ("取消绑定", "unbind"),
        ("解绑全部", "unbind"),
        ("我的提醒", "reminders"),
        ("提醒设置", "reminders"),
        ("开启违章提醒", "remind"),
        ("订阅新账单提醒", "remind"),
        ("停止提醒", "stop"),
        ("退订", "stop"),
        ("TD", "stop"),
        ("退订违章提醒", "stop"),
        ("关闭停电提醒", "stop"),
    ],
)
def test_a_command_is_heard_outside_of_any_talk(text: str, what: str) -> None:
    assert does(text) == what


@pytest.mark.parametrize(
    "text",
    [
        "怎么绑定车牌",
        "绑定车牌要什么材料",
        "绑定了之后有什么用？",
        "我想绑定医保卡",
        "取消预约",
        "取消",
        "停电了怎么办",
        "违章提醒是什么",
        "预约提醒短信没收到",
        "车牌",
        "粤B",
        "你好",
        "提醒我明天带身份证",
    ],
)
def test_everything_else_is_left_to_the_dialogue(text: str) -> None:
    assert does(text) is None


def test_a_stop_word_means_all_kinds_and_a_named_one_only_that() -> None:
    assert meant("停止提醒").reminders == REMINDER_KINDS  # type: ignore[attr-defined]
    assert meant("停止全部提醒").reminders == REMINDER_KINDS  # type: ignore[attr-defined]
    assert meant("退订欠费提醒").reminders == ("overdue",)  # type: ignore[attr-defined]


def test_every_kind_of_reminder_can_be_begun_by_the_words_on_its_button() -> None:
    for kind, title in REMINDER_TITLES.items():
        assert meant(f"开启{title}提醒").reminders == (kind,), title  # type: ignore[attr-defined]
        assert meant(f"关闭{title}提醒").reminders == (kind,), title  # type: ignore[attr-defined]


def test_every_kind_of_binding_can_be_begun_and_removed_by_its_title() -> None:
    for kind, one in TYPES.items():
        assert meant(f"绑定{one.title}").kind == kind  # type: ignore[attr-defined]
        assert meant(f"解绑{one.title}").kind == kind  # type: ignore[attr-defined]


def test_the_first_sentence_may_bring_the_number_and_the_kind() -> None:
    start = meant("绑定车牌【车牌1】小型汽车", ("plate", "【车牌1】"))
    assert start.values == {"plate": "【车牌1】", "plate_kind": "小型汽车"}  # type: ignore[attr-defined]
    bare = meant("绑定【户号2】", ("household_no", "【户号2】"))
    assert (bare.kind, bare.values) == ("household", {"household_no": "【户号2】"})  # type: ignore[attr-defined]
    power = meant("绑定电费户号")
    assert power.values == {"bill_kind": "电费"}  # type: ignore[attr-defined]


def test_an_answer_is_taken_only_while_it_is_asked_for() -> None:
    assert meant("2", draft=at("plate_kind", plate="【车牌1】")).values == {"plate_kind": "大型汽车"}  # type: ignore[attr-defined]
    assert does("483920", draft=at("code")) == "code"
    assert does("验证码是 483920", draft=at("code")) == "code"
    assert does("483920") is None
    assert does("同意", draft=at("consent")) == "consent"
    assert does("同意") is None


def test_a_person_danger_and_questions_get_through_an_open_talk() -> None:
    for text in ("转人工", "我要投诉", "着火了", "护照怎么换", "菜单", "发动机号在哪里看"):
        assert does(text, draft=at("engine_tail", plate="【车牌1】")) is None, text


def test_what_was_meant_as_a_number_and_is_none_is_asked_for_again() -> None:
    assert does("12345", draft=at("code")) == "misfit"
    assert does("138001", draft=at("phone")) == "misfit"


def test_a_talk_that_was_left_for_half_an_hour_is_over() -> None:
    old = Draft("plate", "code", {}, NOW - timedelta(minutes=31))
    assert does("483920", draft=old) is None


def test_what_is_expected_of_a_bare_answer_follows_the_step() -> None:
    assert expected(at("engine_tail")) == "engine_tail"
    assert expected(at("phone")) == "phone"
    assert expected(at("code")) == "one_time_code"
    assert expected(None) is None


def test_the_system_is_asked_once_all_is_known_and_agreed_to() -> None:
    known = {"plate": "【车牌1】", "plate_kind": "小型汽车"}
    last = understand(Said("【发动机号1】", (("engine_tail", "【发动机号1】"),)), at("engine_tail", **known), NOW)
    assert last is not None
    wanted = needs_check(at("engine_tail", **known), last)
    assert wanted == ("violation", {**known, "engine_tail": "【发动机号1】"})
    full = at("consent", **known, engine_tail="【发动机号1】")
    agreed = understand(Said("同意"), full, NOW)
    assert agreed is not None
    assert needs_check(full, agreed) is not None
    start = understand(Said("绑定车牌【车牌1】", (("plate", "【车牌1】"),)), None, NOW)
    assert start is not None
    assert needs_check(None, start) is None
