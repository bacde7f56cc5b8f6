"""Entries and questions as they really come: very long, full of markup, nearly empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from knowledge_base import Entry, ImportRejected, KnowledgeBase, make_entry

BuildBase = Callable[[Sequence[Entry]], KnowledgeBase]
LONG = "第一条：申请人应当提交材料。" + "各级机关应当依法受理，并在期限内办结。" * 735 + "附则：本办法由市政府解释。"


def test_an_answer_of_fourteen_thousand_characters_is_kept_whole_and_found(build_base: BuildBase) -> None:
    assert len(LONG) > 14_000 - 100
    entry = Entry(id="long", question="政府信息公开条例全文", answer=LONG)
    base = build_base([entry, Entry(id="other", question="公交卡怎么退", answer="到网点。")])
    assert base.search("信息公开条例").hits[0].entry_id == "long"
    assert base.search("申请人应当提交材料").hits[0].entry_id == "long"
    assert base.entry("long").answer == LONG


def test_an_answer_in_html_is_found_by_its_words_not_by_its_markup_and_kept_as_written(build_base: BuildBase) -> None:
    html = "<table class='tbl'><tr><td>补领</td><td>二十元</td></tr></table><a href='https://example.org/x'>办理</a>"
    base = build_base(
        [Entry(id="a", question="证件工本费", answer=html), Entry(id="b", question="tbl 课程", answer="x")]
    )
    assert base.search("补领二十元").hits[0].entry_id == "a"
    assert base.search("tbl").hits[0].entry_id == "b"
    assert base.entry("a").answer == html


@pytest.mark.parametrize("question", ["😀", "……", "　"])
def test_an_entry_whose_question_says_nothing_does_no_harm(build_base: BuildBase, question: str) -> None:
    base = build_base(
        [Entry(id="odd", question=question, answer="好"), Entry(id="a", question="公积金", answer="提取")]
    )
    assert base.search("公积金").hits[0].entry_id == "a"
    assert base.search(question).hits == ()


def test_one_entry_alone_can_be_answered_with_and_refused(build_base: BuildBase) -> None:
    base = build_base([Entry(id="a", question="公积金怎么提取", answer="网上申请")])
    assert base.search("公积金怎么提取").hits[0].confidence > base.search("今天天气").band.count("answer")
    assert base.search("qqq").band == "none"


@pytest.mark.parametrize(
    "values",
    [
        {"question": "问\0题", "answer": "答"},
        {"question": " ", "answer": "答"},
        {"question": "问", "answer": "答", "valid_from": "2026-02-30"},
        {"question": "问" * 2_001, "answer": "答"},
    ],
)
def test_a_single_entry_is_checked_as_an_import_row_is(values: dict[str, str]) -> None:
    with pytest.raises(ImportRejected):
        make_entry(values)
