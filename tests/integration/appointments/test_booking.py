"""Booking, moving and cancelling on both databases."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.appointments import service as appointments
from services.appointments.booking import Refused
from services.appointments.models import Appointment
from services.core.audit import AuditRow
from services.core.clock import parse_moment
from services.core.errors import NotFound
from tests.integration.appointments.conftest import DEMO_CITY

MONDAY = "2026-11-23T09:00"
TUESDAY = "2026-11-24T14:00"


def refused(action: Any, *arguments: Any, **named: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        action(*arguments, **named)
    return caught.value


def copy_city(folder: Path, old: str, new: str) -> Path:
    """The demo city with another line in its appointments.yaml."""
    city = folder / "city"
    city.mkdir()
    for path in DEMO_CITY.glob("*.yaml"):
        shutil.copy(path, city)
    rules = city / "appointments.yaml"
    text = rules.read_text(encoding="utf-8")
    assert old in text
    rules.write_text(text.replace(old, new), encoding="utf-8")
    return city


def test_a_booking_takes_a_place_and_tells_number_code_and_what_to_bring(desk: Any) -> None:
    before = desk.free(MONDAY)
    made = desk.book(1, MONDAY)
    assert desk.free(MONDAY) == before - 1
    assert (made.status, made.service_name, made.hall_name) == ("booked", "结婚登记", "市婚姻登记处")
    assert made.start_at == parse_moment(MONDAY)
    assert made.no.startswith("YY")
    assert made.code is not None
    assert "身份证" in made.bring


def test_numbers_are_encrypted_at_rest_masked_in_replies_and_not_in_the_audit(desk: Any) -> None:
    made = desk.book(1, MONDAY, person=appointments.Person("phone", "13812345678", "王小明"))
    assert (made.person, made.name) == ("138****5678", "王小明")
    (row,) = desk.rows(Appointment)
    assert desk.secrets.decrypt(row.person_encrypted) == "13812345678"
    with desk.database.engine.connect() as connection:
        stored = json.dumps(
            [list(map(str, line)) for line in connection.execute(sa.text("SELECT * FROM appointments"))]
        )
    assert "12345678" not in stored
    assert "王小明" not in stored
    audit = [(one.action, one.subject, one.detail) for one in desk.rows(AuditRow)]
    assert [(action, subject) for action, subject, _ in audit] == [("appointment.book", f"appointment:{made.no}")]
    assert "12345678" not in str(audit)


def test_one_live_appointment_per_person_and_service(desk: Any) -> None:
    first = desk.book(1, MONDAY)
    assert refused(desk.book, 1, TUESDAY).reason == "live"
    assert desk.book(1, MONDAY, service="notary", hall="service-center").status == "booked"
    desk.cancel(first.no)
    assert desk.book(1, TUESDAY).status == "booked"
    assert desk.counted()


def test_the_same_request_again_gives_the_first_result_and_no_second_appointment(desk: Any) -> None:
    made = desk.book(1, MONDAY, key="chat:c1:7:book")
    again = desk.book(1, MONDAY, key="chat:c1:7:book")
    assert again == made
    assert desk.live() == 1
    cancelled = desk.cancel(made.no, key="chat:c1:8:cancel")
    assert desk.cancel(made.no, key="chat:c1:8:cancel") == cancelled
    assert desk.counted()


@pytest.mark.parametrize(
    ("start", "service", "reason"),
    [
        ("2026-11-21T09:00", "marriage", "closed"),  # a Saturday
        ("2026-11-23T12:00", "marriage", "closed"),  # lunch
        ("2026-11-23T09:30", "marriage", "closed"),  # no hour begins then
        ("2027-01-01T09:00", "marriage", "closed"),  # a holiday
        ("2026-11-20T10:30", "marriage", "closed"),
        ("2026-11-20T11:00", "notary", "late"),  # closes four hours before
        ("2026-12-07T09:00", "notary", "early"),  # opens fourteen days before
    ],
)
def test_what_is_not_open_cannot_be_booked(desk: Any, start: str, service: str, reason: str) -> None:
    hall = "civil" if service == "marriage" else "service-center"
    assert refused(desk.book, 1, start, service=service, hall=hall).reason == reason
    assert desk.live() == 0


def test_a_make_up_workday_is_open_and_a_hospital_opens_every_day(desk: Any) -> None:
    desk.at("2026-10-01T10:00")
    assert desk.book(1, "2026-10-10T09:00").status == "booked"  # a Saturday worked for the National Day week
    assert refused(desk.book, 2, "2026-10-06T09:00").reason == "closed"
    assert desk.book(2, "2026-10-06T08:00", service="hospital", hall="first-hospital").status == "booked"


def test_a_full_hour_refuses_and_a_part_of_an_hour_has_its_share(desk: Any) -> None:
    assert (desk.free(MONDAY), desk.free("2026-11-23T13:30")) == (12, 6)
    desk.fill_up("2026-11-23T13:30")
    assert refused(desk.book, 1, "2026-11-23T13:30").reason == "full"
    assert desk.live() == 6
    assert desk.counted()


def test_services_of_one_queue_share_its_places(desk: Any) -> None:
    for number in range(8):
        service = "entry-exit" if number % 2 else "social-security"
        desk.book(number, MONDAY, service=service, hall="east")
    assert desk.free(MONDAY, "east", "entry-exit") == 0
    assert refused(desk.book, 9, MONDAY, service="social-security", hall="east").reason == "full"


def test_moving_keeps_number_and_code_and_gives_the_old_place_back(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    moved = desk.move(made.no, TUESDAY, conversation_id="c1")
    assert (moved.no, moved.code) == (made.no, made.code)
    assert moved.start_at == parse_moment(TUESDAY)
    assert (desk.free(MONDAY), desk.free(TUESDAY)) == (12, 11)
    east = desk.move(made.no, TUESDAY, hall="east")
    assert east.hall == "east"
    assert (desk.free(TUESDAY), desk.free(TUESDAY, "east")) == (12, 2)
    assert desk.counted()


def test_moving_to_a_full_hour_leaves_everything_as_it_was(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    desk.fill_up(TUESDAY)
    assert refused(desk.move, made.no, TUESDAY).reason == "full"
    (row,) = desk.rows(Appointment, Appointment.conversation_id == "c1")
    assert (row.status, row.start_at) == ("booked", parse_moment(MONDAY))
    assert desk.counted()


def test_somebody_elses_appointment_is_not_found(desk: Any) -> None:
    made = desk.book(1, MONDAY)
    for action in (desk.cancel, lambda no, **named: desk.move(no, TUESDAY, **named)):
        with pytest.raises(NotFound):
            action(made.no, conversation_id="c2")
    with pytest.raises(NotFound):
        desk.database.write(lambda uow: appointments.check_in_text(uow, "c2", made.no))
    with pytest.raises(NotFound):
        desk.cancel("YY99999999")
    with pytest.raises(NotFound):
        desk.cancel("不是编号")
    assert desk.live() == 1


def test_cancelling_ends_when_the_hour_or_the_citys_limit_has_come(desk: Any) -> None:
    made = desk.book(1, "2026-11-21T09:00", service="hospital", hall="first-hospital")
    desk.at("2026-11-21T08:30")
    assert refused(desk.cancel, made.no, conversation_id="c1").reason == "late"
    assert desk.cancel(made.no).status == "cancelled"  # staff still may
    assert refused(desk.cancel, made.no).reason == "over"


def test_one_conversation_does_not_hoard(desk: Any) -> None:
    for number in range(5):
        desk.book(number, MONDAY, conversation_id="greedy")
    assert refused(desk.book, 6, MONDAY, conversation_id="greedy").reason == "limit"


def test_a_closed_hall_keeps_no_places_and_tells_who_had_one(desk: Any, tmp_path: Any) -> None:
    made = desk.book(1, MONDAY)
    desk.book(2, TUESDAY)
    city = copy_city(tmp_path, "    name: 市婚姻登记处", '    name: 市婚姻登记处\n    closed_days: ["2026-11-23"]')
    assert [(one.version, one.changed) for one in desk.apply(city)] == [(2, True)]
    assert [(one.conversation_id, one.data["no"]) for one in desk.news] == [("c1", made.no)]
    assert "临时不对外办理" in desk.news[0].text
    assert refused(desk.book, 3, MONDAY).reason == "closed"
    assert [row.kind for row in desk.notices()] == ["appointments_crowded"]
    # The holder moves; nobody is blamed for a hall that was closed.
    assert desk.move(made.no, TUESDAY, conversation_id="c1").start_at == parse_moment(TUESDAY)
    assert [(one.version, one.changed) for one in desk.apply(city)] == [(2, False)]


def test_without_appointments_in_the_city_nothing_can_be_booked(desk: Any, tmp_path: Any) -> None:
    city = tmp_path / "city"
    city.mkdir()
    for name in ("calendar", "departments", "policies"):
        shutil.copy(DEMO_CITY / f"{name}.yaml", city)
    desk.apply(city)
    assert refused(desk.book, 1, MONDAY).reason == "unknown"
