"""Expected texts are what spreadsheets show (ECMA-376 part 1, 18.8.31, and Microsoft's page on number format codes)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.tables import Cell, day_of
from knowledge_base.tables.days import moment_of
from knowledge_base.tables.number_format import EPOCH_1904, general, show
from knowledge_base.tables.sheet import number_cell


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("42", "00000", "00042"),
        ("-42", "0000", "-0042"),
        ("0.07", "0%", "7%"),
        ("0.0755", "0.0%", "7.6%"),
        ("9876543.215", "#,##0.00", "9,876,543.22"),
        ("0", "#,##0", "0"),
        ("0.5", "#.00", ".50"),
        ("2.5", "0", "3"),
        ("7.10", "0.0##", "7.1"),
        ("1234567890", "0.0,,", "1234.6"),
        ("75512345", "0000-0000", "7551-2345"),
        ("3", '"第"0"号窗口"', "第3号窗口"),
        ("-8", "0;(0);\\-", "(8)"),
        ("0", "0;(0);\\-", "-"),
        ("1280", '[$¥-804]#,##0.00;[Red]"-"#,##0.00', "¥1,280.00"),
        ("65", '[>=60]"合格";"不合格"', "合格"),
        ("59", '[>=60]"合格";"不合格"', "不合格"),
        ("6022", "0.00E+00", "6.02E+03"),
        ("12.25", "General", "12.25"),
        ("12.25", "General 元", "12.25 元"),
        ("46100", "yyyy-mm-dd", "2026-03-19"),
        ("46100", 'yyyy"年"m"月"d"日";@', "2026年3月19日"),
        ("46100.40625", "yyyy/m/d h:mm", "2026/3/19 9:45"),
        ("46100.90625", "h:mm AM/PM", "9:45 PM"),
        ("46100", "d mmm yy", "19 Mar 26"),
        ("46100", "aaaa", "星期四"),
        ("1.25", "[h]:mm", "30:00"),
        ("0.000011574", "mm:ss", "00:01"),
    ],
)
def test_a_number_is_read_as_its_reader_sees_it(value: str, code: str, shown: str) -> None:
    assert show(Decimal(value), code) == shown


def test_a_workbook_that_counts_from_1904_shows_its_own_days() -> None:
    assert show(Decimal(44638), "yyyy-mm-dd", EPOCH_1904) == "2026-03-19"


@pytest.mark.parametrize("code", ["# ??/??", "[DBNum1]0", '"open', "##0.0E+0", "0" * 300])
def test_a_format_that_is_not_known_is_said_and_the_number_kept(code: str) -> None:
    cell = number_cell("1234.5", code)
    assert (cell.text, cell.number) == ("1234.5", 1234.5)
    assert "显示格式" in (cell.remark or "")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9), st.text())
def test_no_format_makes_a_mistake_of_its_own(value: Decimal, code: str) -> None:
    assert isinstance(show(value, code), str | None)


@given(st.integers(0, 10**12), st.integers(1, 20))
def test_leading_zeros_fill_up_to_the_width_of_the_format(value: int, width: int) -> None:
    assert show(Decimal(value), "0" * width) == str(value).zfill(width)


@given(st.integers(-(10**14), 10**14))
def test_thousands_are_those_of_python(value: int) -> None:
    assert show(Decimal(value), "#,##0") == f"{value:,}"


def test_more_than_fifteen_digits_are_remarked_on() -> None:
    assert number_cell("110101199003070000", "0").remark is not None
    assert number_cell("999999999999999", "0").remark is None
    assert number_cell("0.1", "General").remark is None
    assert number_cell("0.30000000000000004", "General").text == "0.3"
    assert general(Decimal("1E+20")) == "1" + "0" * 20


@pytest.mark.parametrize("text", ["1e999999999", "nan", "inf", "x", "9" * 500])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        number_cell(text, "0")


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("20270105", date(2027, 1, 5)),
        (20270105, date(2027, 1, 5)),
        ("2027/1/5", date(2027, 1, 5)),
        ("2027.1.5", date(2027, 1, 5)),
        ("2027年1月5日", date(2027, 1, 5)),
        ("２０２７年１月５日", date(2027, 1, 5)),
        (" 2027-01-05 08:00:00 ", date(2027, 1, 5)),
        ("46392", date(2027, 1, 5)),
        (46392, date(2027, 1, 5)),
        (46392.0, date(2027, 1, 5)),
        (46392.75, date(2027, 1, 5)),
        (2_958_465, date(9999, 12, 31)),
        (Cell("3月", 46392, datetime(2027, 1, 5)), date(2027, 1, 5)),
        ("长期", None),
        ("永久", None),
        ("无", None),
        ("—", None),
        ("", None),
        (None, None),
    ],
)
def test_days_are_read_as_people_write_them(written: object, day: date | None) -> None:
    assert day_of(written) == day


@pytest.mark.parametrize(
    "written", ["2027", 2027, "202701", "2027-02-30", "20271301", "明年", True, [1], 2_027_105, "-5"]
)
def test_what_is_no_day_is_refused_and_not_guessed(written: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        day_of(written)


@given(st.dates())
def test_every_day_is_read_back_in_each_way_of_writing(day: date) -> None:
    for text in (day.isoformat(), f"{day:%Y}{day:%m}{day:%d}".zfill(8), f"{day.year:04d}年{day.month}月{day.day}日"):
        assert day_of(text) == day


def test_moments_are_read_as_people_write_them() -> None:
    for text in ("2026-03-19T09:05:00", "2026/3/19 9:05", "2026年3月19日 9时5分", "2026-3-19 9:5:0"):
        assert moment_of(text) == datetime(2026, 3, 19, 9, 5)
    assert moment_of(Cell("x", 1.0, datetime(2026, 3, 19))) == datetime(2026, 3, 19)
    assert moment_of("2026-03-19T09:05:00+00:00") is not None
    with pytest.raises(ValueError, match=r"."):
        moment_of("昨天")
