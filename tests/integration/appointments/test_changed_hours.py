"""Hours, places and calendar days that change over what is booked already, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from services.appointments import service as appointments
from services.appointments.booking import Refused
from services.appointments.models import Appointment, WaitingEntry
from services.core.clock import SHANGHAI, parse_moment
from tests.integration.appointments.changing import city, outcome

DAY = "2026-11-23"
AFTERNOON = [("09:00", "12:00"), ("13:00", "17:00")]


def shown(desk: Any, day: str = DAY) -> dict[str, int]:
    """The free places of a day's hours, as citizens are shown them."""
    with desk.database.unit_of_work(read_only=True) as uow:
        found = appointments.openings(uow, service="marriage", hall="civil", now=desk.clock.now())
    local = [(one.start_at.astimezone(SHANGHAI), one.free) for one in found]
    return {f"{start:%H:%M}": free for start, free in local if start.date().isoformat() == day}


def got(desk: Any, hour: str, first: int = 5000) -> int:
    """How many can book an hour until it is refused as full; their places are given back."""
    made = []
    for number in range(200):
        made.append(outcome(desk.book, first + number, f"{DAY}T{hour}"))
        if not made[-1].startswith("YY"):
            break
    assert made.pop() == "full"
    for no in made:
        desk.cancel(no)
    return len(made)


def row(desk: Any, no: str) -> Any:
    (found,) = desk.rows(Appointment, Appointment.id == int(no.removeprefix("YY")))
    return found


def said(desk: Any) -> list[str]:
    return [one.data["status"] for one in desk.news]


