"""Which sentence says what a matter is about, and which only moves the talk."""

import pytest

from services.conversations.sentences import TITLE_LIMIT, first, is_command, whole


@pytest.mark.parametrize(
    "text",
    [
        *("转人工", "人工", "请帮我转人工谢谢", "人工客服在吗", "我要找客服", "接人工", "有人吗", "有没有人"),
        *("在吗", "喂喂喂", "你好", "您好，在吗", "hello", "早上好", "谢谢", "好的，谢谢", "不用了谢谢"),
        *("我要投诉", "投诉 举报", "我想反映一个问题", "我要咨询", "问一下", "我有急事", "我要反映问题"),
        *("继续", "取消", "同意", "不同意", "是的", "菜单", "2", "１３", "查违章", "办事预约", "转人工！！"),
        *("【手机号1】", "我的手机号是【手机号1】", "车牌【车牌1】", "【手机号1】【身份证1】", "3F07", "2026-11-20"),
        *("GD2026112000001", "工单号 GD2026112000001", "催办", "撤回工单", "[位置] 31.2001,121.4002"),
    ],
)
def test_a_command_is_no_title(text: str) -> None:
    assert first(text) is None
    assert whole(text) == ""


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("路灯坏了", "路灯坏了"),
        ("停水了", "停水了"),
        ("你好，我要投诉。小区门口的路灯坏了三天，晚上很黑！没人来修。", "小区门口的路灯坏了三天，晚上很黑"),
        ("转人工 我家停水了", "我家停水了"),
        ("我要投诉楼下烧烤店", "我要投诉楼下烧烤店"),
        ("我要投诉：楼下半夜施工", "楼下半夜施工"),
        ("社保卡丢了怎么补办？急！", "社保卡丢了怎么补办？"),
        ("有人打架", "有人打架"),
        ("没人管", "没人管"),
        ("1、小区停车乱", "小区停车乱"),
        ("我的车【车牌1】为什么罚款", "我的车【车牌1】为什么罚款"),
        ("I lost my passport", "I lost my passport"),
    ],
)
def test_the_title_is_the_first_sentence_that_is_no_command(text: str, title: str) -> None:
    assert first(text) == title


def test_a_long_sentence_is_cut_and_says_so() -> None:
    title = first("小区东门外的人行道" * 10)
    assert title is not None
    assert (len(title), title[-1]) == (TITLE_LIMIT, "…")


def test_a_question_keeps_what_comes_after_its_first_sentence_but_not_the_commands_before_it() -> None:
    assert whole("你好，转人工。路灯坏了三天。一直没人修。") == "路灯坏了三天。一直没人修。"


def test_that_nothing_is_settled_is_said_to_a_case_and_is_no_title() -> None:
    assert not is_command("还没解决")
    assert first("还没解决") is None
