"""Times in dialect, lunar dates, seasons, English and pinyin: found, and resolved where they name a day."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.understanding.entities import extract, resolve_datetime

NOW = datetime(2026, 2, 25, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Wednesday, lunar 1/9


def times(text: str) -> list[str]:
    return [entity.value for entity in extract(text) if entity.type == "datetime"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("明朝八点半约护照", "明朝八点半"),
        ("约拜五上半天", "拜五上半天"),
        ("初九后晌去办居住证", "初九后晌"),
        ("前晌送的材料收到没", "前晌"),
        ("今仔日有号无，约护照", "今仔日"),
        ("腊月十八还能约体检吗", "腊月十八"),
        ("四月初五约婚姻登记", "四月初五"),
        ("八月十五号交的材料，护照好了没", "八月十五号"),
        ("去年全年用了多少水", "去年全年"),
        ("前年夏天的电费", "前年夏天"),
        ("2023-2024供暖季交了多少", "2023-2024供暖季"),
        ("去年到现在的燃气费", "去年到现在"),
        ("六七月份的电费", "六七月份"),
        ("上三个月的水费", "上三个月"),
        ("下午四点多能约年检吗", "下午四点多"),
        ("9/12那天有没有违停", "9/12"),
        ("约个周三的号", "周三"),
        ("双十一那天充的燃气费", "双十一"),
        ("去年同期的电费", "去年同期"),
        ("这俩月的气费", "这俩月"),
        ("next Friday约体检", "next Friday"),
        ("yuyue huzhao xia zhou yi", "xia zhou yi"),
        ("居住证五月十八交的，好了没", "五月十八"),
        ("book a visa extension for next Tuesday 10:30am", "next Tuesday 10:30am"),
        ("yuyue shebaoka 18hao", "18hao"),
        ("这个月二十几号能约工伤鉴定吗", "这个月二十几号"),
        ("屋企今期水費幾多", "今期"),
        ("上个号头的电费", "上个号头"),
    ],
)
def test_a_time_is_found_as_it_was_said(text: str, value: str) -> None:
    assert times(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "门跟前儿有饭馆吗",
        "今儿真冷啊",
        "周末愉快",
        "我今年十八岁",
        "明朝历史讲讲",
        "孩子上初二了",
        "拜一拜菩萨",
        "早上好",
        "晚安",
    ],
)
def test_small_talk_and_look_alikes_are_no_times(text: str) -> None:
    assert times(text) == []


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("明朝", "2026-02-26"),
        ("拜五上半天", "2026-02-27T06:00/2026-02-27T12:00"),
        ("正月十六", "2026-03-04"),
        ("大年初十", "2026-02-26"),
        ("去年冬天", "2025-12-01/2026-02-28"),
        ("next Friday", "2026-03-06"),
        ("tomorrow morning", "2026-02-26T06:00/2026-02-26T12:00"),
        ("xia zhou wu", "2026-03-06"),
        ("6yue18", "2026-06-18"),
        ("March 5", "2026-03-05"),
        ("next Monday 9am", "2026-03-02T09:00"),
        ("tomorrow at 3:30 pm", "2026-02-26T15:30"),
        ("六七月份", "2026-06-01/2026-07-31"),
    ],
)
def test_such_a_time_is_resolved(text: str, iso: str) -> None:
    assert resolve_datetime(text, NOW) == iso
