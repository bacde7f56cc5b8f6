"""Identifiers: every kind a citizen may type, however it is written, is found and normalised."""

from __future__ import annotations

import pytest

from services.understanding.entities import extract, mask


def found(text: str, kind: str, **options: str) -> list[str]:
    return [entity.normalised for entity in extract(text, **options) if entity.type == kind]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("粤B7K392有没有违章", "粤B7K392"),
        ("查一下粤 b·7k392", "粤B7K392"),
        ("粤 B 7K 392 违停", "粤B7K392"),
        ("粤b．7k392", "粤B7K392"),
        ("新能源粤BD12345", "粤BD12345"),
        ("粤b f12345 扣分没", "粤BF12345"),
        ("大型新能源 粤B12345D", "粤B12345D"),
        ("我架車粵Z F2L3港", "粤ZF2L3港"),
        ("粤Z·1234澳", "粤Z1234澳"),
        ("教练车京A·1234学", "京A1234学"),
        ("沪A 1234警", "沪A1234警"),
        ("沪·A0023领", "沪A0023领"),
        ("拖车粤B·A123挂", "粤BA123挂"),
        ("使014578 停在路口", "使014578"),
        ("014·578使 的车", "014578使"),
        ("WJ粤1234X", "WJ粤1234X"),
    ],
)
def test_a_plate_of_any_kind_is_found_in_its_usual_spellings(text: str, plate: str) -> None:
    assert found(text, "plate") == [plate]


def test_a_mistyped_plate_is_found_but_marked_invalid() -> None:
    (entity,) = [entity for entity in extract("粤B7K3921违章") if entity.type == "plate"]
    assert entity.valid is False


@pytest.mark.parametrize("text", ["新B区怎么走", "京东APP打不开", "我在川菜馆", "一共12个"])
def test_words_that_only_begin_like_a_plate_are_left_alone(text: str) -> None:
    assert found(text, "plate") == []


@pytest.mark.parametrize(
    ("text", "number", "valid"),
    [
        ("身份证11010519491231002X", "11010519491231002X", True),
        ("身份证11010519491231002x查一下", "11010519491231002X", True),
        ("证件号 110105 19491231 002x", "11010519491231002X", True),
        ("１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X", True),
        ("11010519491231002X", "11010519491231002X", True),
        ("身份证110105194912310021", "110105194912310021", False),
        ("老身份证440524800101001", "440524800101001", True),
    ],
)
def test_a_resident_id_is_found_and_its_checksum_reported(text: str, number: str, valid: bool) -> None:
    (entity,) = [entity for entity in extract(text) if entity.type == "id_card"]
    assert (entity.normalised, entity.valid) == (number, valid)


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("手机13800138000", "13800138000"),
        ("138 0013 8000 联系我", "13800138000"),
        ("+86-138-0013-8000", "13800138000"),
        ("一三八零零一三八零零零", "13800138000"),
        ("电话0755-26881234", "075526881234"),
        ("座机 010 62345678", "01062345678"),
    ],
)
def test_mobiles_and_landlines_are_found_in_their_usual_spellings(text: str, phone: str) -> None:
    assert found(text, "phone") == [phone]


@pytest.mark.parametrize("text", ["打12345没人接", "110和119有什么区别", "客服热线4008001234打不通"])
def test_public_hotlines_are_nobody_s_phone(text: str) -> None:
    assert [entity for entity in extract(text) if entity.is_identifier] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("户号80013327，查电费", "80013327"),
        ("户号在这儿 20077163", "20077163"),
        ("户号 0512 8890 37 上个月多少", "0512889037"),
        ("燃气 80013327", "80013327"),
        ("91000264533 电", "91000264533"),
        ("用户编号是4401234567", "4401234567"),
        ("户号13800138000欠费吗", "13800138000"),
    ],
)
def test_a_household_number_is_known_by_its_label_or_a_bill_word(text: str, number: str) -> None:
    assert found(text, "household_no") == [number]


