"""Which messages are words about an own case, and which only look like one."""

import pytest

from services.conversations.case_words import CaseWord, read

NO = "GD2026112000001"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("催办", CaseWord("press")),
        ("催一下", CaseWord("press")),
        ("请帮我催一下吧", CaseWord("press")),
        ("催一下我的工单。", CaseWord("press")),
        (f"催一下 {NO}", CaseWord("press", NO)),
        ("催一下 gd2026112000001", CaseWord("press", NO)),
        (f"催办工单号：{NO}", CaseWord("press", NO)),
        ("撤回", CaseWord("withdraw")),
        ("撤回工单", CaseWord("withdraw")),
        ("我要撤销这个投诉", CaseWord("withdraw")),
        (f"撤回工单 {NO}", CaseWord("withdraw", NO)),
        ("我的工单", CaseWord("list")),
        ("查一下我的工单进度", CaseWord("list")),
        ("确认解决", CaseWord("confirm")),
        ("问题已经解决了", CaseWord("confirm")),
        ("还没解决", CaseWord("reopen")),
        ("问题没有得到解决！", CaseWord("reopen")),
        (f"重新办理 {NO}", CaseWord("reopen", NO)),
        ("补充 路灯也坏了", CaseWord("add", None, "路灯也坏了")),
        ("补充：地点是湖滨路12号，\n晚上十一点以后", CaseWord("add", None, "地点是湖滨路12号，\n晚上十一点以后")),
        (f"补充工单{NO}：还有一张照片", CaseWord("add", NO, "还有一张照片")),
    ],
)
def test_words_about_a_case_are_read(text: str, word: CaseWord) -> None:
    assert read(text) == word


@pytest.mark.parametrize(
    "text",
    [
        "催办是什么意思",
        "怎么催办工单",
        "撤回工单后还能再提交吗",
        "取消",
        "取消预约",
        "撤销登记怎么办",
        "补充材料需要哪些",
        "补充 材料什么时候交？",
        "补充公积金怎么缴",
        "补充",
        "我的工单为什么还没人处理",
        "噪音问题还没解决",
        "怎么解决",
        "查一下办件进度，编号BJ202608150021",
        "催一下 BJ202608150021",
    ],
)
def test_what_only_looks_like_one_is_left_to_the_dialogue(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("text", ["撤回", "确认解决", "还没解决", "补充 湖滨路12号"])
def test_what_may_answer_a_form_is_left_to_it(text: str) -> None:
    assert read(text, in_form=True) is None


@pytest.mark.parametrize("text", ["催办", "我的工单", "撤回工单"])
def test_what_no_form_asks_for_is_read_in_one(text: str) -> None:
    assert read(text, in_form=True) is not None
