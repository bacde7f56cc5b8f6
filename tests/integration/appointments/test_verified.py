"""A city that wants the phone verified before a citizen books: by the same one-time code as a binding."""

from typing import Any

import pytest

from services.appointments.booking import Refused
from services.appointments.models import Appointment
from services.citizens import service as citizens
from tests.integration.appointments.conftest import phone
from tests.integration.appointments.test_booking import refused
from tests.integration.appointments.test_talk import Talk

MONDAY = "2026-11-23T09:00"
ESTATE = {"service": "real-estate", "hall": "service-center"}


def verify(desk: Any, citizen: str, number: str) -> None:
    """The citizen gets a code to this number and types it."""
    rules = citizens.CitizensFile().codes
    common = {"citizen": citizen, "purpose": "appointment", "now": desk.clock.now()}
    desk.database.write(
        lambda uow: citizens.send_code(
            uow, desk.secrets, rules, number=number, city="示范市", draw=lambda below: 123456, **common
        )
    )
    assert desk.database.write(lambda uow: citizens.check_code(uow, desk.secrets, rules, code="123456", **common)) == (
        "right"
    )


def test_an_unverified_phone_books_nothing_and_a_verified_one_does(desk: Any) -> None:
    assert refused(desk.book, 1, MONDAY, **ESTATE).reason == "unverified"
    assert desk.rows(Appointment) == []
    verify(desk, "c1", phone(1).number)
    assert desk.book(1, MONDAY, **ESTATE).status == "booked"


def test_the_phone_of_another_citizen_or_another_number_does_not_do(desk: Any) -> None:
    verify(desk, "c2", phone(1).number)
    verify(desk, "c1", phone(3).number)
    assert refused(desk.book, 1, MONDAY, **ESTATE).reason == "unverified"


def test_staff_and_services_that_do_not_ask_need_no_code(desk: Any) -> None:
    staff = {"origin": "staff", "conversation_id": None, "actor": "li"}
    assert desk.book(1, MONDAY, **ESTATE, **staff).status == "booked"
    assert desk.book(2, MONDAY).status == "booked"


def test_the_waiting_list_asks_for_it_too(desk: Any) -> None:
    with pytest.raises(Refused) as caught:
        desk.wait(1, MONDAY, "2026-11-23T10:00", **ESTATE)
    assert caught.value.reason == "unverified"


def test_a_verification_is_trusted_for_as_long_as_the_city_says(desk: Any) -> None:
    verify(desk, "c1", phone(1).number)
    desk.at("2027-06-01T10:00")
    assert refused(desk.book, 1, "2027-06-02T09:00", **ESTATE).reason == "unverified"


def test_the_talk_asks_for_the_code_between_confirmation_and_booking(desk: Any) -> None:
    talk = Talk(desk)
    talk.say("预约周二上午十点办不动产登记，【手机号1】")
    asked = talk.say("确认预约")
    assert (asked["type"], asked["phone"], asked["then"]) == ("verify_phone", "【手机号1】", "确认预约")
    assert desk.live() == 0
    verify(desk, "c1", "13800000001")
    done = talk.say("确认预约")
    assert "预约成功" in done["text"]
    assert [option["payload"] for option in done["options"]] == ["开启预约提醒"]


def test_who_is_reminded_already_is_not_asked_again(desk: Any) -> None:
    desk.want_reminders(1)
    talk = Talk(desk)
    talk.say("预约周二上午十点办公证，【手机号1】")
    assert "options" not in talk.say("确认预约")
