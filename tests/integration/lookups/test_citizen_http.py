"""What a citizen's page fetches and taps about lookups: a bill's chart, the wish to hear of a system's return."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.channels.web import endpoints
from services.container import _wire
from services.conversations.rendering import lookup_result
from services.conversations.schemas import InboundMessage, Outgoing
from services.conversations.service import Conversations
from services.core.clock import FixedClock
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.signals import Signals
from services.core.web import install_error_handlers
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService
from services.lookups.tasks import watch_systems
from services.notifications.models import OutboxRow

BILL = {"household_no": "80013328", "bill_kind": "水费"}


class Page:
    """A citizen's page on a real conversation."""

    def __init__(self, database: Database, secrets: Secrets, clock: FixedClock, lookups: LookupService) -> None:
        self.database, self.clock = database, clock
        self.conversations = Conversations(
            secrets,
            city_name="示范市",
            message_limit=2000,
            claim_lapse=timedelta(minutes=15),
        )
        app = FastAPI()
        install_error_handlers(app)
        app.include_router(endpoints.router)
        app.state.container = SimpleNamespace(
            database=database, secrets=secrets, clock=clock, conversations=self.conversations, lookups=lookups
        )
        self.client = TestClient(app)

    def open(self) -> Any:
        return self.database.write(lambda uow: self.conversations.open(uow, channel="web", now=self.clock.now()))

    def get(self, address: str, token: str | None) -> Any:
        return self.client.get(address, headers={"Authorization": f"Bearer {token}"} if token else {})


@pytest.fixture
def page(database: Database, secrets: Secrets, clock: FixedClock, make_service: Callable[..., LookupService]) -> Page:
    return Page(database, secrets, clock, make_service())


def chart_of(page: Page, lookups: LookupService, conversation_id: str) -> str:
    result = asyncio.run(lookups.query("bill", conversation_id, 1, BILL))
    return str(result.data["chart"])


def test_the_chart_of_a_bill_is_a_picture_for_its_own_conversation_only(
    page: Page, make_service: Callable[..., LookupService]
) -> None:
    lookups = make_service()
    own, other = page.open(), page.open()
    address = chart_of(page, lookups, own.conversation_id)
    assert "80013328" not in address
    answer = page.get(address, own.token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    bars = ElementTree.fromstring(answer.content).findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 1 + 12
    assert b"8001" not in answer.content
    assert page.get(address, None).status_code == 401
    assert page.get(address, other.token).status_code == 404
    elsewhere = address.replace(own.conversation_id, other.conversation_id)
    assert page.get(elsewhere, other.token).status_code == 404


def test_the_address_of_a_chart_cannot_be_guessed_or_changed_and_expires(
    page: Page, make_service: Callable[..., LookupService], clock: FixedClock
) -> None:
    own = page.open()
    address = chart_of(page, make_service(), own.conversation_id)
    head, link = address.rsplit("/", 1)
    for forged in (f"{head}/1.svg", f"{head}/{link[:20]}x{link[21:]}", re.sub(r".{4}\.svg$", "AAAA.svg", address)):
        assert page.get(forged, own.token).status_code == 404
    clock.advance(timedelta(hours=23))
    assert page.get(address, own.token).status_code == 200
    clock.advance(timedelta(hours=2))
    assert page.get(address, own.token).status_code == 404


def test_a_citizen_who_taps_the_offer_is_told_once(
    page: Page, make_service: Callable[..., LookupService], gateway: Gateway, sandbox: Any, clock: FixedClock
) -> None:
    signals = Signals("redis://127.0.0.1:1/0")
    _wire(page.database.bus, page.conversations, signals)
    own = page.open()
    sandbox.fault("utilities", error="500")
    result = asyncio.run(make_service().query("bill", own.conversation_id, 1, BILL))
    said = lookup_result({"text": result.text, "data": result.data})
    assert [option.title for option in said.options] == ["恢复后通知我", "转人工"]
    page.database.write(
        lambda uow: page.conversations.deliver(uow, own.conversation_id, [said], clock.now(), "shown-for-the-test")
    )

    def tap(key: str) -> str:
        inbound = InboundMessage(choice=said.options[0].payload, client_message_id=key)
        arrival = page.database.write(
            lambda uow: page.conversations.arrive(uow, own.conversation_id, inbound, clock.now())
        )
        assert arrival.done
        with page.database.unit_of_work(read_only=True) as uow:
            answer = page.conversations.answer_of(uow, own.conversation_id, arrival.seq)
        return "\n".join(message.text for message in answer.messages)

    assert tap("a") == tap("b") == "好的，恢复后会在这里告诉您一次。"
    sandbox.heal()
    clock.advance(timedelta(minutes=1))
    assert watch_systems(page.database, gateway, clock) == 1
    assert watch_systems(page.database, gateway, clock) == 0
    with page.database.unit_of_work(read_only=True) as uow:
        newest = page.conversations.transcript(uow, own.conversation_id)[-1]
        outbox = uow.session.scalars(sa.select(OutboxRow)).all()
    assert newest.text == "您关心的缴费系统已经恢复，现在可以重新查询了。"
    assert [option.payload for option in newest.options or ()] == ["查水电气账单"]
    assert outbox == []
    assert tap("c") == "这个系统已经恢复，现在可以重新查询了。"
    signals.close()


def test_a_result_with_everything_in_order_offers_nothing() -> None:
    assert lookup_result({"text": "查到了", "data": {"count": 3}}) == Outgoing(
        "查到了", type="result", data={"count": 3}
    )
