"""Nobody walks through other people's numbers: limits per citizen and per identifier, over replicas."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.database import Database
from services.lookups.connectors import Connector
from services.lookups.gateway import Gateway
from services.lookups.schemas import LookupResult
from services.lookups.service import LookupService


def at_once(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    asked: list[tuple[str, int, dict[str, str]]],
) -> list[LookupResult]:
    """Each question by a replica of its own: another thread, another loop, another gateway."""
    start = threading.Barrier(len(asked))
    results: list[LookupResult] = []

    def ask(conversation: str, seq: int, parameters: dict[str, str]) -> None:
        service = make_service(gateway=Gateway(connectors))
        start.wait()
        results.append(asyncio.run(service.query("violation", conversation, seq, parameters)))

    threads = [threading.Thread(target=ask, args=one) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_citizen_cannot_guess_more_often_by_asking_several_replicas_at_once(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], sandbox: Any
) -> None:
    asked = [
        ("c1", seq, {"plate": f"粤B9900{seq}", "plate_kind": "小型汽车", "engine_tail": "000000"}) for seq in range(10)
    ]
    before = sandbox.calls("violations")
    states = [result.state for result in at_once(make_service, connectors, asked)]
    assert states.count("mismatch") == 5
    assert sandbox.calls("violations") - before == 5


def test_many_citizens_cannot_guess_at_one_plate_by_several_replicas_at_once(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], sandbox: Any
) -> None:
    wrong = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "000000"}
    before = sandbox.calls("violations")
    states = [
        result.state for result in at_once(make_service, connectors, [(f"c{number}", 1, wrong) for number in range(10)])
    ]
    assert states.count("mismatch") == 5
    assert sandbox.calls("violations") - before == 5


def test_a_citizen_who_guesses_right_all_the_time_still_reaches_an_end(
    make_service: Callable[..., LookupService], database: Database, clock: FixedClock, sandbox: Any
) -> None:
    service = make_service(identifiers_per_day=3)

    def ask(number: int, seq: int) -> LookupResult:
        wanted = {"household_no": f"8003{number:04d}", "bill_kind": "水费"}
        return asyncio.run(service.query("bill", "c1", seq, wanted))

    assert [ask(number, number).state for number in range(3)] == ["done"] * 3
    assert ask(3, 3).data == {"reason": "limited"}
    assert ask(2, 4).state == "done"
    with database.unit_of_work(read_only=True) as uow:
        outcomes = [row.detail["outcome"] for row in uow.session.scalars(select(AuditRow).order_by(AuditRow.id))]
    assert outcomes == ["asked"] * 3 + ["limited", "asked"]
    clock.advance(timedelta(days=1, minutes=1))
    assert ask(3, 5).state == "done"