def test_a_licence_file_number_is_known_by_its_label_or_by_talk_of_the_licence() -> None:
    assert found("档案编号440301826715", "license_file_no") == ["440301826715"]
    assert found("驾照还有几分 440301826715", "license_file_no") == ["440301826715"]


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("粤B7K392 发动机号后四位3F07", "3F07"),
        ("粤B7K392，后六位A00761", "A00761"),
        ("粤B7K392 007612", "007612"),
        ("发动机尾号 20c6", "20C6"),
    ],
)
def test_the_tail_of_the_engine_number_is_known_by_its_context(text: str, tail: str) -> None:
    assert found(text, "engine_tail") == [tail]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("GD2026021800931处理到哪了", "GD2026021800931"),
        ("工单 GD20260314-00257", "GD20260314-00257"),
        ("受理编号20260314-00257", "20260314-00257"),
        ("XF2026042117有答复吗", "XF2026042117"),
        ("办件编号 A20260218 好了吗", "A20260218"),
    ],
)
def test_case_numbers_are_found_by_shape_or_label(text: str, number: str) -> None:
    assert found(text, "case_no") == [number]


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("3F07", "engine_tail", "engine_tail"),
        ("是007612", "engine_tail", "engine_tail"),
        ("BGBDCH", "engine_tail", "engine_tail"),
        ("80013327", "household_no", "household_no"),
        ("13800138000", "household_no", "household_no"),
        ("440301826715", "license_file_no", "license_file_no"),
        ("2026021800931", "case_no", "case_no"),
        ("13800138000", "phone", "phone"),
        ("b7k392", "plate", "plate"),
        ("6125", "phone_tail", "phone_tail"),
        ("后四位是6125", "phone_tail", "phone_tail"),
        ("手机号13800006125", "phone_tail", "phone_tail"),
    ],
)
def test_a_bare_answer_is_taken_as_what_the_form_asked_for(text: str, expected: str, kind: str) -> None:
    assert [entity.type for entity in extract(text, expected=expected)] == [kind]


def test_of_a_phone_only_the_end_is_kept_and_none_of_it_is_shown() -> None:
    (entity,) = extract("13800006125", expected="phone_tail")
    assert (entity.normalised, mask(entity)) == ("6125", "***5")


def test_the_end_of_a_phone_beside_a_case_number_is_hidden_and_is_no_engine_number() -> None:
    for text in ("查BJ202608150021的进度，手机后四位6125", "BJ202608150021 后四位6125"):
        assert [(entity.type, entity.normalised) for entity in extract(text)] == [
            ("case_no", "BJ202608150021"),
            ("phone_tail", "6125"),
        ]


def test_an_answer_that_names_another_type_keeps_that_type() -> None:
    entities = extract("户号忘了，手机13800138000", expected="household_no")
    assert [entity.type for entity in entities] == ["phone"]


def test_a_menu_digit_inside_a_form_is_no_entity() -> None:
    assert extract("2", expected="plate_kind") == []


def test_a_long_number_that_nothing_explains_is_hidden_all_the_same() -> None:
    for number in ("4417", "123456"):
        assert not any(entity.is_identifier for entity in extract(number))
    for number in ("60219387", "6021938745", "602193874512", "6217000010001234567"):
        assert any(entity.is_identifier for entity in extract(f"我的是{number}谢谢"))


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("粤B 1234 5D查违章", "粤B12345D"),
        ("苏e d 1 2 3 4 5", "苏ED12345"),
        ("WJ12·34567占了车位", "WJ1234567"),
        ("赣E挂1234", "赣E挂1234"),
        ("京X0568应急", "京X0568应急"),
        ("沪Ａ·Ｆ１２３４５", "沪AF12345"),
    ],
)
def test_a_plate_with_gaps_or_of_an_older_series_is_found_whole(text: str, plate: str) -> None:
    assert found(text, "plate") == [plate]


@pytest.mark.parametrize(
    "number",
    [
        "豫信访2026第0456号",
        "苏府复〔2025〕77号",
        "(2026)粤0106民初1234号",
        "皖03受2025-00123",
        "12345-20260701-0042",
        "ZX2026/0315/08",
        "SQ2026-10-0042",
    ],
)
def test_a_case_number_as_an_office_writes_it_is_found_whole(number: str) -> None:
    assert [entity.value for entity in extract(f"查{number}办得怎样") if entity.type == "case_no"] == [number]


@pytest.mark.parametrize("text", ["人社2099-1234567查电费", "公安20123456789号的电费", "帮个人2088-7612345"])
def test_words_of_an_office_before_a_long_number_do_not_unhide_it(text: str) -> None:
    assert any(entity.is_identifier for entity in extract(text))
    assert found(text, "case_no") == []


def test_a_number_called_编号_is_what_the_talk_is_about() -> None:
    assert found("编号7711223344的水费欠没欠", "household_no") == ["7711223344"]
    assert found("驾照上的编号610103440001，扣了几分", "license_file_no") == ["610103440001"]
    assert found("流水号2026080500031122，护照批了没", "case_no") == ["2026080500031122"]


def test_a_counted_word_behind_a_number_is_not_its_last_digit() -> None:
    assert found("60031121和60031122两户的水费", "household_no") == ["60031121", "60031122"]
