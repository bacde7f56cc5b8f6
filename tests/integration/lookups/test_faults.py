"""Every fault of the sandbox: the citizen reads a kind text, the breaker opens, and closes when the fault is over."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.core.clock import FixedClock
from services.core.database import Database
from services.lookups.connectors import Connector
from services.lookups.gateway import BREAKER_OPEN, Gateway, SystemTrouble
from services.lookups.service import LookupService
from services.lookups.tasks import run_pending

VEHICLE = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}
DOWN, LATER, BUSY = "交管系统暂时没有回应", "交管系统回应较慢，我会继续查询", "交管系统现在查询的人较多"
ROUGH = ("Error", "error", "HTTP", "JSON", "Traceback", "500", "429", "None", "null")

FAULTS = [
    pytest.param({"error": "500"}, DOWN, id="errors"),
    pytest.param({"error": "malformed"}, DOWN, id="malformed_json"),
    pytest.param({"error": "timeout"}, LATER, id="no_answer"),
    pytest.param({"delay_seconds": 30}, LATER, id="delay"),
    pytest.param({"error": "slow"}, LATER, id="trickle"),
    pytest.param({"error": "rate_limit"}, LATER, id="rate_limit"),
]


SWIFT = ("500", "malformed", "rate_limit")


def impatient(connector: Connector, fault: dict[str, Any], **changes: Any) -> Connector:
    """With times for tests: against a fault that never ends an attempt is short, else as long as a busy machine needs;
    the breaker opens after two failures."""
    parts = {
        "timeouts": connector.timeouts.model_copy(update={"total": 20.0 if fault.get("error") in SWIFT else 0.3}),
        "breaker": connector.breaker.model_copy(update={"failures": 2, "open_seconds": 30.0}),
        "retry": connector.retry.model_copy(update={"attempts": 1}),
        "last_known_hours": 0.0,
    }
    return connector.model_copy(update=parts | changes)


def reason_of(gateway: Gateway) -> str:
    """Why the system gave no answer; empty when it did."""
    try:
        asyncio.run(gateway.ask("violation", VEHICLE, seconds=30))
    except SystemTrouble as trouble:
        return trouble.reason
    return ""


@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_the_citizen_reads_a_kind_text(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    sandbox: Any,
    fault: dict[str, Any],
    says: str,
) -> None:
    service = make_service(gateway=Gateway({"violation": impatient(connectors["violation"], fault)}))
    sandbox.fault("violations", **fault)
    result = asyncio.run(service.query("violation", "c1", 1, VEHICLE))
    assert result.text.startswith(says)
    assert not [word for word in ROUGH if word in result.text]
    assert result.state == ("pending" if says == LATER else "failed")


@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_the_breaker_opens_and_closes_again(
    connectors: dict[str, Connector], sandbox: Any, breaker_clock: Any, fault: dict[str, Any], says: str
) -> None:
    gateway = Gateway({"violation": impatient(connectors["violation"], fault)})
    sandbox.fault("violations", **fault)
    assert BREAKER_OPEN not in (reason_of(gateway), reason_of(gateway))
    calls = sandbox.calls("violations")
    assert reason_of(gateway) == BREAKER_OPEN
    assert sandbox.calls("violations") == calls
    sandbox.heal()
    gateway.connectors = {"violation": impatient(connectors["violation"], {"error": "500"})}
    breaker_clock.advance(31)
    assert reason_of(gateway) == ""


@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_a_result_that_never_comes_is_given_up_kindly(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    clock: FixedClock,
    fault: dict[str, Any],
    says: str,
) -> None:
    never = connectors["violation"].breaker.model_copy(update={"failures": 100})
    gateway = Gateway({"violation": impatient(connectors["violation"], fault, breaker=never)})
    service = make_service(gateway=gateway)
    sandbox.fault("violations", **fault)
    result = asyncio.run(service.query("violation", "c1", 1, VEHICLE))
    for _ in range(5):
        clock.advance(timedelta(seconds=16))
        run_pending(service, gateway)
    result = asyncio.run(service.query("violation", "c1", 1, VEHICLE))
    assert result.state == "failed"
    assert result.text.startswith(BUSY if fault.get("error") == "rate_limit" else DOWN)
    assert "12345" in result.text


def test_a_system_that_says_when_to_come_back_is_left_alone_until_then(
    connectors: dict[str, Connector], sandbox: Any
) -> None:
    patient = impatient(connectors["violation"], {"error": "rate_limit"}, retry=connectors["violation"].retry)
    gateway = Gateway({"violation": patient})
    sandbox.fault("violations", error="rate_limit", times=1)
    began = time.monotonic()
    assert reason_of(gateway) == ""
    assert time.monotonic() - began >= 1.0
