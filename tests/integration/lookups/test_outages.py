"""A system that is down: since when, the last known result, and the citizen who is told once when it is back."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.database import Database, UnitOfWork
from services.lookups import outages
from services.lookups import service as lookups
from services.lookups.connectors import Connector
from services.lookups.events import SystemBack
from services.lookups.gateway import Gateway
from services.lookups.models import SystemWatch
from services.lookups.schemas import LookupResult
from services.lookups.service import LookupService
from services.lookups.tasks import forget_watches, watch_systems

BILL = {"household_no": "80013327", "bill_kind": "水费"}
VEHICLE = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}


def ask(
    service: LookupService, parameters: dict[str, str], *, seq: int, kind: str = "bill", conversation: str = "c1"
) -> LookupResult:
    return asyncio.run(service.query(kind, conversation, seq, parameters))


@pytest.fixture
def told(database: Database) -> list[SystemBack]:
    events: list[SystemBack] = []

    def note(uow: UnitOfWork, event: SystemBack) -> None:
        events.append(event)

    database.bus.on(SystemBack, note)
    return events


@pytest.fixture
def watch(database: Database, clock: FixedClock) -> Callable[..., bool]:
    def make(conversation_id: str, kind: str = "bill") -> bool:
        return database.write(lambda uow: lookups.watch(uow, conversation_id, kind, clock.now()))

    return make


def test_the_second_citizen_hears_since_when_the_first_found_it_down(
    service: LookupService, sandbox: Any, clock: FixedClock
) -> None:
    sandbox.fault("utilities", error="500")
    assert "（自 11-21 12:00 起）" in ask(service, BILL, seq=1).text
    clock.advance(timedelta(minutes=20))
    assert "（自 11-21 12:00 起）" in ask(service, BILL, seq=2, conversation="c2").text


def test_an_answer_to_anybody_ends_the_outage(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], database: Database, sandbox: Any
) -> None:
    sandbox.fault("utilities", error="500")
    ask(make_service(gateway=Gateway(connectors)), BILL, seq=1)
    assert list(outages.systems_down(database)) == ["bill"]
    sandbox.heal()
    assert ask(make_service(gateway=Gateway(connectors)), BILL, seq=2).state == "done"
    assert outages.systems_down(database) == {}


def test_a_refused_request_is_no_outage(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], database: Database
) -> None:
    gateway = Gateway({"bill": connectors["bill"].model_copy(update={"key": None})})
    result = ask(make_service(gateway=gateway), BILL, seq=1)
    assert (result.state, result.data) == ("failed", {"reason": "system_down"})
    assert outages.systems_down(database) == {}


def test_the_last_known_result_is_shown_with_its_time_and_not_taken_for_a_new_one(
    service: LookupService, database: Database, sandbox: Any, clock: FixedClock
) -> None:
    fresh = ask(service, BILL, seq=1)
    clock.advance(timedelta(hours=2))
    sandbox.fault("utilities", error="500")
    stale = ask(service, BILL, seq=2)
    assert stale.state == "stale"
    assert stale.text.startswith("缴费系统暂时没有回应")
    assert "下面是 2026-11-21 12:00 查到的结果，之后可能有变化：\n户号" in stale.text
    assert stale.data["as_of"] == "2026-11-21T04:00:00+00:00"
    assert stale.data["periods"] == fresh.data["periods"]
    assert asyncio.run(service.detail("bill", "c1", 2, BILL, about="amount")).text.startswith("待缴")
    with database.unit_of_work(read_only=True) as uow:
        rows = uow.session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
    assert [row.detail["outcome"] for row in rows] == ["asked", "asked", "last_known"]
    # What is shown again does not become younger by it.
    clock.advance(timedelta(hours=71))
    assert ask(service, BILL, seq=3).state == "failed"


def test_a_connector_that_does_not_allow_it_shows_nothing_old(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], sandbox: Any
) -> None:
    strict = connectors["bill"].model_copy(update={"last_known_hours": 0.0})
    service = make_service(gateway=Gateway({"bill": strict}))
    ask(service, BILL, seq=1)
    sandbox.fault("utilities", error="500")
    assert ask(service, BILL, seq=2).state == "failed"


def test_nobody_else_s_last_result_is_shown_to_a_wrong_check(service: LookupService, sandbox: Any) -> None:
    ask(service, VEHICLE, seq=1, kind="violation")
    sandbox.fault("violations", error="500")
    wrong = VEHICLE | {"engine_tail": "000000"}
    assert ask(service, wrong, seq=1, kind="violation", conversation="c2").state == "failed"


def test_who_asked_is_told_once_when_the_probe_finds_the_system_back(
    service: LookupService,
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    told: list[SystemBack],
    watch: Callable[..., bool],
) -> None:
    sandbox.fault("utilities", error="500")
    assert ask(service, BILL, seq=1).data["watch"] == "bill"
    assert [watch("c1"), watch("c1"), watch("c2")] == [True, True, True]
    clock.advance(timedelta(seconds=31))
    assert watch_systems(database, gateway, clock) == 0
    assert told == []
    sandbox.heal()
    before = sandbox.calls("utilities")
    assert watch_systems(database, gateway, clock) == 2
    assert sandbox.calls("utilities") == before + 1
    assert watch_systems(database, gateway, clock) == 0
    assert sandbox.calls("utilities") == before + 1
    assert sorted(event.conversation_id for event in told) == ["c1", "c2"]
    assert told[0].text == "您关心的缴费系统已经恢复，现在可以重新查询了。"
    assert told[0].again == "查水电气账单"
    assert watch("c1") is False


@pytest.mark.parametrize("fault", [{"error": "malformed"}, {"error": "rate_limit"}, {"error": "500"}])
def test_a_system_that_answers_wrongly_is_not_back(
    service: LookupService, gateway: Gateway, database: Database, sandbox: Any, clock: FixedClock, fault: dict[str, Any]
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    sandbox.fault("utilities", **fault)
    clock.advance(timedelta(minutes=1))
    watch_systems(database, gateway, clock)
    assert list(outages.systems_down(database)) == ["bill"]


def test_a_citizen_who_is_told_that_it_is_back_finds_the_breaker_closed(
    service: LookupService,
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    told: list[SystemBack],
    watch: Callable[..., bool],
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    watch("c1")
    sandbox.heal()
    clock.advance(timedelta(seconds=29))
    assert watch_systems(database, gateway, clock) == 0
    clock.advance(timedelta(seconds=1))
    assert watch_systems(database, gateway, clock) == 1


def test_nobody_is_told_at_night(
    service: LookupService,
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    told: list[SystemBack],
    watch: Callable[..., bool],
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    watch("c1")
    sandbox.heal()
    clock.advance(timedelta(hours=14))
    assert watch_systems(database, gateway, clock) == 0
    clock.advance(timedelta(hours=5))
    assert watch_systems(database, gateway, clock) == 1


def test_two_workers_tell_each_citizen_once(
    service: LookupService,
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    told: list[SystemBack],
    watch: Callable[..., bool],
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    for number in range(20):
        watch(f"c{number}")
    sandbox.heal()
    clock.advance(timedelta(minutes=1))
    start = threading.Barrier(2)
    counts: list[int] = []

    def work() -> None:
        start.wait()
        counts.append(watch_systems(database, Gateway(connectors), clock))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = watch_systems(database, Gateway(connectors), clock)
    assert sum(counts) + left == 20
    assert sorted(event.conversation_id for event in told) == sorted(f"c{number}" for number in range(20))


def test_telling_and_forgetting_the_wish_are_one_transaction(
    service: LookupService,
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    watch: Callable[..., bool],
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    watch("c1")
    sandbox.heal()
    clock.advance(timedelta(minutes=1))
    heard: list[SystemBack] = []

    def fail_once(uow: UnitOfWork, event: SystemBack) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise RuntimeError("the conversation could not take it")

    database.bus.on(SystemBack, fail_once)
    with pytest.raises(RuntimeError):
        watch_systems(database, gateway, clock)
    assert watch_systems(database, gateway, clock) == 1
    assert [event.dedupe for event in heard] == [heard[0].dedupe] * 2


def test_a_wish_is_forgotten_after_a_week(
    service: LookupService, database: Database, sandbox: Any, clock: FixedClock, watch: Callable[..., bool]
) -> None:
    sandbox.fault("utilities", error="500")
    ask(service, BILL, seq=1)
    watch("c1")
    clock.advance(timedelta(days=8))
    assert forget_watches(database, clock) == 1
    with database.unit_of_work(read_only=True) as uow:
        assert uow.session.scalars(select(SystemWatch)).all() == []
