from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge_base import ImportRejected, KnowledgeBase, OutOfScope, Query, evaluate, read_out_of_scope, read_queries
from knowledge_base.evaluate import wilson


def ticking() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 0.002


def test_the_figures_of_the_contract_are_all_there(base: KnowledgeBase) -> None:
    clock = ticking()
    figures = evaluate(
        base,
        [Query("fund", "公积金怎么提取", "short"), Query("id-card", "身份证丢了怎么补办", "para")],
        [OutOfScope("🎉", "far"), OutOfScope("木星有几颗卫星", "near")],
        clock=lambda: next(clock),
    )
    for name in (
        "recall_at_1", "recall_at_3", "recall_at_10", "answered", "answered_precision", "clarified",
        "clarified_contains", "out_of_scope_answered_far", "out_of_scope_answered_near", "out_of_scope_clarified",
    ):  # fmt: skip
        assert {name, f"{name}_n", f"{name}_ci"} <= figures.keys()
    assert (figures["queries"], figures["recall_at_1"], figures["mrr"]) == (2, 1.0, 1.0)
    assert (figures["by_style"]["short"], figures["by_style"]["para"]) == (1.0, 1.0)
    assert figures["ms_per_query_p50"] == pytest.approx(2.0)
    assert sum(row["n"] for row in figures["reliability"]) in (3, 2)
    assert figures["out_of_scope_answered_far"] == 0.0


def test_another_entry_counts_as_right_when_listed_or_when_its_answer_is_the_same(base: KnowledgeBase) -> None:
    same_answer = evaluate(base, [Query("heating", "几号来暖气")])
    assert same_answer["recall_at_1"] == 1.0
    wrong = evaluate(base, [Query("fund", "身份证丢了怎么补办")])
    assert wrong["recall_at_1"] == 0.0
    listed = evaluate(base, [Query("fund", "身份证丢了怎么补办", also=("id-card",))])
    assert listed["recall_at_1"] == 1.0


def test_a_share_of_nothing_is_none_and_not_a_number(base: KnowledgeBase) -> None:
    figures = evaluate(base, [])
    assert figures["recall_at_1"] is None
    assert figures["recall_at_1_ci"] == [0.0, 1.0]
    assert figures["out_of_scope_answered_far"] is None


def test_progress_counts_every_question(base: KnowledgeBase) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(base, [Query("fund", "公积金")], [OutOfScope("x", "far")], progress=lambda d, t: seen.append((d, t)))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Values of the Wilson score interval without continuity correction (Newcombe 1998, table I).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_of_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_question_files_are_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"faq_id": "a", "also": ["b"], "style": "para", "query": "问"}\n\n', encoding="utf-8")
    assert read_queries(path) == [Query("a", "问", "para", ("b",))]
    path.write_text('{"query": "问", "kind": "near"}\n{"query": "问", "kind": "far"}\n', encoding="utf-8")
    assert read_out_of_scope(path) == [OutOfScope("问", "near"), OutOfScope("问", "far")]
    with pytest.raises(ImportRejected, match="第 1 行"):
        read_queries(path)


def test_question_files_may_be_sheets_too(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("编号,同样正确,风格,问法\na,b|c,short,怎么办\n", encoding="gb18030")
    assert read_queries(path) == [Query("a", "怎么办", "short", ("b", "c"))]
    path.write_text("编号,问法\na,怎么办\nb,\n", encoding="utf-8")
    with pytest.raises(ImportRejected, match="第 3 行"):
        read_queries(path)
