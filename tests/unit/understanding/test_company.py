"""After an urgent report the citizen is not left alone with a question that found no answer."""

from __future__ import annotations

import pytest

from services.cases.schemas import Watch
from services.understanding.danger import Following, company_reply, detect, following


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("还有人吗", "waiting"),
        ("有人在吗？？", "waiting"),
        ("怎么还没来", "waiting"),
        ("快点啊", "waiting"),
        ("你们派人了吗", "waiting"),
        ("在吗", "waiting"),
        ("喂", "waiting"),
        ("转人工", "waiting"),
        ("119打不通", "unreachable"),
        ("一直占线", "unreachable"),
        ("我不敢出声", "unreachable"),
        ("建设路12号3栋", "place"),
        ("三楼", "place"),
        ("我在文昌桥下面", "place"),
        ("小区北门对面", "place"),
        ("我好怕", "afraid"),
        ("现在怎么办", "afraid"),
        ("我撑不了多少时间了 好冷", "afraid"),
        ("没事了 消防到了", "safe"),
        ("人已经救上来了", "safe"),
        ("找到了 谢谢", "safe"),
        ("他穿红衣服", "more"),
        ("两个大人一个小孩", "more"),
        ("好的", "more"),
    ],
)
def test_what_is_said_after_a_report_is_understood_as_part_of_it(text: str, about: str) -> None:
    assert following(text) == about


@pytest.mark.parametrize(
    "text",
    ["查一下电费", "身份证怎么办理", "附近有没有公厕", "粤B7K392有没有违章", "预约明天上午", "2", "取消", "办件进度"],
)
def test_other_business_goes_its_ordinary_way(text: str) -> None:
    assert following(text) is None


def test_a_shared_position_is_a_place_whatever_else_is_known() -> None:
    assert following("", place=True) == "place"
    assert following("我们在东湖那边", ["location"]) == "place"


def test_the_reply_names_the_numbers_of_the_danger_and_the_case() -> None:
    fire = detect("我家着火了")
    assert fire is not None
    for about in ("place", "safe", "unreachable", "waiting", "afraid", "more"):
        text = company_reply(about, fire, "GD1", Watch(called=True))
        assert "119" in text
        assert "GD1" in text
    assert "110" in company_reply("waiting", None, "GD1", Watch(called=True))
    assert "12345" in company_reply("safe", fire, "GD1", Watch(called=True))


@pytest.mark.parametrize("about", ["place", "unreachable", "waiting", "afraid", "more"])
def test_who_is_said_to_know_is_who_knows(about: Following) -> None:
    nobody = company_reply(about, None, "GD1", Watch(called=False))
    assert "没有值班人员在岗" in nobody
    called = company_reply(about, None, "GD1", Watch(called=True))
    assert "没有值班人员在岗" not in called
    assert "已收到您的求助" not in called
    heard = company_reply(about, None, "GD1", Watch(called=True, who="市应急管理局值班人员"))
    assert "市应急管理局值班人员" in heard
    assert all("已经收到提醒" not in text for text in (nobody, called, heard))
