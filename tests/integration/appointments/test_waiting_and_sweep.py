"""The waiting list, reminders, no-shows and the staff's desk."""

from pathlib import Path
from typing import Any

import pytest

from services.appointments import service as appointments
from services.appointments.booking import Refused
from services.appointments.models import WaitingEntry
from services.appointments.schemas import Person
from services.citizens import service as citizens
from services.core.clock import parse_moment
from services.core.errors import Forbidden, NotFound
from tests.integration.appointments.conftest import CLERK
from tests.integration.appointments.test_booking import copy_city

MONDAY = "2026-11-23T09:00"
MORNING = ("2026-11-23T00:00", "2026-11-23T12:00")
TUESDAY = "2026-11-24T14:00"


def test_freed_places_go_to_the_waiting_list_in_order_and_each_is_told(desk: Any) -> None:
    held = desk.fill_up(MONDAY)
    first = desk.wait(1, MONDAY, "2026-11-23T10:00")
    second = desk.wait(2, MONDAY, "2026-11-23T10:00")
    assert (first.status, first.ahead, second.ahead) == ("waiting", 0, 1)
    desk.cancel(held[0].no)
    assert [one.conversation_id for one in desk.news] == ["c1"]
    assert "已经为您约好" in desk.news[0].text
    desk.move(held[1].no, TUESDAY)
    assert [one.conversation_id for one in desk.news] == ["c1", "c2"]
    assert desk.free(MONDAY) == 0
    assert desk.waiting() == []
    assert desk.counted()


def test_somebody_who_wants_another_hour_is_passed_over(desk: Any) -> None:
    held = desk.fill_up(MONDAY)
    desk.fill_up("2026-11-23T10:00", first=2000)
    desk.wait(1, "2026-11-23T10:00", "2026-11-23T11:00")
    desk.wait(2, MORNING[0], "2026-11-23T10:00")
    desk.cancel(held[0].no)
    assert [one.conversation_id for one in desk.news] == ["c2"]
    assert [entry.conversation_id for entry in desk.waiting()] == ["c1"]


def test_who_joins_while_a_place_is_free_gets_it_at_once(desk: Any) -> None:
    joined = desk.wait(1, *MORNING, key="once")
    assert joined.status == "filled"
    assert joined.appointment is not None
    assert joined.appointment.start_at == parse_moment(MONDAY)
    assert desk.wait(1, *MORNING, key="once") == joined
    assert desk.live() == 1


def test_nobody_waits_twice_or_beside_an_appointment_and_booking_ends_the_waiting(desk: Any) -> None:
    desk.fill_up(MONDAY)
    desk.wait(1, MONDAY, "2026-11-23T10:00")
    with pytest.raises(Refused):
        desk.wait(1, MONDAY, "2026-11-23T10:00")
    desk.book(1, TUESDAY)
    assert desk.waiting() == []
    with pytest.raises(Refused):
        desk.wait(1, MONDAY, "2026-11-23T10:00")


def test_leaving_the_line_and_too_late_a_wish(desk: Any) -> None:
    desk.fill_up(MONDAY)
    desk.wait(1, MONDAY, "2026-11-23T10:00")
    left = desk.database.write(lambda uow: appointments.leave_waiting(uow, conversation_id="c1", now=desk.clock.now()))
    assert (left, desk.waiting()) == (1, [])
    with pytest.raises(Refused) as late:
        desk.wait(1, "2026-11-20T11:00", "2026-11-20T12:00")
    assert late.value.reason == "late"


def test_shortly_before_the_hour_a_place_is_not_given_to_somebody_who_may_not_see_it(desk: Any) -> None:
    held = desk.fill_up(MONDAY)
    desk.wait(1, MONDAY, "2026-11-23T10:00")
    desk.at("2026-11-23T07:00")
    desk.cancel(held[0].no)
    assert desk.news == []
    assert desk.sweep().expired == 1
    assert desk.sweep().expired == 0
    assert [one.conversation_id for one in desk.news if "排队已结束" in one.text] == ["c1"]
    assert desk.rows(WaitingEntry)[0].status == "expired"


def test_the_sweep_fills_places_that_a_wider_rule_made_free(desk: Any, tmp_path: Any) -> None:
    desk.fill_up(MONDAY)
    desk.wait(1, MONDAY, "2026-11-23T10:00")
    city = copy_city(tmp_path, "count: 3, per_hour: 4", "count: 4, per_hour: 4")
    desk.apply(city)
    assert desk.sweep().filled == 1
    assert desk.sweep().filled == 0
    assert [one.conversation_id for one in desk.news] == ["c1"]
    assert desk.counted()


def test_a_reminder_comes_once_the_day_before_and_not_for_a_cancelled_one(desk: Any) -> None:
    desk.book(1, TUESDAY)
    gone = desk.book(2, TUESDAY)
    desk.cancel(gone.no)
    desk.want_reminders(1, 2)
    desk.at("2026-11-23T09:59")
    assert desk.sweep().reminded == 0
    desk.at("2026-11-23T10:00")
    assert desk.sweep().reminded == 1
    assert desk.sweep().reminded == 0
    (news,) = desk.news
    assert (news.conversation_id, "明天" in news.text, "请带" in news.text) == ("c1", True, True)


def test_a_reminder_that_comes_late_waits_for_the_morning_and_says_today(desk: Any) -> None:
    desk.book(1, TUESDAY)
    desk.want_reminders(1)
    desk.at("2026-11-24T03:00")
    assert desk.sweep().reminded == 0
    desk.at("2026-11-24T08:00")
    assert desk.sweep().reminded == 1
    assert "今天" in desk.news[0].text


