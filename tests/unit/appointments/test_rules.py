"""Opening hours, the no-show rule and the city's file, without a database."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import services
from services.appointments.blocks import blocked_until
from services.appointments.city import read_file
from services.appointments.openings import hours_of_day, reminder_for
from services.appointments.qr import svg
from services.appointments.schemas import AppointmentsFile, NoShowRule
from services.core.clock import SHANGHAI, parse_moment
from services.core.errors import Unprocessable
from services.sla.calendar import DayOverride, Span, WorkingCalendar

DEMO = Path(services.__file__).parent / "demo_city"
CALENDAR = WorkingCalendar(
    hours=(Span(540, 720), Span(810, 1020)),
    overrides={date(2026, 11, 25): DayOverride(True, (Span(600, 720),))},
)
DEPARTMENTS = ("市民政局",)
GOOD = """
services:
  - code: marriage
    name: 结婚登记
    department: 市民政局
halls:
  - code: civil
    name: 婚姻登记处
    windows:
      - {code: a, name: 1号窗口, per_hour: 4, services: [marriage]}
"""


def hours(day: str, **changes: Any) -> list[tuple[str, str, int]]:
    windows = {"code": "a", "name": "A", "count": 2, "per_hour": 3, "services": ["x"], **changes}
    hall = {"code": "h", "name": "H", "windows": [windows]}
    hall |= {key: windows.pop(key) for key in ("closed_days", "extra_days") if key in windows}
    parsed = AppointmentsFile.model_validate({"services": [{"code": "x", "name": "X"}], "halls": [hall]})
    place = parsed.halls[0]
    found = hours_of_day(place, place.windows[0], CALENDAR, date.fromisoformat(day))
    return [
        (f"{one.start_at.astimezone(SHANGHAI):%H:%M}", f"{one.end_at.astimezone(SHANGHAI):%H:%M}", one.capacity)
        for one in found
    ]


def test_a_working_day_has_full_hours_of_the_clock_and_a_shorter_one_after_lunch() -> None:
    assert hours("2026-11-24") == [
        ("09:00", "10:00", 6),
        ("10:00", "11:00", 6),
        ("11:00", "12:00", 6),
        ("13:30", "14:00", 3),
        ("14:00", "15:00", 6),
        ("15:00", "16:00", 6),
        ("16:00", "17:00", 6),
    ]


def test_days_follow_the_calendar_unless_the_hall_says_otherwise() -> None:
    assert hours("2026-11-21") == []  # a Saturday
    assert len(hours("2026-10-10")) == 7  # a make-up workday
    assert hours("2026-10-01") == []  # a holiday
    assert [one[0] for one in hours("2026-11-25")] == ["10:00", "11:00"]  # the city's own hours of that day
    assert len(hours("2026-11-21", days="every_day")) == 7
    assert len(hours("2026-11-21", extra_days=["2026-11-21"])) == 7
    assert hours("2026-11-24", closed_days=["2026-11-24"]) == []
    own = hours("2026-11-24", hours=[{"start": "08:15", "end": "09:30"}])
    assert own == [("08:15", "09:00", 4), ("09:00", "09:30", 3)]


def test_a_piece_too_short_for_one_person_is_not_offered() -> None:
    assert [one[0] for one in hours("2026-11-24", count=1, per_hour=1)] == [
        "09:00",
        "10:00",
        "11:00",
        "14:00",
        "15:00",
        "16:00",
    ]


def test_the_reminder_is_on_the_eve_and_none_for_what_was_booked_after_it() -> None:
    start = parse_moment("2026-11-24T14:00")
    assert reminder_for(start, 600, parse_moment("2026-11-20T10:00")) == parse_moment("2026-11-23T10:00")
    assert reminder_for(start, 600, parse_moment("2026-11-23T10:00")) is None


def test_the_third_miss_within_the_days_blocks_and_the_count_begins_anew() -> None:
    rule = NoShowRule(count=3, within_days=30, block_days=10)
    first = parse_moment("2026-01-01T09:00")

    def missed(*days: int) -> Any:
        return blocked_until(rule, [first + timedelta(days=day) for day in days])

    assert missed(0, 1) is None
    assert missed(0, 1, 2) == first + timedelta(days=12)
    assert missed(0, 20, 40) is None
    assert missed(0, 20, 29) == first + timedelta(days=39)
    assert missed(2, 0, 1) == missed(0, 1, 2)
    assert missed(0, 1, 2, 20, 21) == first + timedelta(days=12)
    assert missed(0, 1, 2, 20, 21, 22) == first + timedelta(days=32)


def test_the_demo_citys_file_is_sound_and_has_the_seven_services() -> None:
    import yaml

    names = [one["name"] for one in yaml.safe_load((DEMO / "departments.yaml").read_text("utf-8"))["departments"]]
    parsed, _ = read_file(DEMO, names)
    codes = [service.code for service in parsed.services]
    assert sorted(codes) == [
        "entry-exit",
        "hospital",
        "marriage",
        "notary",
        "real-estate",
        "social-security",
        "vehicle",
    ]


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("per_hour: 4", "per_hour: 0", "appointments.yaml:10: halls[0].windows[0].per_hour: "),
        ("per_hour: 4, ", "", "appointments.yaml:10: halls[0].windows[0].per_hour: Field required"),
        ("name: 结婚登记", "name: 结婚登记\n    colour: red", "appointments.yaml:5: services[0].colour: Extra inputs"),
        ("[marriage]", "[notary]", "appointments.yaml:3: services[0].code: no windows of any hall are for it"),
        ("[marriage]", "[marriage, notary]", "appointments.yaml:10: halls[0].windows[0].services: notary is not"),
        ("[marriage]", "[marriage, marriage]", "appointments.yaml:10: halls[0].windows[0].services: service of"),
        ("市民政局", "市税务局", "appointments.yaml:5: services[0].department: not in departments.yaml"),
        ("code: civil", "code: civil\n    code: other", "appointments.yaml:8: code stands twice"),
        ("halls:", "rules: {remind_at: 10:00}\nhalls:", "appointments.yaml:6: rules.remind_at: write the time of day"),
        ("halls:", "halls: [", "appointments.yaml:"),
        (GOOD, "- 1", "appointments.yaml:1: rules, services and halls are needed"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_number(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    assert old in GOOD
    (tmp_path / "appointments.yaml").write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(Unprocessable) as caught:
        read_file(tmp_path, DEPARTMENTS)
    assert caught.value.detail.startswith(mistake), caught.value.detail
    assert "\n" not in caught.value.detail


def test_a_city_without_the_file_has_no_appointments(tmp_path: Path) -> None:
    assert read_file(tmp_path, DEPARTMENTS)[0].services == ()


def test_the_picture_is_an_svg_of_the_text() -> None:
    picture = svg("YY00000012-7K3M9Q2F")
    assert picture.startswith(b"<?xml")
    assert b"<svg" in picture
    assert picture != svg("YY00000013-7K3M9Q2F")
