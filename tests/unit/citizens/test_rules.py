"""citizens.yaml: quiet hours, and mistakes that are one line."""

from datetime import time
from pathlib import Path

import pytest

import services
from services.citizens.city import read_file
from services.citizens.schemas import CitizensFile, Quiet
from services.core.errors import Unprocessable


def test_quiet_hours_hold_over_midnight_and_within_a_day() -> None:
    night = Quiet(start="21:00", end="08:00")
    assert [night.holds(time(hour)) for hour in (20, 21, 0, 7, 8, 12)] == [False, True, True, True, False, False]
    noon = Quiet(start="12:00", end="14:00")
    assert [noon.holds(time(hour)) for hour in (11, 12, 13, 14)] == [False, True, True, False]
    assert not Quiet(start="00:00", end="00:00").holds(time(3))


def test_the_demo_citys_file_is_sound() -> None:
    parsed, _ = read_file(Path(services.__file__).parent / "demo_city")
    assert parsed.codes.tries == 5
    assert parsed.reminders.quiet.start == "21:00"


def test_a_city_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    assert read_file(tmp_path)[0] == CitizensFile()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("codes:\n  tries: 99\n", "citizens.yaml:2: codes.tries: "),
        ("codes: {minutes: 5}\nreminders:\n  quiet: {start: '25:00'}\n", "citizens.yaml:3: reminders.quiet.start: "),
        ("codes: {}\nwhat: 1\n", "citizens.yaml:2: what: "),
        ("codes: [\n", "citizens.yaml:2: not valid YAML"),
        ("- 1\n", "citizens.yaml:1: "),
    ],
)
def test_a_mistake_is_one_line_with_file_and_line(tmp_path: Path, content: str, line: str) -> None:
    (tmp_path / "citizens.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(Unprocessable) as raised:
        read_file(tmp_path)
    assert raised.value.detail.startswith(line)
    assert "\n" not in raised.value.detail
