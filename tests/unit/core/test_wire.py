"""What may cross a boundary, at the ends."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.core import wire
from services.core.clock import parse_day, parse_moment


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (r'{"a": ["\u0000"]}', wire.NUL),
        (r'{"\u0000": 1}', wire.NUL),
        (r'["\ud800"]', wire.LONE),
        (r'{"x": {"\udfff": 1}}', wire.LONE),
        ("[NaN]", wire.NO_NUMBER),
        ("-Infinity", wire.NO_NUMBER),
        ("1e400", wire.NO_NUMBER),
        ("9223372036854775808", wire.TOO_LARGE),
        ("-9223372036854775809", wire.TOO_LARGE),
        ("9" * 5_000, wire.TOO_LARGE),
        ("[" * 33 + "]" * 33, wire.TOO_DEEP),
        ("[" * 100_000, wire.TOO_DEEP),
    ],
)
def test_a_document_that_no_database_could_keep_is_refused_with_its_reason(document: str, reason: str) -> None:
    assert wire.unstorable_json(document.encode()) == reason
    with pytest.raises(wire.Unstorable, match=r"^" + reason[:4]):
        wire.read_json(document)


@pytest.mark.parametrize(
    "value", ["𝕏😀\u202e", {"空": [None, True, 1.5, -(2**63) + 1, 2**63 - 1]}, 1e308, "\\ud800", [[]] * 1_000]
)
def test_what_can_be_kept_is_read_as_it_is(value: Any) -> None:
    assert wire.read_json(json.dumps(value)) == value


def test_what_is_no_json_is_left_to_whom_it_was_sent() -> None:
    for body in (b"", b"{", b"\xff\xfe", b"no"):
        assert wire.unstorable_json(body) is None


@pytest.mark.parametrize("text", ["", "²", "٣٣x", "-1", "+1", "1_000", " 1", "1.0", "9" * 20, "2147483648", "½", "一"])
def test_a_text_that_is_no_bounded_number_is_none(text: str) -> None:
    assert wire.whole(text) is None


def test_a_number_is_read_in_any_decimal_digits_up_to_its_bound() -> None:
    assert [wire.whole(text) for text in ("0", "007", "１２", "2147483647")] == [0, 7, 12, 2**31 - 1]
    assert wire.whole(str(2**63 - 1), wire.LARGEST) == 2**63 - 1
    assert wire.whole(str(2**63), wire.LARGEST) is None


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31",
        "9999-12-31T23:59:59Z",
        "0001-01-01",
        "0001-01-01T00:00:00+14:00",
        "1899-12-31T23:59",
        "2200-01-01",
        "2026-09-30T10:00+14:01",
        "2026-09-30T10:00-12:01",
        "2026-09-30T10:00+23:59",
        "2026-09-30T10:00+08:00:30",
        "2026-09-30T10:00²",
        "²026-09-30",
        "\ud800",
        "2026-09-31",
        "",
    ],
)
def test_a_moment_out_of_reach_is_refused_wherever_moments_are_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_moment(text)
    with pytest.raises(ValidationError):
        TypeAdapter(wire.Moment).validate_python(text)


def test_moments_of_every_zone_on_earth_are_read_as_utc() -> None:
    assert parse_moment("2026-09-30T10:00+14:00") == datetime(2026, 9, 29, 20, tzinfo=UTC)
    assert parse_moment("2026-09-30T10:00-12:00") == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert parse_moment("2026-09-30T10:00+05:45") == datetime(2026, 9, 30, 4, 15, tzinfo=UTC)
    assert parse_moment("1900-01-01").tzinfo == UTC
    assert parse_moment("2199-12-31T23:59").year == 2199


def test_a_moment_on_the_wire_has_its_zone_and_is_no_number() -> None:
    read = TypeAdapter(wire.Moment).validate_python
    assert read("2026-09-30T10:00:00+08:00") == datetime(2026, 9, 30, 2, tzinfo=UTC)
    for value in ("2026-09-30T10:00:00", "20260930", 20260930, 1e20, True, None, [], {}):
        with pytest.raises(ValidationError):
            read(value)


def test_a_day_on_the_wire_is_one_of_three_hundred_years() -> None:
    read = TypeAdapter(wire.Day).validate_python
    assert read("2026-09-30") == parse_day("2026-09-30") == date(2026, 9, 30)
    for value in ("9999-12-31", "0001-01-01", "1899-12-31", "2200-01-01", "1700000000", 1_700_000_000, "", None):
        with pytest.raises(ValidationError):
            read(value)
