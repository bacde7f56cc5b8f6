"""Appointments over HTTP, with real accounts."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.accounts import service as accounts
from services.appointments import endpoints
from services.core.web import install_error_handlers
from tests.support import ADDRESS, employ

STAFF = {
    "li": ("clerk", None),
    "officer": ("clerk", "市公安局交通警察支队"),
    "chief": ("manager", None),
    "writer": ("editor", None),
}
MONDAY = "2026-11-23T09:00:00+08:00"


class Office:
    def __init__(self, desk: Any) -> None:
        self.desk = desk
        app = FastAPI()
        install_error_handlers(app)
        app.include_router(endpoints.router)
        app.state.container = SimpleNamespace(database=desk.database, clock=desk.clock, secrets=desk.secrets)
        self.client = TestClient(app)
        self.tokens: dict[str, str] = {}

    def log_in(self) -> None:
        """Everybody anew: a session ends after a day."""
        for name in STAFF:
            with self.desk.database.unit_of_work() as uow:
                self.tokens[name] = accounts.open_session(uow, name, ADDRESS, self.desk.clock.now())
                uow.commit()

    def call(self, name: str | None, method: str, path: str = "", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        return self.client.request(method, f"/api/v1/appointments{path}", headers=headers, **options)

    def book(self, name: str = "li", **changes: Any) -> Any:
        body = {
            "service": "marriage",
            "hall": "civil",
            "start_at": MONDAY,
            "phone": "13800000001",
            "request_id": "request-1",
        }
        return self.call(name, "POST", json=body | changes)


@pytest.fixture
def office(desk: Any) -> Office:
    made = Office(desk)
    for name, (role, department) in STAFF.items():
        with desk.database.unit_of_work() as uow:
            employ(uow, name, role, desk.clock.now(), department=department)
            uow.commit()
    made.log_in()
    return made


def test_what_can_be_booked_and_the_free_places_are_public(office: Office) -> None:
    offer = office.call(None, "GET", "/services").json()
    assert {"code": "marriage", "name": "结婚登记"}.items() <= offer["services"][0].items()
    office.book()
    openings = office.call(None, "GET", "/availability", params={"service": "marriage"}).json()
    first = next(one for one in openings if one["hall"] == "civil" and one["start_at"] == "2026-11-23T01:00:00Z")
    assert (first["capacity"], first["free"]) == (12, 11)
    assert office.call(None, "GET", "/availability", params={"service": "nothing"}).status_code == 404


def test_staff_book_list_check_in_and_mark_and_nobody_else_does(office: Office) -> None:
    made = office.book().json()
    assert office.book().json()["no"] == made["no"]
    second = office.book(phone="13800000002", request_id="request-2").json()
    listed = office.call("li", "GET", params={"hall": "civil", "day": "2026-11-23"}).json()
    assert [one["person"] for one in listed["appointments"]] == ["138****0001", "138****0002"]
    office.desk.at("2026-11-23T09:30")
    office.log_in()
    checked = office.call("li", "POST", "/check-in", json={"code": f"{made['no']}-{made['code']}"})
    assert checked.json()["status"] == "checked_in"
    assert office.call("li", "POST", f"/{second['no']}/no-show").json()["status"] == "no_show"
    assert office.call("li", "POST", f"/{second['no']}/check-in").json()["status"] == "checked_in"
    today = office.call("chief", "GET", params={"hall": "civil"}).json()
    assert (today["day"], today["checked_in"]) == ("2026-11-23", 2)
    for name, status in ((None, 401), ("writer", 403), ("chief", 403)):
        assert office.call(name, "POST", "/check-in", json={"code": "x"}).status_code == status
    assert office.call("writer", "GET", params={"hall": "civil"}).status_code == 403
    assert office.call("officer", "POST", f"/{second['no']}/check-in").status_code == 403
    assert office.book("officer", request_id="request-3").status_code == 403


def test_who_checked_in_is_served_once_and_nobody_else_is(office: Office) -> None:
    made = office.book().json()
    office.desk.at("2026-11-23T09:30")
    office.log_in()
    assert office.call("li", "POST", f"/{made['no']}/served").status_code == 409
    office.call("li", "POST", f"/{made['no']}/check-in")
    assert office.call("officer", "POST", f"/{made['no']}/served").status_code == 403
    assert office.call("li", "POST", f"/{made['no']}/served").json()["status"] == "served"
    assert office.call("li", "POST", f"/{made['no']}/served").json()["status"] == "served"
    assert office.call("li", "POST", f"/{made['no']}/check-in").json()["status"] == "served"
    assert office.call("li", "POST", f"/{made['no']}/no-show").status_code == 409
    today = office.call("li", "GET", params={"hall": "civil"}).json()
    assert (today["served"], today["checked_in"]) == (1, 0)


def test_a_clerk_sees_the_halls_and_the_waiting_list_of_the_own_department(office: Office) -> None:
    office.desk.fill_up("2026-11-23T09:00")
    office.desk.wait(1, "2026-11-23T09:00", "2026-11-23T10:00")
    everywhere = [hall["code"] for hall in office.call("li", "GET", "/halls").json()]
    own = [hall["code"] for hall in office.call("officer", "GET", "/halls").json()]
    assert "civil" in everywhere
    assert "civil" not in own
    day = {"hall": "civil", "day": "2026-11-23"}
    (waits,) = office.call("li", "GET", "/waiting", params=day).json()
    assert (waits["person"], waits["service_name"]) == ("138****0001", "结婚登记")
    assert office.call("officer", "GET", "/waiting", params=day).json() == []
    assert office.call("writer", "GET", "/waiting", params=day).status_code == 403


def test_a_refusal_is_a_problem_document_that_says_why_and_repeats_no_number(office: Office) -> None:
    office.book()
    refused = office.book(request_id="request-2")
    assert (refused.status_code, refused.json()["reason"]) == (409, "live")
    assert "13800000001" not in refused.text
    assert office.book(request_id="request-3", start_at="2026-11-21T09:00:00+08:00").json()["reason"] == "closed"
    assert office.book(request_id="request-4", start_at="2026-11-23T09:00:00").status_code == 422
    assert office.book(request_id="request-5", phone="12").status_code == 422
    assert office.call("li", "POST", "/YY1x/check-in").status_code == 404


def test_staff_move_and_cancel_on_a_citizens_behalf(office: Office) -> None:
    made = office.book().json()
    body = {"start_at": "2026-11-24T14:00:00+08:00", "request_id": "request-2"}
    moved = office.call("li", "POST", f"/{made['no']}/reschedule", json=body).json()
    assert moved["start_at"] == "2026-11-24T06:00:00Z"
    gone = office.call("li", "POST", f"/{made['no']}/cancel", json={"request_id": "request-3"}).json()
    assert gone["status"] == "cancelled"
    assert office.call("officer", "POST", f"/{made['no']}/cancel", json={"request_id": "request-4"}).status_code == 403
    assert office.desk.counted()
