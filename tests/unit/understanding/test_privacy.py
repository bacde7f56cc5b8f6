"""No identifier passes pseudonymise, whatever stands around it."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from services.understanding.entities import Entity, extract, mask, pseudonymise
from services.understanding.placeholders import PLACEHOLDER, placeholders

HAN = st.text(alphabet="我你的是在有查违章电费水燃气户号手机身份证车牌路小区约明天上午，。 ？！办护照【】", max_size=14)
ANY = st.text(max_size=60)
GAP = st.sampled_from(["", " ", "·", "-", "\u200b"])


def counter() -> Callable[[str, str], int]:
    known: dict[tuple[str, str], int] = {}

    def number(kind: str, normalised: str) -> int:
        numbers = [value for (known_kind, _), value in known.items() if known_kind == kind]
        return known.setdefault((kind, normalised), max(numbers, default=0) + 1)

    return number


def spaced(digits: str, gap: str, every: int) -> str:
    return gap.join(digits[i : i + every] for i in range(0, len(digits), every))


@st.composite
def plates(draw: st.DrawFn) -> str:
    province = draw(st.sampled_from("京沪粤川浙苏"))
    body = draw(st.text(alphabet="ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=3, max_size=4))
    return province + draw(st.sampled_from("ABCD")) + draw(GAP) + body + draw(st.sampled_from("123456789"))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["phone", "id", "household", "file"]))
    tail = draw(st.text(alphabet="0123456789", min_size=17, max_size=17))
    digits = {
        "phone": "13" + tail[:9],
        "id": "4401061992092" + tail[:4] + draw(st.sampled_from("0123456789X")),
        "household": "8" + tail[:10],
        "file": "4403" + tail[:8],
    }[kind]
    return spaced(digits, draw(st.sampled_from(["", " ", "-"])), draw(st.sampled_from([3, 4, 6])))


def longest_digit_run(text: str) -> int:
    plain = re.sub(r"[\s\-]", "", PLACEHOLDER.sub("｜", text))
    return max((len(run) for run in re.findall(r"\d+", plain)), default=0)


@given(ANY)
@settings(max_examples=300, deadline=None)
def test_every_entity_is_the_exact_substring_at_its_offsets_and_none_overlap(text: str) -> None:
    end = 0
    for entity in extract(text):
        assert entity.value == text[entity.start : entity.end]
        assert entity.start >= end
        end = entity.end


@given(HAN, numbers(), HAN)
@settings(max_examples=400, deadline=None)
def test_no_identifying_number_survives(before: str, number: str, after: str) -> None:
    result = pseudonymise(before + number + after, counter())
    assert longest_digit_run(result.text) < 7


@given(HAN, plates(), st.text(alphabet="我的车查违章，。 有没", max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_plate_survives(before: str, plate: str, after: str) -> None:
    result = pseudonymise(before + plate + after, counter())
    assert re.sub(r"\W", "", plate)[2:] not in re.sub(r"[^\w【】]", "", PLACEHOLDER.sub("", result.text))


@given(HAN, numbers(), HAN)
@settings(max_examples=200, deadline=None)
def test_a_second_pass_finds_nothing_more_to_hide(before: str, number: str, after: str) -> None:
    once = pseudonymise(before + number + after, counter())
    assert pseudonymise(once.text, counter()).identifiers == ()


@given(HAN, st.lists(numbers(), max_size=3), HAN)
@settings(max_examples=200, deadline=None)
def test_offsets_after_pseudonymising_point_into_the_new_text(before: str, many: list[str], after: str) -> None:
    result = pseudonymise(before + "，".join(many) + after, counter())
    for entity in result.entities:
        assert result.text[entity.start : entity.end] == entity.value


def test_the_same_value_keeps_its_number_and_another_gets_the_next() -> None:
    number = counter()
    first = pseudonymise("粤B7K392和粤A12345", number)
    second = pseudonymise("还是粤 b·7k392", number)
    assert first.text == "【车牌1】和【车牌2】"
    assert second.text == "还是【车牌1】"


def test_other_entities_keep_their_words_at_their_new_offsets() -> None:
    result = pseudonymise("身份证11010519491231002X预约护照，明天上午", counter())
    assert result.text == "身份证【身份证1】预约护照，明天上午"
    assert [(entity.type, entity.value) for entity in result.entities] == [
        ("id_card", "【身份证1】"),
        ("service", "护照"),
        ("datetime", "明天上午"),
    ]


def test_a_placeholder_typed_by_the_citizen_is_neutralised() -> None:
    result = pseudonymise("查【车牌1】和粤B7K392的违章", counter())
    assert [found[1] for found in placeholders(result.text)] == ["【车牌1】"]
    assert result.text == "查〔车牌1〕和【车牌1】的违章"


def test_a_typed_shell_around_a_real_identifier_makes_no_second_placeholder() -> None:
    result = pseudonymise("【户号13800138000】", counter())
    assert len(placeholders(result.text)) == 1


def test_masks_show_only_the_ends() -> None:
    def only(text: str) -> Entity:
        return extract(text)[0]

    assert mask(only("粤B7K392")) == "粤B7**92"
    assert mask(only("440106199209230007")) == "4401**********0007"
    assert mask(only("13800136125")) == "138****6125"
    assert mask(only("户号80013327")) == "80***327"
    assert mask(only("档案编号440301826715")) == "44******6715"
