from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.retrieval.request import request_of


def test_greetings_and_background_of_a_long_message_are_left_out() -> None:
    text = "您好,家里老人八十多了腿脚不方便,儿女又都不在身边,我想问高龄津贴怎么领?麻烦了,谢谢"
    assert request_of(text) == "我想问高龄津贴怎么领?"


def test_the_last_two_questions_stay_in_their_order() -> None:
    text = "我妈问过一次能办吗,后来一直没有去,今年想再试试看,居住证到期怎么续签,要带哪些材料"
    assert request_of(text) == "居住证到期怎么续签,要带哪些材料"


@pytest.mark.parametrize(
    "text",
    [
        "居住证怎么办",
        "我们小区楼下天天有人唱歌跳舞到半夜十二点,老人孩子都睡不着,打过好多次电话也没人管",
        "公积金的事情我已经问了好多次,一直没有人给我一个明确的答复,请问呢?",
    ],
)
def test_short_messages_and_those_without_a_whole_question_stay_as_they_are(text: str) -> None:
    assert request_of(text) == text


@given(st.text(max_size=200))
def test_a_request_is_never_longer_than_the_message_and_empty_only_when_that_is(text: str) -> None:
    request = request_of(text)
    assert len(request) <= len(text)
    assert bool(request) == bool(text)
