"""Reading a report's period."""

import pytest

from services.cases.service import period
from services.core.clock import parse_moment
from services.core.errors import BadRequest


def test_dates_are_those_of_shanghai_and_the_end_date_is_included() -> None:
    assert period("2026-11-01", "2026-11-30") == (
        parse_moment("2026-10-31T16:00:00+00:00"),
        parse_moment("2026-11-30T16:00:00+00:00"),
    )


def test_a_moment_as_the_end_is_taken_as_it_is() -> None:
    assert period(None, "2026-11-30T12:00") == (None, parse_moment("2026-11-30T04:00:00+00:00"))
    assert period(None, None) == (None, None)
    assert period("2026-11-30", "2026-11-30")[0] is not None


@pytest.mark.parametrize(("start", "end"), [("soon", None), (None, "2026-13-01"), ("2026-11-02", "2026-11-01")])
def test_an_unreadable_or_empty_period_is_a_bad_request(start: str | None, end: str | None) -> None:
    with pytest.raises(BadRequest):
        period(start, end)
