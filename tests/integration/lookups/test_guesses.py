"""Nobody walks through other people's numbers: limits per citizen and per identifier, over replicas."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.database import Database
from services.core.limits import PerAddress
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


WRONG = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "000000"}
# What the owner of that plate knows.
OWNED = {**WRONG, "engine_tail": "3F0712"}


def from_address(conversation_id: str) -> str:
    """Tests name a conversation by where it comes from: `address/number`."""
    return hashlib.sha256(conversation_id.partition("/")[0].encode()).hexdigest()


def ask(service: LookupService, conversation: str, seq: int, parameters: dict[str, str]) -> LookupResult:
    return asyncio.run(service.query("violation", conversation, seq, parameters))


def bill(service: LookupService, conversation: str, number: int) -> LookupResult:
    wanted = {"household_no": f"8003{number:04d}", "bill_kind": "水费"}
    return asyncio.run(service.query("bill", conversation, 1, wanted))


def test_five_wrong_guesses_of_strangers_do_not_lock_the_owner_of_a_plate_out(
    make_service: Callable[..., LookupService],
) -> None:
    service = make_service(origin_of=from_address)
    guesses = [ask(service, f"stranger/{number}", 1, WRONG).state for number in range(5)]
    assert guesses == ["mismatch"] * 5
    assert ask(service, "stranger/9", 1, WRONG).data == {"reason": "limited"}
    assert ask(service, "owner/1", 1, OWNED).state == "done"


def test_who_mistyped_behind_the_address_of_a_guesser_waits_minutes_and_no_hour(
    make_service: Callable[..., LookupService], clock: FixedClock
) -> None:
    service = make_service(origin_of=from_address)
    for number in range(5):
        ask(service, f"shared/{number}", 1, WRONG)
    refused = ask(service, "shared/owner", 1, OWNED)
    assert "1 分钟后再试" in refused.text
    clock.advance(timedelta(minutes=1))
    assert ask(service, "shared/owner", 2, OWNED).state == "done"
    # Answered once, the conversation is known: what strangers do next to it counts no more.
    ask(service, "shared/6", 1, WRONG)
    assert ask(service, "shared/owner", 3, OWNED).state == "done"


def test_the_wait_grows_with_each_guess_from_one_address_whatever_the_conversation(
    make_service: Callable[..., LookupService], clock: FixedClock, sandbox: Any
) -> None:
    service = make_service(origin_of=from_address)
    before = sandbox.calls("violations")
    for minute in range(60):
        ask(service, f"stranger/{minute}", 1, WRONG)
        ask(service, f"stranger/{minute}x", 1, WRONG)
        clock.advance(timedelta(minutes=1))
    assert 5 < sandbox.calls("violations") - before <= 12


def test_household_numbers_cannot_be_walked_by_opening_new_conversations(
    make_service: Callable[..., LookupService], sandbox: Any
) -> None:
    replicas = [make_service(origin_of=from_address, per_address=PerAddress(identifiers=30)) for _ in range(3)]
    states = [bill(replicas[number % 3], f"walker/{number}", number).state for number in range(90)]
    assert len([state for state in states if state != "failed"]) == 30
    assert bill(replicas[0], "neighbour/1", 1).state == "done"


def test_numbers_that_do_not_exist_end_a_walk_sooner(make_service: Callable[..., LookupService]) -> None:
    service = make_service(origin_of=from_address, per_address=PerAddress(wrong_guesses=10))
    asked = [
        ask(service, f"walker/{number}", 1, {**WRONG, "plate": f"粤B99{number:03d}"}).state for number in range(25)
    ]
    assert asked == ["mismatch"] * 10 + ["failed"] * 15


def test_one_address_cannot_guess_more_often_by_asking_several_replicas_at_once(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], sandbox: Any
) -> None:
    def replica(**changes: Any) -> LookupService:
        return make_service(origin_of=from_address, per_address=PerAddress(wrong_guesses=6), **changes)

    asked = [(f"walker/{number}", 1, {**WRONG, "plate": f"粤B9900{number}"}) for number in range(10)]
    before = sandbox.calls("violations")
    states = [result.state for result in at_once(replica, connectors, asked)]
    assert states.count("mismatch") == 6
    assert sandbox.calls("violations") - before == 6
