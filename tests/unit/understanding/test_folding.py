"""One table of Traditional characters, and what each way of folding keeps."""

import json
import re
from pathlib import Path

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.understanding import folding, phrases
from services.understanding.case_states import CASE_STATES
from services.understanding.masks import mask
from services.understanding.words import BILL_KINDS, PLATE_KINDS, named_option

FORMAT = Path(__file__).parents[3] / "services" / "web" / "static" / "js" / "format.js"


def test_the_table_says_of_every_character_what_opencc_says() -> None:
    converter = opencc.OpenCC("t2s")
    characters = [chr(code) for code in (*range(0x2E80, 0xD800), *range(0xF900, 0xFB00), *range(0x20000, 0x32000))]
    other = {}
    for char in characters:
        simplified = converter.convert(char)
        if simplified != char and len(simplified) == 1:
            other[char] = simplified
    assert folding._simplified() == other


@given(st.text(max_size=60))
def test_folding_for_matching_moves_nothing(text: str) -> None:
    assert len(folding.fold(text)) == len(text)


def test_every_way_of_writing_a_thing_folds_to_one() -> None:
    assert folding.fold("粵ｂ·7K392") == "粤B·7K392"
    assert folding.plain("我唔想睇  ＡＢ") == folding.plain("我不想看 ab")
    assert folding.bare(" ＷＩＦＩ 密码？ ") == "wifi密码"
    assert folding.compact("gd 2026-0815·0003") == "GD202608150003"


@pytest.mark.parametrize("said", ["好的", "好的。", "嗯嗯", "OK", "可以吧", "没问题", "是的！"])
def test_a_yes_is_a_yes_wherever_it_is_asked_for(said: str) -> None:
    assert phrases.says_yes(said)
    assert not phrases.says_no(said)


@pytest.mark.parametrize("said", ["好的那水费呢", "不好", "不可以", "好多人", "是不是", "行不行"])
def test_more_than_a_yes_is_none(said: str) -> None:
    assert not phrases.says_yes(said)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("plate", "粤B7K392", "粤B7**92"),
        ("phone", "13800136125", "138****6125"),
        ("case_no", "GD2026081500031", "GD20*******0031"),
        ("household_no", "80013327", "80***327"),
        ("household_no", "12345", "****5"),
        ("id_card", "281X", "***X"),
        ("", "LIB-00017", "LIB****17"),
        ("", "", ""),
    ],
)
def test_an_identifier_is_shown_by_its_ends(kind: str, value: str, shown: str) -> None:
    assert mask(kind, value) == shown


@given(st.sampled_from(["plate", "phone", "id_card", "household_no", "case_no", "other"]), st.text(min_size=5))
def test_a_mask_keeps_the_length_and_hides_something(kind: str, value: str) -> None:
    shown = mask(kind, value.replace("*", "0"))
    assert len(shown) == len(value)
    assert "*" in shown


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("小车", "小型汽车"),
        ("绿牌的", "小型新能源汽车"),
        ("新能源小型车", "小型新能源汽车"),
        ("大型新能源", "大型新能源汽车"),
        ("两轮摩托车", "普通摩托车"),
        ("轻便摩托车", "轻便摩托车"),
        ("警车", "警用汽车"),
        ("其他", "其他号牌"),
        ("2", "大型汽车"),
        ("被警车拦下来了", None),
        ("飞机", None),
    ],
)
def test_a_kind_of_plate_has_one_vocabulary(said: str, kind: str | None) -> None:
    assert named_option(PLATE_KINDS, said, asked=True) == kind


def test_two_kinds_of_bill_are_none() -> None:
    assert named_option(BILL_KINDS, "查水电费", only=True) is None
    assert named_option(BILL_KINDS, "煤气费欠了吗", only=True) == "燃气费"


def test_the_pages_call_a_state_what_the_desk_calls_it() -> None:
    written = re.search(r"^  status: \{(.*)\},$", FORMAT.read_text("utf-8"), re.MULTILINE)
    assert written is not None
    pairs = json.loads("{" + re.sub(r"(\w+):", r'"\1":', written[1].strip()) + "}")
    assert pairs == {status: words.desk for status, words in CASE_STATES.items()}


def test_no_state_sounds_further_to_its_citizen_than_on_the_desk() -> None:
    """ "已受理" is said by both or by neither."""
    for words in CASE_STATES.values():
        assert ("已受理" in words.desk) == ("已受理" in words.citizen)
