"""The gateway against the real sandbox: time limits, retries, the breaker, broken answers."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from services.lookups.connectors import Connector
from services.lookups.gateway import Answer, Gateway, SystemSlow, SystemTrouble

VEHICLE = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}


ANSWER_LISTS = ("violations", "periods", "stages", "points", "outages")


def run(call: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(call)


def changed(connector: Connector, *, safe: bool | None = None, **updates: Any) -> Connector:
    requests = connector.requests
    if safe is not None:
        requests = [one.model_copy(update={"safe": safe}) for one in requests]
    return connector.model_copy(update={"requests": requests, **updates})


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("violation", VEHICLE),
        ("violation", {"license_file_no": "440300123456", "id_card": "002X"}),
        ("bill", {"household_no": "80013328", "bill_kind": "燃气费"}),
        ("progress", {"case_no": "BJ202608150021", "phone_tail": "6125"}),
        ("outage", {"location": "示范大道12号"}),
        ("nearby", {"location": "22.5431,114.0579;wgs84", "service": "公厕"}),
        ("nearby", {"location": "我在火车站附近"}),
    ],
)
def test_every_kind_of_lookup_is_answered(gateway: Gateway, kind: str, parameters: dict[str, str]) -> None:
    answer = run(gateway.ask(kind, parameters, seconds=60))
    assert answer.state == "done"
    (items,) = (value for name, value in answer.data.items() if name in ANSWER_LISTS)
    assert items


@pytest.mark.parametrize(
    ("kind", "parameters", "state"),
    [
        ("violation", VEHICLE | {"engine_tail": "000000"}, "mismatch"),
        ("bill", {"household_no": "99999999", "bill_kind": "水费"}, "not_found"),
        ("progress", {"case_no": "BJ0000000000", "phone_tail": "6125"}, "mismatch"),
        ("nearby", {"location": "月球"}, "not_found"),
    ],
)
def test_business_outcomes_are_answers_and_never_open_the_breaker(
    gateway: Gateway, kind: str, parameters: dict[str, str], state: str
) -> None:
    for _ in range(8):
        assert run(gateway.ask(kind, parameters, seconds=60)).state == state


def test_a_slow_system_is_given_up_when_the_time_is_over(gateway: Gateway, sandbox: Any) -> None:
    for fault in ({"delay_seconds": 30}, {"error": "timeout"}, {"error": "slow"}):
        sandbox.fault("violations", **fault)
        before = sandbox.calls("violations")
        with pytest.raises(SystemSlow):
            run(gateway.ask("violation", VEHICLE, seconds=0.3))
        # Given up, not answered: the system still holds its one answer back.
        assert sandbox.calls("violations") == before + 1


def test_a_trickle_is_bounded_by_the_connectors_own_total_time(connectors: dict[str, Connector], sandbox: Any) -> None:
    timeouts = connectors["violation"].timeouts.model_copy(update={"total": 0.3})
    gateway = Gateway({"violation": changed(connectors["violation"], safe=False, timeouts=timeouts)})
    sandbox.fault("violations", error="slow")
    with pytest.raises(SystemSlow):
        run(gateway.ask("violation", VEHICLE, seconds=30))


@pytest.mark.parametrize("error", ["500", "malformed", "rate_limit"])
def test_a_safe_call_is_tried_again_and_recovers(gateway: Gateway, sandbox: Any, error: str) -> None:
    sandbox.fault("violations", error=error, times=2)
    before = sandbox.calls("violations")
    assert run(gateway.ask("violation", VEHICLE, seconds=60)).state == "done"
    assert sandbox.calls("violations") - before == 3


def test_an_unsafe_call_is_made_once(connectors: dict[str, Connector], sandbox: Any) -> None:
    gateway = Gateway({"violation": changed(connectors["violation"], safe=False)})
    sandbox.fault("violations", error="500", times=1)
    before = sandbox.calls("violations")
    with pytest.raises(SystemTrouble):
        run(gateway.ask("violation", VEHICLE, seconds=60))
    assert sandbox.calls("violations") - before == 1


def test_the_breaker_opens_spares_the_system_and_closes_again(
    connectors: dict[str, Connector], sandbox: Any, breaker_clock: Any
) -> None:
    breaker = connectors["violation"].breaker.model_copy(update={"failures": 3, "open_seconds": 30})
    gateway = Gateway({"violation": changed(connectors["violation"], breaker=breaker)})
    sandbox.fault("violations", error="500")
    with pytest.raises(SystemTrouble):
        run(gateway.ask("violation", VEHICLE, seconds=60))
    after_opening = sandbox.calls("violations")
    with pytest.raises(SystemTrouble) as refused:
        run(gateway.ask("violation", VEHICLE, seconds=60))
    assert refused.value.since is not None
    assert sandbox.calls("violations") == after_opening
    sandbox.heal()
    breaker_clock.advance(29)
    with pytest.raises(SystemTrouble):
        run(gateway.ask("violation", VEHICLE, seconds=60))
    breaker_clock.advance(2)
    assert run(gateway.ask("violation", VEHICLE, seconds=60)).state == "done"
    assert sandbox.calls("violations") == after_opening + 1


def test_one_broken_system_does_not_close_the_others(gateway: Gateway, sandbox: Any) -> None:
    sandbox.fault("violations", error="500")
    for _ in range(3):
        with pytest.raises(SystemTrouble):
            run(gateway.ask("violation", VEHICLE, seconds=60))
    assert run(gateway.ask("progress", {"case_no": "BJ202608150021", "phone_tail": "6125"}, seconds=60)).state == "done"


def test_a_wrong_key_is_trouble_and_not_tried_again(connectors: dict[str, Connector], sandbox: Any) -> None:
    gateway = Gateway({"violation": changed(connectors["violation"], key=None)})
    before = sandbox.calls("violations")
    with pytest.raises(SystemTrouble, match="HTTP 401"):
        run(gateway.ask("violation", VEHICLE, seconds=60))
    assert sandbox.calls("violations") - before == 1


def test_an_answer_of_another_shape_is_trouble_whose_reason_holds_no_values(connectors: dict[str, Connector]) -> None:
    request = connectors["violation"].requests[0]
    request = request.model_copy(update={"result": request.result.replace("points: wfjfs", "points: wfdz")})
    gateway = Gateway({"violation": connectors["violation"].model_copy(update={"requests": [request]})})
    with pytest.raises(SystemTrouble) as trouble:
        run(gateway.ask("violation", VEHICLE, seconds=60))
    assert trouble.value.reason == "unexpected answer: violations.0.points int_parsing"


def test_a_system_that_is_not_there_is_trouble(connectors: dict[str, Connector]) -> None:
    gateway = Gateway({"violation": changed(connectors["violation"], base_url="http://127.0.0.1:9")})
    with pytest.raises(SystemTrouble, match="ConnectError"):
        run(gateway.ask("violation", VEHICLE, seconds=60))
