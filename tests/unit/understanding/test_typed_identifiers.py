import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.coordinates import read_position, wgs84_to_gcj02
from services.understanding import identifiers as validators


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("粤B7K392", "粤B7K392"),
        (" 粤b·7k392 ", "粤B7K392"),
        ("粤Ｂ７Ｋ３９２", "粤B7K392"),
        ("粤B7KO9I", "粤B7K091"),
        ("粤B7KO9IX", None),
        ("粤B7O39I", "粤B70391"),
        ("京AD12345", "京AD12345"),
        ("沪A12345D", "沪A12345D"),
        ("粤Z1234港", "粤Z1234港"),
        ("粤B1234学", "粤B1234学"),
    ],
)
def test_a_plate_is_brought_to_its_canonical_form(typed: str, plate: str | None) -> None:
    assert validators.normalise_plate(typed) == plate


@pytest.mark.parametrize("typed", ["", "粤", "B7K392", "美B7K392", "粤B7K39", "粤B7K3921X", "粤BX12345X", "粤B学1234"])
def test_what_is_no_plate_is_refused(typed: str) -> None:
    assert validators.normalise_plate(typed) is None


@given(st.text(max_size=40))
def test_validators_take_any_text_and_are_idempotent(text: str) -> None:
    for normalise in validators.NORMALISERS.values():
        once = normalise(text)
        if once is not None:
            assert normalise(once) == once


def test_new_energy_plates_are_told_apart() -> None:
    assert validators.is_new_energy_plate("粤BD12345")
    assert not validators.is_new_energy_plate("粤B7K392")


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("小车", "小型汽车"),
        ("新能源", "小型新能源汽车"),
        ("摩托", "普通摩托车"),
        ("大型汽车", "大型汽车"),
        ("飞机", None),
    ],
)
def test_plate_kinds_are_understood_by_their_everyday_names(typed: str, kind: str | None) -> None:
    assert validators.normalise_plate_kind(typed) == kind


def test_an_engine_number_is_cut_to_its_last_six() -> None:
    assert validators.normalise_engine_tail("lsv 3f0712") == "3F0712"
    assert validators.normalise_engine_tail("3f0712") == "3F0712"
    assert validators.normalise_engine_tail("0712") == "0712"
    assert validators.normalise_engine_tail("3F0") is None
    assert validators.normalise_engine_tail("发动机3F0712") is None


def test_a_full_id_card_needs_its_check_character() -> None:
    assert validators.id_card_is_valid("11010519491231002X")  # the example of GB 11643-1999
    assert validators.normalise_id_card_tail("11010519491231002x") == "002X"
    assert validators.normalise_id_card_tail("110105194912310021") is None
    assert validators.normalise_id_card_tail("002x") == "002X"
    assert validators.normalise_id_card_tail("02X1") is None


def test_file_numbers_households_and_case_numbers_have_their_lengths() -> None:
    assert validators.normalise_license_file_no("4403 0012 3456") == "440300123456"
    assert validators.normalise_license_file_no("44030012345") is None
    assert validators.normalise_household_no("80013327") == "80013327"
    assert validators.normalise_household_no("800") is None
    assert validators.normalise_case_no("bj-20260815-0021") == "BJ202608150021"
    assert validators.normalise_case_no("工单") is None


def test_positions_are_read_and_brought_to_gcj02() -> None:
    assert read_position("22.5431, 114.0579") == (22.5431, 114.0579)
    assert read_position("市民中心") is None
    assert read_position("99.0,114.0") is None
    shifted = read_position("39.915,116.404;wgs84")
    assert shifted is not None
    # The offset at this well-known point of Beijing, as public converters give it.
    assert shifted == pytest.approx((39.91640428150164, 116.41024449916938), abs=1e-6)
    assert wgs84_to_gcj02(48.85, 2.35) == (48.85, 2.35)
