import ast
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import services.sandbox
from services.sandbox.app import create_app
from services.sandbox.data import make_records

KEY = "unit-test-key"
TODAY = date(2026, 11, 21)
CAR = {"hphm": "粤B7K392", "hpzl": "02", "fdjh": "3F0712"}


@pytest.fixture
def client() -> TestClient:
    return TestClient(create_app(1, api_key=KEY, today=TODAY), headers={"X-Api-Key": KEY})


def test_records_follow_from_the_seed() -> None:
    assert make_records(1, TODAY) == make_records(1, TODAY)
    assert make_records(1, TODAY) != make_records(2, TODAY)


@pytest.mark.parametrize("path", ["/violations/vehicle", "/utilities/bills", "/progress/query", "/places/nearby"])
def test_every_system_wants_the_key(path: str) -> None:
    stranger = TestClient(create_app(1, api_key=KEY, today=TODAY))
    assert stranger.post(path, json=CAR).status_code == 401
    assert stranger.post(path, json=CAR, headers={"X-Api-Key": "other"}).status_code == 401
    assert stranger.get("/_control").status_code == 401
    assert stranger.post("/_control", json={"system": "places"}).status_code == 401


def test_the_documented_vehicles_answer_as_documented(client: TestClient) -> None:
    found = client.post("/violations/vehicle", json=CAR).json()["data"]["list"]
    assert [one["clbj"] for one in found] == ["0", "0", "1"]
    none = {"hphm": "粤B00001", "hpzl": "02", "fdjh": "A10001"}
    assert client.post("/violations/vehicle", json=none).json()["data"]["list"] == []


def test_a_wrong_engine_tail_and_an_unknown_plate_answer_alike(client: TestClient) -> None:
    wrong = client.post("/violations/vehicle", json=CAR | {"fdjh": "000000"}).json()
    unknown = client.post("/violations/vehicle", json=CAR | {"hphm": "粤B99999"}).json()
    assert wrong == unknown == {"code": "1002", "msg": "信息不匹配"}


@pytest.mark.parametrize("utility", ["water", "electricity", "gas", "heating"])
def test_a_household_has_twelve_periods_of_each_utility(client: TestClient, utility: str) -> None:
    bills = client.post("/utilities/bills", json={"yw": utility, "hh": "80013327"}).json()["data"]["zd"]
    assert [one["zq"] for one in bills][:2] == ["202610", "202609"]
    assert len({one["zq"] for one in bills}) == 12
    assert [one["zt"] for one in bills].count("WJ") == 1


def test_places_come_nearest_first_and_of_the_wanted_kind(client: TestClient) -> None:
    found = client.post("/places/nearby", json={"lat": 22.5431, "lng": 114.0579, "kind": "公厕"}).json()["data"]
    distances = [one["jl"] for one in found]
    assert distances == sorted(distances)
    assert {one["lx"] for one in found} == {"公共厕所"}
    assert len(make_records(1, TODAY).places) >= 300


def _vehicle(client: TestClient) -> Any:
    return client.post("/violations/vehicle", json=CAR)


def test_faults_are_switched_on_counted_and_off(client: TestClient) -> None:
    client.post("/_control", json={"system": "violations", "error": "500", "times": 1})
    assert _vehicle(client).status_code == 500
    assert _vehicle(client).status_code == 200
    client.post("/_control", json={"system": "violations", "error": "rate_limit"})
    assert _vehicle(client).status_code == 429
    client.post("/_control", json={"system": "violations", "error": "malformed"})
    with pytest.raises(ValueError, match="Expecting"):
        _vehicle(client).json()
    state = client.post("/_control", json={"system": "violations", "error": None}).json()
    assert state["violations"] == {"delay_seconds": 0.0, "error": None, "times": None, "calls": 4}
    assert _vehicle(client).status_code == 200


def test_a_fault_that_does_not_exist_is_refused(client: TestClient) -> None:
    assert client.post("/_control", json={"system": "weather"}).status_code == 422
    assert client.post("/_control", json={"system": "places", "error": "explode"}).status_code == 422


def test_the_sandbox_imports_nothing_of_the_application() -> None:
    for path in Path(services.sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(not name.startswith("services") or name.startswith("services.sandbox") for name in names)


def test_text_messages_are_kept_once_each_and_shown_with_the_key_only(client: TestClient) -> None:
    message = {"id": 7, "phone": "13800006125", "text": "<b>验证码 483920</b>"}
    assert client.post("/sms/send", json=message).status_code == 200
    assert client.post("/sms/send", json=message).status_code == 200
    assert client.get("/sms/messages", params={"phone": "13800006125"}).json() == [message]
    assert client.get("/sms/messages", params={"phone": "13900000000"}).json() == []
    client.headers.pop("X-Api-Key")
    assert client.get("/sms/messages").status_code == 401
    assert client.post("/sms/send", json=message).status_code == 401


def test_the_telephone_page_is_for_this_machine_only_and_shows_texts_as_texts() -> None:
    app = create_app(1, api_key=KEY, today=TODAY)
    message = {"id": 7, "phone": "13800006125", "text": "<b>验证码 483920</b>"}
    TestClient(app, headers={"X-Api-Key": KEY}).post("/sms/send", json=message)
    here = TestClient(app, client=("127.0.0.1", 50000)).get("/sms")
    assert "&lt;b&gt;验证码 483920" in here.text
    assert TestClient(app, client=("10.1.2.3", 50000)).get("/sms").status_code == 404


def test_what_reminders_are_about_is_there_for_the_documented_identifiers(client: TestClient) -> None:
    vehicle = client.post("/status/vehicle", json={"hphm": "粤B7K392"}).json()["data"]
    assert vehicle["jyyxqz"] == "2026-12-11"
    assert client.post("/status/licence", json={"dabh": "440300123456"}).json()["data"]["ljjf"] == "9"
    assert client.post("/status/licence", json={"dabh": "000000000000"}).json()["code"] == "5001"
    assert len(client.post("/status/outages", json={"hh": "80013327"}).json()["data"]) == 1
    assert client.post("/status/outages", json={"hh": "1"}).json()["data"] == []
