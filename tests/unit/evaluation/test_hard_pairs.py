"""Hard pairs are told by the words of the message alone."""

import pytest

from services.evaluation.dialogue import Row, _routing
from services.evaluation.hard_pairs import is_hard_pair


@pytest.mark.parametrize(
    "text", ["违章多久能处理", "預約了沒去會怎麼樣", "怎么预防煤气泄漏", "投诉可以匿名吗", "户号在哪里看"]
)
def test_a_general_question_with_the_words_of_a_service_is_a_hard_pair(text: str) -> None:
    assert is_hard_pair(text, "faq")


def test_other_routes_and_plain_questions_are_none() -> None:
    assert not is_hard_pair("查违章", "query_violation")
    assert not is_hard_pair("养狗要办什么证", "faq")


def test_the_evaluation_counts_them_apart() -> None:
    rows = [Row("违章多久能处理", "faq", ()), Row("投诉可以匿名吗", "faq", ()), Row("养狗要办证吗", "faq", ())]
    figures = _routing(rows, ["query_violation", "faq", "complaint"])
    assert figures["hard_pairs"] == {"recall": 0.5, "n": 2, "taken_for": {"query_violation": 1}}
