"""One-time codes through the outbox to a gateway of text messages: the sandbox's own."""

import threading
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from services.citizens import service as citizens
from services.citizens import tasks
from services.citizens.models import PhoneCode, PhoneOwned
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.errors import TooManyRequests, Unprocessable
from services.notifications.models import OutboxRow
from services.notifications.service import send_due
from services.notifications.sms import SmsGateway, send_by_sms
from services.sandbox.app import create_app

KEY = "a-sandbox-key-for-tests"
PHONE = "13800006125"


class Post:
    """A citizen's code, its way through the outbox, and the sandbox's telephone."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock(parse_moment("2026-11-16T10:00"))
        self.secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
        self.phone = TestClient(create_app(1, api_key=KEY, today=date(2026, 11, 16)))
        self.failing = 0

    def send(self, citizen: str = "c1", number: str = PHONE, code: int = 483920) -> Any:
        rules = citizens.CitizensFile().codes
        return self.database.write(
            lambda uow: citizens.send_code(
                uow, self.secrets, rules, citizen=citizen, purpose="bind", number=number, city="示范市",
                draw=lambda below: code, now=self.clock.now(),
            )
        )  # fmt: skip

    def check(self, code: str, citizen: str = "c1") -> str:
        rules = citizens.CitizensFile().codes
        return self.database.write(
            lambda uow: citizens.check_code(
                uow, self.secrets, rules, citizen=citizen, purpose="bind", code=code, now=self.clock.now()
            )
        )

    def deliver(self) -> int:
        def through(request: httpx.Request) -> httpx.Response:
            if self.failing:
                self.failing -= 1
                return httpx.Response(503)
            answer = self.phone.post("/sms/send", content=request.content, headers=dict(request.headers))
            return httpx.Response(answer.status_code)

        client = httpx.Client(transport=httpx.MockTransport(through))
        sender = send_by_sms(
            SmsGateway(client, "http://sms.example/sms/send", KEY),
            self.secrets,
            self.clock.now,
            number_of=lambda name: None,
            words=lambda row: ("", ""),
        )
        return send_due(self.database, {"sms": sender}, self.clock.now)

    def received(self) -> list[str]:
        answer = self.phone.get("/sms/messages", params={"phone": PHONE}, headers={"x-api-key": KEY})
        return [message["text"] for message in answer.json()]

    def rows(self, model: Any) -> list[Any]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.query(model).all())


@pytest.fixture
def post(database: Database) -> Post:
    return Post(database)


def test_the_code_arrives_and_leaves_nothing_readable_behind(post: Post) -> None:
    post.send()
    assert post.deliver() == 1
    (text,) = post.received()
    assert "483920" in text
    assert "5 分钟" in text
    (row,) = post.rows(OutboxRow)
    assert set(row.body) == {"until"}
    assert post.check("483920") == "right"
    assert post.rows(PhoneOwned)[0].phone_masked == "138****6125"


def test_a_gateway_that_is_away_gets_it_later_and_the_same_one_once(post: Post) -> None:
    post.send()
    post.failing = 2
    assert post.deliver() == 0
    post.clock.advance(timedelta(seconds=3))
    assert post.deliver() == 0
    post.clock.advance(timedelta(seconds=10))
    assert post.deliver() == 1
    assert len(post.received()) == 1


def test_a_code_that_is_too_old_is_not_sent_any_more(post: Post) -> None:
    post.send()
    post.clock.advance(timedelta(minutes=5))
    assert post.deliver() == 1
    assert post.received() == []
    assert set(post.rows(OutboxRow)[0].body) == {"until"}


def test_only_the_newest_code_counts_and_only_for_its_citizen(post: Post) -> None:
    post.send(code=111111)
    post.clock.advance(timedelta(minutes=2))
    post.send(code=222222)
    assert post.check("111111") == "wrong"
    assert post.check("222222", citizen="c2") == "expired"
    assert post.check("222222") == "right"


def test_a_code_that_was_right_is_right_for_the_turn_that_runs_again_and_nothing_after(post: Post) -> None:
    post.send()
    assert post.check("483920") == "right"
    assert post.check("483920") == "right"
    assert post.check("000000") == "expired"
    post.clock.advance(timedelta(minutes=5))
    assert post.check("483920") == "expired"


def test_codes_of_one_citizen_to_many_phones_are_limited(post: Post) -> None:
    for number in range(8):
        post.send(number=f"1380000{number:04d}")
    with pytest.raises(TooManyRequests):
        post.send(number="13900000000")
    post.clock.advance(timedelta(minutes=61))
    post.send(number="13900000000")


def test_twelve_replicas_at_once_send_a_phone_no_more_than_its_limit(post: Post) -> None:
    rules = citizens.CitizensFile().codes.model_copy(update={"again_seconds": 0})
    barrier, outcomes = threading.Barrier(12), []

    def ask(number: int) -> None:
        barrier.wait()
        try:
            post.database.write(
                lambda uow: citizens.send_code(
                    uow, post.secrets, rules, citizen=f"c{number}", purpose="bind", number=PHONE, city="示范市",
                    draw=lambda below: 1, now=post.clock.now(),
                )
            )  # fmt: skip
            outcomes.append("sent")
        except TooManyRequests:
            outcomes.append("refused")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["sent"] * 5
    assert len(post.rows(PhoneCode)) == 5


def test_codes_from_one_address_are_limited_over_citizens_and_replicas(post: Post) -> None:
    rules = citizens.CitizensFile().codes.model_copy(update={"per_address_hour": 5})
    barrier, outcomes = threading.Barrier(9), []

    def ask(number: int, origin: str) -> None:
        try:
            post.database.write(
                lambda uow: citizens.send_code(
                    uow, post.secrets, rules, citizen=f"{origin[0]}{number}", purpose="bind",
                    number=f"1380000{number:04d}", city="示范市", draw=lambda below: 1, now=post.clock.now(),
                    origin=origin,
                )
            )  # fmt: skip
            outcomes.append("sent")
        except TooManyRequests:
            outcomes.append("refused")

    def at_once(number: int) -> None:
        barrier.wait()
        ask(number, "a" * 64)

    threads = [threading.Thread(target=at_once, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["sent"] * 5
    assert len(post.rows(PhoneCode)) == len(post.rows(OutboxRow)) == 5
    ask(100, "b" * 64)
    assert outcomes[-1] == "sent"


@pytest.mark.parametrize("number", ["1380000612", "23800006125", "010-12345678", "１３８００００６１２５", ""])
def test_what_is_no_mobile_number_gets_no_code(post: Post, number: str) -> None:
    with pytest.raises(Unprocessable):
        post.send(number=number)
    assert post.rows(OutboxRow) == []


def test_codes_are_forgotten_after_a_day_and_phones_after_they_are_trusted(post: Post) -> None:
    post.send()
    post.check("483920")
    post.clock.advance(timedelta(days=2))
    tasks.tidy(post.database, post.clock.now())
    assert post.rows(PhoneCode) == []
    assert len(post.rows(PhoneOwned)) == 1
    post.clock.advance(timedelta(days=179))
    tasks.tidy(post.database, post.clock.now())
    assert post.rows(PhoneOwned) == []
