from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.markup import plain, readable

PAGE = """<div class="TRS_Editor"><style>p{margin:0}</style><h3>办理指南</h3>
<p>请先看<a href="https://www.beijing.gov.cn/zn.html" onclick="x()">办事指南</a>，
再拨打<a href="tel:12345">12345</a>。<a href="javascript:alert(1)">点这里</a></p>
<table><tr><th>区</th><th>电话</th></tr><tr><td>东城</td><td>8401&nbsp;1234</td></tr></table>
<ul><li>身份证</li><li>户口簿</li></ul><script>alert('<p>x</p>')</script>
<img src=x onerror=alert(1) alt="流程图"></div>"""


def test_a_page_of_a_government_site_reads_as_text_with_its_table_and_links() -> None:
    assert readable(PAGE).split("\n") == [
        "办理指南",
        "",
        "请先看办事指南（https://www.beijing.gov.cn/zn.html）， 再拨打12345（tel:12345）。点这里",
        "",
        "区 | 电话",
        "东城 | 8401 1234",
        "",
        "· 身份证",
        "· 户口簿",
        "",
        "流程图",
    ]


def test_indexes_see_the_words_alone() -> None:
    words = plain(PAGE)
    assert "办事指南" in words
    assert not any(part in words for part in ("http", "script", "alert", "margin", "<", "|"))


@pytest.mark.parametrize("text", ["a < b 且 c > d", "第一行\n第二行", "1<2", "", "<>", "收入<5000元>部分"])
def test_text_without_tags_is_left_alone(text: str) -> None:
    assert (plain(text), readable(text)) == (text, text)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>甲<script>没有结束 乙", "甲"),
        ("<script>只有这个", "只有这个"),
        ("<p>甲<![endif]--><![bad[ x ]]>乙</p>", None),
        ("<a href='http://[bad'>甲</a>", "甲"),
        ("<p>甲<p>乙", "甲\n\n乙"),
        ("<a href=' java\nscript:x'>甲</a>", "甲"),
        ("<a href='//evil.example'>甲</a>", "甲"),
    ],
)
def test_broken_markup_still_gives_words(html: str, text: str | None) -> None:
    found = readable(html)
    assert found == text if text is not None else "甲" in found


@given(st.text(alphabet="<>/!?[]-=\"' abp甲\n&;", max_size=80))
def test_nothing_makes_reading_fail(text: str) -> None:
    for found in (plain(text), readable(text)):
        assert "<script" not in found or "<script" in text
