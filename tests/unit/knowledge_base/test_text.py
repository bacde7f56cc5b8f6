from __future__ import annotations

import pytest

from knowledge_base.markup import plain
from knowledge_base.text import LONGEST_QUERY, clean, clean_query


def test_traditional_and_full_width_become_simplified_and_plain() -> None:
    assert clean("戶口遷移　ＡＢＣ１２３\u200b 怎麼辦") == "户口迁移 ABC123 怎么办"


@pytest.mark.parametrize("text", ["", "   ", "\0\0", "😀😀", "？！。", "\ud800", "👍🏽 ～"])
def test_a_query_without_a_letter_is_empty(text: str) -> None:
    assert clean_query(text) == ""


def test_a_very_long_query_keeps_its_beginning_and_its_end() -> None:
    cleaned = clean_query("开头" + "废话" * 5000 + "结尾")
    assert len(cleaned) <= LONGEST_QUERY + 1
    assert cleaned.startswith("开头")
    assert cleaned.endswith("结尾")


def test_markup_is_removed_and_its_words_are_kept() -> None:
    html = "<p>办理<a href='https://example.org'>流程</a></p><table><tr><td>一</td><td>二</td></tr></table><script>x()</script>"
    assert plain(html).split() == ["办理流程", "一", "二"]
    assert plain("a < b 且 c > d") == "a < b 且 c > d"