def test_who_booked_half_past_one_keeps_it_when_the_hall_opens_at_one(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = [desk.book(number, f"{DAY}T13:30") for number in range(2)]
    desk.apply(city(tmp_path / "b", AFTERNOON))
    assert desk.news == []
    assert {row(desk, one.no).start_at for one in held} == {parse_moment(f"{DAY}T13:30")}
    assert (shown(desk)["13:00"], got(desk, "13:00")) == (2, 2)
    assert desk.counted()


def test_places_within_a_longer_hour_are_not_given_twice(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    for number in range(2):
        desk.book(number, f"{DAY}T13:30")
    desk.apply(city(tmp_path / "b", AFTERNOON, per_hour=2))
    assert (shown(desk)["13:00"], got(desk, "13:00")) == (0, 0)


def test_an_hour_that_ends_earlier_keeps_who_is_booked_and_tells_them_until_when(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = desk.book(1, f"{DAY}T16:00")
    desk.book(2, f"{DAY}T15:00")
    desk.apply(city(tmp_path / "b", [("09:00", "12:00"), ("13:30", "16:30")]))
    assert (row(desk, held.no).status, row(desk, held.no).displaced_at) == ("booked", None)
    assert [(one.conversation_id, one.data["status"]) for one in desk.news] == [("c1", "changed")]
    assert "下午16:00-16:30" in desk.news[0].text
    assert (shown(desk)["16:00"], got(desk, "16:00")) == (1, 1)
    with desk.database.unit_of_work(read_only=True) as uow:
        (mine,) = appointments.of_conversation(uow, desk.secrets, "c1")
    assert mine.end_at == parse_moment(f"{DAY}T16:30")


def test_an_hour_that_opens_later_keeps_who_is_booked_for_what_is_left_of_it(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a", AFTERNOON))
    held = desk.book(1, f"{DAY}T13:00")
    desk.apply(city(tmp_path / "b"))
    assert (row(desk, held.no).start_at, said(desk)) == (parse_moment(f"{DAY}T13:30"), ["changed"])
    assert row(desk, held.no).remind_at == parse_moment("2026-11-22T10:00")
    assert (shown(desk)["13:30"], got(desk, "13:30")) == (1, 1)
    assert desk.counted()


def test_an_earlier_opening_and_a_longer_evening_move_nobody_and_are_free_at_once(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    before = [desk.book(number, f"{DAY}T{hour}") for number, hour in enumerate(("09:00", "11:00", "16:00"))]
    desk.apply(city(tmp_path / "b", [("08:00", "12:00"), ("13:30", "18:30")]))
    assert desk.news == []
    assert [row(desk, one.no).start_at for one in before] == [one.start_at for one in before]
    assert {hour: free for hour, free in shown(desk).items() if free != 4} == {
        "09:00": 3,
        "11:00": 3,
        "13:30": 2,
        "16:00": 3,
        "18:00": 2,
    }
    assert [got(desk, hour) for hour in ("08:00", "18:00", "16:00")] == [4, 2, 3]


def test_fewer_places_than_appointments_throw_nobody_out_and_nothing_more_is_given(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = [desk.book(number, f"{DAY}T09:00") for number in range(4)]
    desk.apply(city(tmp_path / "b", per_hour=3))
    assert desk.news == []
    assert all(row(desk, one.no).status == "booked" for one in held)
    assert (shown(desk)["09:00"], got(desk, "09:00")) == (0, 0)
    assert [one.kind for one in desk.notices()] == ["appointments_crowded"]
    desk.cancel(held[0].no)
    assert (shown(desk)["09:00"], got(desk, "09:00")) == (0, 0)
    desk.cancel(held[1].no)
    assert (shown(desk)["09:00"], got(desk, "09:00")) == (1, 1)


def test_a_supervisor_hears_when_what_is_left_of_an_hour_is_too_small_for_all(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a", AFTERNOON))
    for number in range(4):
        desk.book(number, f"{DAY}T13:00")
    desk.apply(city(tmp_path / "b"))
    assert [(one.kind, one.body) for one in desk.notices()] == [("appointments_crowded", {"hours": 1})]
    assert (shown(desk)["13:30"], got(desk, "13:30")) == (0, 0)


def test_a_half_day_closes_the_afternoon_also_for_hours_of_the_halls_own(desk: Any, tmp_path: Path) -> None:
    own = [("08:00", "12:00"), ("13:00", "18:00")]
    desk.apply(city(tmp_path / "a", own))
    morning, noon = desk.book(1, f"{DAY}T10:00"), desk.book(2, f"{DAY}T14:00")
    desk.apply(city(tmp_path / "b", own, days={DAY: [("09:00", "12:00")]}))
    assert list(shown(desk)) == ["09:00", "10:00", "11:00"]
    assert [(one.conversation_id, one.data["status"]) for one in desk.news] == [("c2", "closed")]
    assert (row(desk, morning.no).displaced_at, row(desk, noon.no).status) == (None, "booked")
    with pytest.raises(Refused) as closed:
        desk.book(3, f"{DAY}T14:00")
    assert closed.value.reason == "closed"


def test_a_hall_that_says_so_keeps_its_own_hours_on_a_half_day(desk: Any, tmp_path: Path) -> None:
    own, half = [("08:00", "12:00"), ("13:00", "18:00")], {DAY: [("09:00", "12:00")]}
    desk.apply(city(tmp_path / "a", own))
    desk.book(2, f"{DAY}T14:00")
    desk.apply(city(tmp_path / "b", own, days=half, half_days="own"))
    assert desk.news == []
    assert {"08:00", "17:00"} <= set(shown(desk))
    desk.apply(city(tmp_path / "c", own, days=half, extra_days=[DAY]))
    assert {"08:00", "17:00"} <= set(shown(desk))


def test_who_lost_a_time_hears_when_it_is_open_after_all_and_when_it_is_closed_again(desk: Any, tmp_path: Path) -> None:
    open_city, closed = city(tmp_path / "a"), city(tmp_path / "b", closed_days=[DAY])
    desk.apply(open_city)
    held = desk.book(1, f"{DAY}T09:00")
    for hour, directory in enumerate((closed, closed, open_city, closed)):
        desk.at(f"2026-11-20T1{hour}:00").apply(directory)
    assert said(desk) == ["closed", "reopened", "closed"]
    assert len({one.dedupe for one in desk.news}) == 3
    assert row(desk, held.no).status == "booked"


def test_nobody_is_reminded_of_a_time_that_is_closed_or_blamed_for_not_coming(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = desk.book(1, f"{DAY}T09:00")
    desk.want_reminders(1)
    desk.apply(city(tmp_path / "b", closed_days=[DAY]))
    desk.at("2026-11-22T12:00")
    assert desk.sweep().reminded == 0
    with desk.database.unit_of_work(read_only=True) as uow:
        assert [one.displaced for one in appointments.of_conversation(uow, desk.secrets, "c1")] == [True]
    # The rules forget the closed day before the sweep comes: what counts is what the person was told.
    desk.at(f"{DAY}T13:00").apply(city(tmp_path / "c"))
    assert desk.sweep().missed == 0
    assert row(desk, held.no).status == "cancelled"


def test_a_displaced_appointment_is_moved_like_any_other(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = desk.book(1, f"{DAY}T09:00")
    desk.apply(city(tmp_path / "b", closed_days=[DAY]))
    moved = desk.move(held.no, "2026-11-24T09:00", conversation_id="c1")
    assert (moved.displaced, moved.start_at) == (False, parse_moment("2026-11-24T09:00"))
    assert desk.counted()


def test_a_service_that_goes_to_other_windows_takes_its_appointments_along(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a"))
    held = desk.book(1, f"{DAY}T09:00")
    desk.apply(city(tmp_path / "b", code="b"))
    assert desk.news == []
    assert (row(desk, held.no).status, row(desk, held.no).displaced_at) == ("booked", None)
    assert (shown(desk)["09:00"], got(desk, "09:00")) == (3, 3)
    assert desk.counted()


def test_who_waits_gets_a_place_in_an_hour_that_was_added_since(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a", [("09:00", "10:00")], per_hour=1))
    desk.book(1, f"{DAY}T09:00")
    desk.wait(2, f"{DAY}T00:00", f"{DAY}T12:00")
    desk.apply(city(tmp_path / "b", [("08:00", "10:00")], per_hour=1))
    assert desk.sweep().filled == 1
    assert desk.sweep().filled == 0
    (filled,) = desk.rows(Appointment, Appointment.conversation_id == "c2")
    assert filled.start_at == parse_moment(f"{DAY}T08:00")


def test_who_waits_for_a_time_that_is_closed_now_hears_so_once(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a", per_hour=1))
    desk.book(1, f"{DAY}T14:00")
    desk.wait(2, f"{DAY}T14:00", f"{DAY}T15:00")
    desk.apply(city(tmp_path / "b", [("09:00", "12:00")], per_hour=1))
    desk.news.clear()
    assert (desk.sweep().expired, desk.sweep().expired) == (1, 0)
    assert [(one.conversation_id, "不再对外办理" in one.text) for one in desk.news] == [("c2", True)]
    assert desk.rows(WaitingEntry)[0].status == "expired"


def test_hours_that_are_written_twice_are_shown_once(desk: Any, tmp_path: Path) -> None:
    desk.apply(city(tmp_path / "a", [("09:00", "11:00"), ("10:00", "12:00")]))
    with desk.database.unit_of_work(read_only=True) as uow:
        found = appointments.openings(uow, service="marriage", hall="civil", now=desk.clock.now())
    starts = [one.start_at for one in found]
    assert len(starts) == len(set(starts))
    assert (shown(desk)["10:00"], got(desk, "10:00")) == (4, 4)