def test_who_did_not_ask_for_reminders_or_stopped_them_gets_none(desk: Any) -> None:
    desk.book(1, TUESDAY)
    desk.book(2, TUESDAY)
    desk.want_reminders(2)
    desk.database.write(
        lambda uow: citizens.choose(uow, "c2", citizens.REMINDER_KINDS, wanted=False, now=desk.clock.now())
    )
    desk.at("2026-11-23T10:00")
    assert desk.sweep().reminded == 0
    assert desk.news == []


def test_the_quiet_hours_are_those_of_the_city(desk: Any, tmp_path: Path) -> None:
    desk.book(1, TUESDAY)
    desk.want_reminders(1)
    (tmp_path / "citizens.yaml").write_text('reminders: {quiet: {start: "09:00", end: "12:00"}}', encoding="utf-8")
    desk.database.write(lambda uow: citizens.apply_city(uow, tmp_path, desk.clock.now()))
    desk.at("2026-11-23T10:30")
    assert desk.sweep().reminded == 0
    desk.at("2026-11-23T12:00")
    assert desk.sweep().reminded == 1


def test_a_moved_appointment_is_reminded_of_on_its_new_eve(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    desk.move(made.no, "2026-11-25T09:00")
    desk.want_reminders(1)
    desk.at("2026-11-22T12:00")
    assert desk.sweep().reminded == 0
    desk.at("2026-11-24T12:00")
    assert desk.sweep().reminded == 1


def test_check_in_by_the_picture_of_the_code_on_the_day_and_twice_is_once(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    shown = desk.database.write(lambda uow: appointments.check_in_text(uow, "c1", made.no))
    with pytest.raises(Refused):
        desk.staff(appointments.check_in_by_code, code=shown)
    desk.at("2026-11-23T08:55")
    assert desk.staff(appointments.check_in_by_code, code=shown).status == "checked_in"
    assert desk.staff(appointments.check_in_by_code, code=made.code.lower()).status == "checked_in"
    assert desk.staff(appointments.check_in, no=made.no).code is None
    with pytest.raises(NotFound):
        desk.staff(appointments.check_in_by_code, code="WRONG234")
    with pytest.raises(Refused):
        desk.staff(appointments.no_show, no=made.no)
    desk.at("2026-11-23T18:00")
    assert desk.sweep().missed == 0


def test_the_day_list_is_in_order_masked_and_of_the_own_department(desk: Any) -> None:
    desk.book(2, "2026-11-23T10:00")
    desk.book(1, MONDAY, person=Person("phone", "13800000001", "王小明"))
    day = parse_moment(MONDAY).date()
    listed = _day(desk, day, CLERK)
    assert [(one.person, one.name) for one in listed.appointments] == [
        ("138****0001", "王小明"),
        ("138****0002", None),
    ]
    assert all(one.code is None for one in listed.appointments)
    assert (listed.booked, listed.checked_in, listed.hall_name) == (2, 0, "市婚姻登记处")
    stranger = type(CLERK)("officer", "clerk", "市公安局交通警察支队")
    assert _day(desk, day, stranger).appointments == []
    desk.at("2026-11-23T09:00")
    with pytest.raises(Forbidden):
        desk.staff(appointments.check_in, no=listed.appointments[0].no, user=stranger)


def _day(desk: Any, day: Any, user: Any) -> Any:
    with desk.database.unit_of_work(read_only=True) as uow:
        return appointments.day_list(uow, desk.secrets, hall="civil", day=day, user=user)


def test_missed_appointments_are_marked_after_the_hour_and_the_third_blocks_for_the_citys_days(desk: Any) -> None:
    for day in ("2026-11-23", "2026-11-24", "2026-11-25"):
        desk.at(f"{day}T08:00" if day != "2026-11-23" else "2026-11-20T10:00")
        desk.book(1, f"{day}T10:00")
        desk.at(f"{day}T11:59")
        assert desk.sweep().missed == 0
        desk.at(f"{day}T12:01")
        assert desk.sweep().missed == 1
        assert desk.sweep().missed == 0
    assert ["之前暂不能再预约" in one.text for one in desk.news] == [False, False, True]
    with pytest.raises(Refused) as blocked:
        desk.book(1, "2026-11-26T10:00")
    assert blocked.value.reason == "blocked"
    with pytest.raises(Refused):
        desk.wait(1, "2026-11-26T10:00", "2026-11-26T12:00")
    # Staff may book for them; the block ends by itself.
    assert desk.book(1, "2026-11-26T10:00", origin="staff", conversation_id=None).status == "booked"
    desk.at("2026-12-26T10:00")
    assert desk.book(1, "2026-12-28T10:00", service="notary", hall="service-center").status == "booked"


def test_a_late_comer_is_checked_in_after_all_and_the_miss_is_taken_back(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    desk.at("2026-11-23T09:30")
    assert desk.staff(appointments.no_show, no=made.no).status == "no_show"
    assert desk.staff(appointments.no_show, no=made.no).status == "no_show"
    assert len(desk.news) == 1
    assert desk.staff(appointments.check_in, no=made.no).status == "checked_in"


def test_a_place_from_the_waiting_list_never_counts_as_missed(desk: Any) -> None:
    for day in ("2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26"):
        desk.at("2026-11-20T10:00" if day == "2026-11-23" else f"{day}T01:00")
        desk.wait(1, f"{day}T10:00", f"{day}T11:00")
        desk.at(f"{day}T12:30")
        assert desk.sweep().missed == 1
    desk.at("2026-11-27T08:00")
    assert desk.book(1, "2026-11-27T10:00").status == "booked"
