"""Service names: their grammar, the ways in which one is asked for, and the places that bear such names."""

from __future__ import annotations

import re

import pytest

from services.understanding.entities import extract
from services.understanding.entities.service_lexicon import load_lexicon
from services.understanding.entities.word_tree import alternatives


def services(text: str) -> list[str]:
    return [entity.value for entity in extract(text) if entity.type == "service"]


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("约不动产首次登记，周五", "不动产首次登记"),
        ("货车报废约下周二", "货车报废"),
        ("机动车驾驶证期满换领什么时候有号", "机动车驾驶证期满换领"),
        ("给外婆约高龄补贴认证", "高龄补贴认证"),
        ("约乙肝疫苗第二针，月底", "乙肝疫苗第二针"),
        ("想打流感疫苗，后天", "打流感疫苗"),
        ("預約學歷公證，下週一", "學歷公證"),
        ("户口本丢了，约个补办户口本", "补办户口本"),
        ("yuyue hu zhao, ming tian", "hu zhao"),
        ("book a passport renewal tomorrow", "passport renewal"),
        ("book work permit renewal on Friday", "work permit renewal"),
        ("yuyue护照 后天", "护照"),
        ("哪儿能打社保清单，最近的", "社保清单"),
    ],
)
def test_neighbouring_words_of_a_service_are_one_name(text: str, service: str) -> None:
    assert services(text) == [service]


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("育儿补贴发了没", "育儿补贴"),
        ("领导好，我五月提交的安家补贴申请，系统一直是受理中", "安家补贴"),
        ("我个台胞证搞掂未呀", "台胞证"),
        ("孤儿补贴三月份报起上去了，还没得消息", "孤儿补贴"),
        ("残疾等级重评的结果有了吗", "残疾等级重评"),
        ("转学申请走到哪了", "转学"),
        ("居留许可做好未", "居留许可"),
        ("食品生产许可证给打回来了吗", "食品生产许可证"),
        ("人才认定上会了吗", "人才认定"),
        ("租房补贴怎么还没打款", "租房补贴"),
        ("能办临时身份证的地方，离大学城近的", "临时身份证"),
    ],
)
def test_a_service_is_asked_for_by_following_it_or_by_looking_for_where_it_is_done(text: str, service: str) -> None:
    assert services(text) == [service]


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("约个骨髓配型检查，明天", "骨髓配型检查"),
        ("我的抗震加固补贴批了没", "抗震加固补贴"),
    ],
)
def test_a_service_that_no_list_has_is_known_by_its_last_word(text: str, service: str) -> None:
    assert services(text) == [service]


@pytest.mark.parametrize(
    "text",
    [
        "附近有公证处吗",
        "最近的献血车停哪里",
        "能打狂犬疫苗的医院，离我近的",
        "最近的羽毛球馆在哪",
        "邻居家养狗不办狗证，天天乱叫",
        "我去办社保卡，让我跑了三趟",
        "不要机器人，我问医保的事，转人工",
        "410100123456，驾驶证",
        "electric bill 上个月的",
        "代开发票 税点低 加V",
    ],
)
def test_a_facility_or_a_grievance_that_bears_the_name_of_a_service_is_none(text: str) -> None:
    assert services(text) == []


def test_the_hall_says_where_and_the_service_what() -> None:
    assert services("想去社保大厅办退休，这周四有号吗") == ["退休"]


def test_the_tree_of_alternatives_matches_what_the_list_would() -> None:
    words = ["护照", "护照换发", "户口", "户口本", "社保"]
    tree = re.compile(alternatives(words))
    for word in words:
        assert tree.findall(f"办{word}了") == [word]


def test_every_line_of_the_list_is_a_service_by_itself() -> None:
    pattern = load_lexicon().pattern
    for word in ("护照", "公租房", "羽毛球场", "近视筛查", "行政复议", "宅基地"):
        assert pattern.fullmatch(word)
