"""Dates, places and service names: their boundaries, and the talk that is none of them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.understanding.entities import extract, resolve_datetime

NOW = datetime(2026, 2, 25, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Wednesday


def found(text: str, kind: str) -> list[str]:
    return [entity.value for entity in extract(text) if entity.type == kind]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("下周一上午", "2026-03-02T06:00/2026-03-02T12:00"),
        ("下周一上午九点到十点", "2026-03-02T09:00/2026-03-02T10:00"),
        ("12月3号10点半", "2026-12-03T10:30"),
        ("听日朝早", "2026-02-26T06:00/2026-02-26T12:00"),
        ("下星期二下午兩點", "2026-03-03T14:00"),
        ("17号下午四点", "2026-03-17T16:00"),
        ("明早", "2026-02-26T06:00/2026-02-26T12:00"),
        ("三点", "T15:00"),
        ("下个月6号", "2026-03-06"),
        ("5月20号", "2026-05-20"),
        ("周四", "2026-02-26"),
        ("大后天早上八点半", "2026-02-28T08:30"),
        ("上个月", "2026-01"),
        ("2025年9月", "2025-09"),
        ("这期", "2026-02"),
        ("上季度", "2025-10-01/2025-12-31"),
        ("去年12月到今年2月", "2025-12/2026-02"),
        ("中秋节前一天上午", "2026-09-24T06:00/2026-09-24T12:00"),
        ("除夕", "2027-02-05"),
        ("2026-03-15", "2026-03-15"),
        ("月底", "2026-02-21/2026-02-28"),
    ],
)
def test_a_time_is_resolved_as_a_citizen_means_it(text: str, iso: str) -> None:
    assert resolve_datetime(text, NOW) == iso


def test_a_month_of_a_bill_is_the_one_that_has_been() -> None:
    (entity,) = [entity for entity in extract("帮我查12月的电费", now=NOW) if entity.type == "datetime"]
    assert entity.normalised == "2025-12"


def test_a_day_that_does_not_exist_is_left_as_it_was_written() -> None:
    (entity,) = extract("约2月30号", now=NOW)
    assert (entity.value, entity.normalised) == ("2月30号", "2月30号")


def test_a_naive_now_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        extract("明天", now=datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "快一点好吗",
        "我有三点建议",
        "每天晚上十一点施工",
        "修了半年",
        "已经一个礼拜了",
        "近点的",
        "几点上班",
        "五一路",
        "室内才14度",
    ],
)
def test_talk_that_only_sounds_like_a_time_is_none(text: str) -> None:
    assert found(text, "datetime") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("举报金水路与文化路交叉口违停", "金水路与文化路交叉口"),
        ("和平路和解放路交叉口红绿灯坏了", "和平路和解放路交叉口"),
        ("中山大道和天河路路口有人乱停车", "中山大道和天河路路口"),
        ("我们在景田北路12号，旁边有诊所吗", "景田北路12号"),
        ("离翠竹苑小区最近的派出所", "翠竹苑小区"),
        ("建议东湖公园门口加个红绿灯", "东湖公园门口"),
        ("有人在石门水库边上倒垃圾", "石门水库"),
        ("我住龙华民治，最近的车管所在哪", "龙华民治"),
        ("深圳市龙岗区坂田街道五和大道118号着火了", "深圳市龙岗区坂田街道五和大道118号"),
        ("去宝安那边的大厅办居住证", "宝安"),
        ("福田口岸附近哪里有充电桩", "福田口岸"),
        ("华强北附近哪里能办社保卡", "华强北"),
        ("李家村河边有人落水", "李家村"),
    ],
)
def test_a_place_is_trimmed_to_its_name(text: str, place: str) -> None:
    assert found(text, "location") == [place]


@pytest.mark.parametrize(
    "text",
    [
        "我们小区没水三天了",
        "隔壁村有人烧秸秆",
        "这附近有没有公厕",
        "学校门口有人拿刀",
        "消防通道被占",
        "离我最近的大厅",
        "村里人都去了",
        "年审那边说材料不够",
    ],
)
def test_a_word_for_a_kind_of_place_names_none(text: str) -> None:
    assert found(text, "location") == []


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("预约补办身份证 明天下午", "补办身份证"),
        ("預約換領身份證", "換領身份證"),
        ("给我约个社保卡换卡", "社保卡换卡"),
        ("下周三下午2点，办港澳通行证签注", "港澳通行证签注"),
        ("我的积分入户公示了没", "积分入户"),
        ("附近哪里可以办居住证", "居住证"),
        ("护照", "护照"),
    ],
)
def test_the_longest_service_name_is_found_where_one_is_asked_for(text: str, service: str) -> None:
    assert found(text, "service") == [service]


@pytest.mark.parametrize("text", ["投诉社保窗口态度差", "查我驾照的分", "水电费、医保、老年卡要一起问，转人工吧"])
def test_a_service_that_is_only_talked_about_is_no_slot(text: str) -> None:
    assert found(text, "service") == []


HELDOUT = Path(__file__).with_name("entities_heldout.txt")
MARK = re.compile(r"\{([^|}]+)\|(\w)\}")
MARKED_TYPES = {
    "P": "plate", "I": "id_card", "L": "license_file_no", "H": "household_no", "T": "phone",
    "C": "case_no", "E": "engine_tail", "D": "datetime", "S": "service", "W": "location",
}  # fmt: skip


def test_entities_of_sentences_written_apart_from_the_finders_are_found_exactly() -> None:
    found = wanted = hits = 0
    for line in HELDOUT.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        want = Counter((MARKED_TYPES[kind], value) for value, kind in MARK.findall(line))
        got = Counter((entity.type, entity.value) for entity in extract(MARK.sub(r"\1", line)))
        found, wanted, hits = found + got.total(), wanted + want.total(), hits + (got & want).total()
    assert wanted > 150
    assert hits / found >= 0.95
    assert hits / wanted >= 0.95
