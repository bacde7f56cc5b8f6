from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from knowledge_base import Entry, KnowledgeBase, lint
from knowledge_base.lint import KINDS, counts

BuildBase = Callable[[Sequence[Entry]], KnowledgeBase]
TODAY = date(2026, 11, 20)


def entry(id: str, question: str, answer: str, **fields: object) -> Entry:
    return Entry(id=id, question=question, answer=answer, **{"department": "户政", **fields})  # type: ignore[arg-type]


def findings(build_base: BuildBase, *entries: Entry) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.entries) for finding in lint(build_base(entries), today=TODAY)]


def test_a_base_in_order_has_no_findings(build_base: BuildBase) -> None:
    assert findings(build_base, entry("a", "身份证丢了怎么办", "补领"), entry("b", "供暖几号开始", "十五号")) == []


def test_the_same_question_with_two_answers_is_a_contradiction(build_base: BuildBase) -> None:
    found = findings(
        build_base,
        entry("a", "身份证丢了怎么办？", "到派出所补领"),
        entry("b", "別的问题", "不用补领", similar_questions=("身份證丟了怎麼辦",)),
        entry("c", "供暖几号开始", "十五号"),
    )
    assert ("contradictory_twins", ("a", "b")) in found


def test_twins_of_two_regions_or_of_two_times_do_not_contradict_each_other(build_base: BuildBase) -> None:
    found = findings(
        build_base,
        entry("a", "几点开门", "九点", region="东区"),
        entry("b", "几点开门", "八点", region="西区"),
        entry("c", "供暖几号开始", "十号", valid_to=date(2026, 12, 31)),
        entry("d", "供暖几号开始", "十五号", valid_from=date(2027, 1, 1)),
    )
    assert not any(kind == "contradictory_twins" for kind, _ in found)


def test_entries_with_one_answer_or_nearly_one_question_are_near_duplicates(build_base: BuildBase) -> None:
    found = findings(
        build_base,
        entry("a", "身份证丢了怎么办", "到派出所补领。"),
        entry("b", "证件遗失去哪里", "<p>到派出所补领</p>"),
        entry("c", "居民如何在网上申请办理机动车驾驶证期满换证手续", "第一种"),
        entry("d", "居民如何在网上申请办理机动车驾驶证期满换证手续呢", "第二种"),
        entry("e", "供暖几号开始", "十五号"),
    )
    assert ("near_duplicates", ("a", "b")) in found
    assert ("near_duplicates", ("c", "d")) in found


def test_dates_and_departments_are_looked_at(build_base: BuildBase) -> None:
    found = findings(
        build_base,
        entry("old", "去年的通知是什么", "已过", valid_to=date(2026, 11, 19)),
        entry("today", "供暖几号开始", "今天", valid_to=TODAY),
        entry("nobody", "公交卡怎么退", "网点", department=None),
    )
    assert found == [("past_date", ("old",)), ("no_department", ("nobody",))]


def test_an_entry_that_its_own_question_does_not_find_is_named_with_what_was_found(build_base: BuildBase) -> None:
    base = build_base(
        [
            entry("a", "身份证丢了怎么办", "补领"),
            entry("b", "护照怎么办", "窗口", similar_questions=("身份证丢了怎么办",)),
            entry("c", "？？？", "没有内容的问题"),
        ]
    )
    lost = {f.entries[0]: f.note for f in lint(base, today=TODAY) if f.kind == "not_found_by_own_question"}
    assert "b" in lost or "a" in lost
    assert "没有内容" in lost["c"]


def test_counts_name_every_kind() -> None:
    assert counts([]) == dict.fromkeys(KINDS, 0)


def test_no_entry_at_all_gives_no_findings(build_base: BuildBase) -> None:
    assert findings(build_base) == []
