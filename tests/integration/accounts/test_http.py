"""Coming in over HTTP, the own password, and what a one-time password opens."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from services.accounts.passwords import Passwords
from services.app import create_app
from services.container import build_container
from services.core.clock import FixedClock
from services.core.database import Database
from services.core.settings import Settings
from tests.integration.accounts.conftest import NOW, PASSWORD, Watched
from tests.support import employ

NEW = "quite another one"
_NAMES = itertools.count()


class House:
    """The real application with one clerk, whom nobody else's limits count with."""

    def __init__(self, database: Database, redis_url: str, var: Any) -> None:
        values = {"HUIYING_VAR": var, "database_url": database.url, "redis_url": redis_url}
        self.clock = FixedClock(NOW)
        self.container = build_container(Settings.model_validate({**values, "logins_per_minute": 20}), self.clock)
        self.hasher = Watched()
        self.container.passwords = Passwords(at_once=1, waiting=0, seconds=0.0, hasher=self.hasher)
        self.client = TestClient(create_app(self.container), follow_redirects=False)
        self.name = f"li {next(_NAMES)}"
        database.write(lambda uow: employ(uow, self.name, "clerk", NOW, password=PASSWORD))

    def log_in(self, password: str = PASSWORD, name: str | None = None) -> Response:
        self.client.cookies.clear()
        return self.client.post("/api/v1/login", json={"name": name or self.name, "password": password})

    def ask(self, method: str, path: str, token: str, **given: Any) -> Response:
        self.client.cookies.clear()
        headers = {"Cookie": f"huiying_staff={token}", "X-Requested-With": "huiying"}
        return self.client.request(method, path, headers=headers, **given)

    def change(self, token: str, old: str, new: str) -> Response:
        return self.ask("POST", "/api/v1/me/password", token, json={"old": old, "new": new})


@pytest.fixture
def house(database: Database, embedded_redis_url: str, tmp_path: Any) -> Iterator[House]:
    made = House(database, embedded_redis_url, tmp_path)
    yield made
    made.container.signals.close()
    made.container.database.dispose()


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer_to_the_letter(house: House) -> None:
    wrong, unknown = house.log_in("a wrong one"), house.log_in(name="nobody at all")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert "set-cookie" not in wrong.headers


def test_after_too_many_wrong_passwords_the_answer_says_when_to_come_back(house: House) -> None:
    assert {house.log_in("a wrong one").status_code for _ in range(10)} == {401}
    braked = house.log_in()
    assert (braked.status_code, braked.headers["retry-after"]) == (429, "30")
    assert "30 秒后" in braked.json()["detail"]


def test_whoever_finds_too_many_others_is_told_when_to_come_back_and_nothing_is_hashed(house: House) -> None:
    with house.container.passwords.turn():
        busy = house.log_in()
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
    assert house.hasher.checks == 0
    assert house.log_in().status_code == 200


def test_not_even_the_right_password_is_checked_for_ever_in_one_minute(house: House) -> None:
    assert {house.log_in().status_code for _ in range(20)} == {200}
    refused = house.log_in()
    assert (refused.status_code, house.hasher.checks) == (429, 20)
    assert refused.headers["retry-after"]


def test_the_own_password_is_changed_with_the_old_one_and_other_sessions_end(house: House) -> None:
    mine, other = house.log_in().json()["token"], house.log_in().json()["token"]
    assert house.change(mine, "a wrong one", NEW).json()["detail"] == "原密码不正确"
    assert house.ask("GET", "/api/v1/me", other).status_code == 200
    assert house.change(mine, PASSWORD, NEW).status_code == 204
    assert house.ask("GET", "/api/v1/me", mine).json()["must_change"] is False
    assert house.ask("GET", "/api/v1/me", other).status_code == 401
    assert house.log_in().status_code == 401
    assert house.log_in(NEW).status_code == 200


@pytest.mark.parametrize(
    ("new", "reason"),
    [("short", "至少 10 个字符"), (PASSWORD, "不能与原密码相同"), ("aaaaaaaaaaaa", "太容易猜到")],
)
def test_a_weak_new_password_is_refused_with_the_reason_and_before_anything_is_hashed(
    house: House, new: str, reason: str
) -> None:
    token = house.log_in().json()["token"]
    refused = house.change(token, PASSWORD, new)
    assert refused.status_code == 400
    assert reason in refused.json()["detail"]
    assert house.hasher.checks == 1
    assert house.change(token, PASSWORD, house.name * 3).status_code == 400


def test_whoever_holds_a_session_cannot_guess_the_old_password_for_ever(house: House) -> None:
    token = house.log_in().json()["token"]
    assert {house.change(token, "a wrong one", NEW).status_code for _ in range(10)} == {400}
    assert house.change(token, PASSWORD, NEW).status_code == 429


def test_a_change_by_cookie_without_the_pages_own_header_or_without_a_login_is_refused(house: House) -> None:
    token = house.log_in().json()["token"]
    house.client.cookies.clear()
    body = {"old": PASSWORD, "new": NEW}
    cookie = {"Cookie": f"huiying_staff={token}"}
    assert house.client.post("/api/v1/me/password", headers=cookie, json=body).status_code == 403
    assert house.client.post("/api/v1/me/password", json=body).status_code == 401
    assert house.log_in().status_code == 200


def test_a_one_time_password_leads_every_page_to_its_change_and_opens_nothing_else(house: House) -> None:
    password, _ = house.container.logins.reset(house.name, "test")
    answer = house.log_in(password).json()
    assert answer["must_change"] is True
    token = answer["token"]
    for page in ("/staff", "/staff/appointments"):
        led = house.ask("GET", page, token)
        assert (led.status_code, led.headers["location"]) == (303, f"/password?next={page}")
    assert house.ask("GET", "/home", token).headers["location"] == "/password"
    refused = house.ask("GET", "/api/v1/cases", token)
    assert (refused.status_code, refused.json()["detail"]) == (403, "请先修改一次性密码")
    assert "一次性密码" in house.ask("GET", "/password", token).text
    assert house.change(token, password, NEW).status_code == 204
    assert house.ask("GET", "/home", token).headers["location"] == "/staff"
    assert house.ask("GET", "/api/v1/cases", token).status_code == 200


def test_the_page_of_the_own_password_leads_back_only_within_this_site(house: House) -> None:
    token = house.log_in().json()["token"]
    assert 'data-next="/manager"' in house.ask("GET", "/password?next=/manager", token).text
    assert "evil" not in house.ask("GET", "/password?next=//evil.example", token).text
    assert house.ask("GET", "/password", "").headers["location"] == "/login?next=/password"
