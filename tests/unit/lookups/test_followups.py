"""Questions about a result, answered from its data."""

from typing import Any

import pytest

from services.lookups.followups import NO_FURTHER, detail

OLD = {"at": "2026-09-01T08:00:00+08:00", "place": "湖滨路", "behaviour": "违停", "points": 0, "fine": "50", "handled": True}
NEW = OLD | {"at": "2026-11-02T08:12:00+08:00", "place": "示范大道", "points": 6, "fine": "200.00", "handled": False}
CAR: dict[str, Any] = {"violations": [OLD, NEW], "unhandled": 1, "fine": "200.00", "points": 6, "pay": "到窗口办理。"}
BILL: dict[str, Any] = {
    "owed": "30.50",
    "balance": "0.00",
    "periods": [
        {"period": "2026-09", "usage": "8", "unit": "吨", "amount": "27.6", "paid": True, "due": "2026-10-25"},
        {"period": "2026-10", "usage": "9", "unit": "吨", "amount": "30.50", "paid": False, "due": "2026-11-25"},
    ],
}


def said(kind: str, data: dict[str, Any], about: str, at: int = 0) -> str:
    answer = detail(kind, data, about, at)
    assert answer is not None
    return answer.text


@pytest.mark.parametrize(
    ("about", "text"),
    [
        ("fine", "合计 200 元"),
        ("points", "合计记 6 分"),
        ("place", "示范大道"),
        ("when", "2026-11-02 08:12"),
        ("pay", "到窗口办理"),
        ("more", "一共 2 条"),
        ("nth:2", "湖滨路"),
    ],
)
def test_a_detail_of_violations_is_told(about: str, text: str) -> None:
    assert text in said("violation", CAR, about)


def test_the_next_one_moves_through_the_list_newest_first_and_stops_at_its_end() -> None:
    following = detail("violation", CAR, "next", 0)
    assert following is not None
    assert (following.at, "湖滨路" in following.text) == (1, True)
    end = detail("violation", CAR, "next", following.at)
    assert end is not None
    assert (end.text, end.at) == (NO_FURTHER, 1)
    assert "湖滨路" in said("violation", CAR, "place", following.at)


def test_an_empty_result_has_no_details() -> None:
    assert "没有查到违法记录" in said("violation", {"violations": [], "unhandled": 0, "fine": "0", "points": 0}, "fine")


def test_the_month_before_and_what_is_owed_are_told_of_a_bill() -> None:
    assert said("bill", BILL, "amount") == "待缴 30.50 元，共 1 期。"
    assert said("bill", BILL, "next") == "2026-09：27.60 元，用量 8 吨，已缴。"
    assert said("bill", BILL, "due") == "2026-10 应于 2026-11-25 前缴。"


def test_what_a_result_does_not_know_is_left_to_the_whole_result() -> None:
    assert detail("progress", {"status": "办理中"}, "when", 0) is None
    assert detail("parking", {"facts": []}, "fine", 0) is None
