"""Lookup jobs over the database: once per message, limited, audited, finished late by the worker."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from services.core.audit import AuditRow
from services.core.clock import FixedClock
from services.core.database import Database
from services.lookups.connectors import Connector
from services.lookups.events import LookupFinished
from services.lookups.gateway import Answer, Gateway
from services.lookups.models import LookupJob
from services.lookups.schemas import LookupResult
from services.lookups.service import LookupService
from services.lookups.tasks import forget_old, run_pending

VEHICLE = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}
WRONG = VEHICLE | {"engine_tail": "000000"}


def ask(
    service: LookupService,
    parameters: dict[str, str],
    *,
    seq: int = 1,
    conversation: str = "c1",
    kind: str = "violation",
) -> LookupResult:
    return asyncio.run(service.query(kind, conversation, seq, parameters))


def jobs(database: Database) -> list[LookupJob]:
    with database.unit_of_work(read_only=True) as uow:
        return list(uow.session.scalars(select(LookupJob).order_by(LookupJob.id)))


def audits(database: Database) -> list[AuditRow]:
    with database.unit_of_work(read_only=True) as uow:
        return list(uow.session.scalars(select(AuditRow).order_by(AuditRow.id)))


def test_placeholders_are_resolved_and_the_reply_masks_them(
    service: LookupService, vault: dict[tuple[str, str], str], database: Database
) -> None:
    vault[("c1", "【车牌1】")] = "粤B7K392"
    vault[("c1", "【发动机号1】")] = "3f0712"
    result = ask(service, {"plate": "【车牌1】", "plate_kind": "小型汽车", "engine_tail": "【发动机号1】"})
    assert result.state == "done"
    assert "粤B7**92" in result.text
    assert (result.data["count"], result.data["unhandled"]) == (3, 2)
    assert "粤B7K392" not in str(result)


def test_a_placeholder_that_cannot_be_resolved_is_asked_for_again(
    service: LookupService, vault: dict[tuple[str, str], str], sandbox: Any
) -> None:
    vault[("other", "【车牌1】")] = "粤B7K392"
    before = sandbox.calls("violations")
    result = ask(service, VEHICLE | {"plate": "【车牌1】"})
    assert (result.state, result.data) == ("failed", {"reason": "unknown_placeholder", "slots": ["plate"]})
    assert "请重新提供" in result.text
    assert sandbox.calls("violations") == before


def test_what_is_no_plate_is_refused_before_anything_is_asked(service: LookupService, database: Database) -> None:
    result = ask(service, VEHICLE | {"plate": "不知道"})
    assert result.data == {"reason": "invalid", "slots": ["plate"]}
    assert result.text == "没有识别出车牌号，请重新提供。"
    assert ask(service, VEHICLE | {"plate_kind": "蓝色的"}).text == "没有识别出号牌种类，请重新提供。"
    missing = {"reason": "incomplete", "slots": ["plate_kind", "engine_tail"]}
    assert ask(service, {"plate": "粤B7K392"}).data == missing
    assert jobs(database) == []


def test_what_is_left_of_a_form_given_up_does_not_disturb_the_next(service: LookupService) -> None:
    left_over = {"plate": "【车牌9】", "plate_kind": "小型汽车"}
    result = ask(service, left_over | {"license_file_no": "440300123456", "id_card": "11010519491231002X"})
    assert result.state == "done"
    assert result.text.startswith("驾驶证 44******3456：共 2 条")


def test_a_vehicle_without_violations_is_told_plainly(service: LookupService) -> None:
    result = ask(service, {"plate": "粤B00001", "plate_kind": "小车", "engine_tail": "A10001"})
    assert (result.state, result.text) == ("done", "车辆 粤B0**01：没有查到交通违法记录。")


def test_nothing_readable_is_left_in_the_row(service: LookupService, database: Database) -> None:
    ask(service, VEHICLE)
    with database.unit_of_work(read_only=True) as uow:
        (row,) = uow.session.execute(text("SELECT * FROM lookup_jobs")).mappings().all()
        (audit,) = uow.session.execute(text("SELECT * FROM audit_log")).mappings().all()
    assert row["parameters"] is None
    for stored in (row, audit):
        assert not any(word in str(dict(stored)) for word in ("粤B7K392", "3F0712", "湖滨路"))


def test_the_same_message_asks_the_system_once(service: LookupService, database: Database, sandbox: Any) -> None:
    before = sandbox.calls("violations")
    first, second = ask(service, VEHICLE), ask(service, VEHICLE)
    assert first == second
    assert sandbox.calls("violations") - before == 1
    assert ask(service, VEHICLE, seq=2).state == "done"
    assert sandbox.calls("violations") - before == 2
    assert len(jobs(database)) == 2


def test_two_simultaneous_calls_for_one_message_ask_once(
    make_service: Callable[..., LookupService], sandbox: Any
) -> None:
    service = make_service(turn_budget_seconds=60)
    sandbox.fault("violations", delay_seconds=60)
    before = sandbox.calls("violations")

    async def both() -> list[LookupResult]:
        first, second = (asyncio.create_task(service.query("violation", "c1", 1, VEHICLE)) for _ in range(2))
        # The one that does not ask has its answer while the system still holds back the other's.
        await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(sandbox.heal)
        return [await first, await second]

    states = sorted(result.state for result in asyncio.run(both()))
    assert states == ["done", "pending"]
    assert sandbox.calls("violations") - before == 1


def test_no_transaction_is_open_while_the_system_is_asked(
    make_service: Callable[..., LookupService], database: Database, sandbox: Any
) -> None:
    service = make_service(turn_budget_seconds=60)
    sandbox.fault("violations", delay_seconds=60)
    before = sandbox.calls("violations")
    thread = threading.Thread(target=ask, args=(service, VEHICLE))
    thread.start()
    while sandbox.calls("violations") == before:
        pass
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with database.unit_of_work() as uow:
        uow.session.execute(text("DELETE FROM audit_log"))
        uow.commit()
    assert thread.is_alive()
    sandbox.heal()
    thread.join()
    assert jobs(database)[0].state == "done"


def test_a_system_that_is_down_is_said_to_be(service: LookupService, database: Database, sandbox: Any) -> None:
    sandbox.fault("violations", error="500")
    result = ask(service, VEHICLE)
    assert (result.state, result.data) == ("failed", {"reason": "system_down", "watch": "violation"})
    assert result.text.startswith("交管系统暂时没有回应，这次没有查到结果。（自 11-21 12:00 起）")
    assert "12345" in result.text
    assert jobs(database)[0].state == "failed"


def test_a_late_result_is_finished_by_the_task_with_its_event(
    make_service: Callable[..., LookupService],
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    service = make_service(turn_budget_seconds=0.2)
    sandbox.fault("violations", delay_seconds=1)
    result = ask(service, VEHICLE, seq=7)
    assert result.state == "pending"
    assert "有结果马上发到这里" in result.text
    assert finished == []
    clock.advance(timedelta(seconds=1))
    assert run_pending(service, gateway) == 1
    (event,) = finished
    assert (event.conversation_id, event.message_seq, event.kind, event.at) == ("c1", 7, "violation", clock.now())
    assert "共 3 条交通违法记录" in event.text
    assert event.data["count"] == 3
    again = ask(service, VEHICLE, seq=7)
    assert (again.state, again.text) == ("done", event.text)
    assert run_pending(service, gateway) == 0


def test_result_and_event_are_one_transaction(
    make_service: Callable[..., LookupService], gateway: Gateway, database: Database, sandbox: Any, clock: FixedClock
) -> None:
    service = make_service(turn_budget_seconds=0.1)
    sandbox.fault("violations", delay_seconds=0.5)
    ask(service, VEHICLE)
    sandbox.heal()
    heard: list[LookupFinished] = []

    def fail_once(uow: object, event: LookupFinished) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise RuntimeError("the conversation could not take it")

    database.bus.on(LookupFinished, fail_once)
    with pytest.raises(BaseException, match="unhandled errors"):
        run_pending(service, gateway)
    assert jobs(database)[0].state == "running"
    clock.advance(timedelta(seconds=70))
    assert run_pending(service, gateway) == 1
    assert jobs(database)[0].state != "running"
    assert len(heard) == 2


def test_a_job_whose_process_died_is_taken_over(
    make_service: Callable[..., LookupService],
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    service = make_service()
    sandbox.fault("violations", delay_seconds=60)

    async def killed() -> None:
        task = asyncio.create_task(service.query("violation", "c1", 1, VEHICLE))
        before = sandbox.calls("violations")
        while sandbox.calls("violations") == before:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(killed())
    sandbox.heal()
    assert run_pending(service, gateway) == 0
    clock.advance(timedelta(seconds=15))
    assert run_pending(service, gateway) == 1
    assert [event.data["count"] for event in finished] == [3]


def test_a_job_is_given_up_after_its_minute_and_the_citizen_hears_it(
    make_service: Callable[..., LookupService],
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    service = make_service(turn_budget_seconds=0.1)
    sandbox.fault("violations", error="500")
    sandbox.fault("violations", delay_seconds=5)
    assert ask(service, VEHICLE).state == "pending"
    clock.advance(timedelta(seconds=61))
    calls = sandbox.calls("violations")
    assert run_pending(service, gateway) == 1
    assert sandbox.calls("violations") == calls
    (event,) = finished
    assert event.text.startswith("交管系统暂时没有回应")
    assert jobs(database)[0].state == "failed"


def test_attempts_of_the_task_are_bounded(
    make_service: Callable[..., LookupService],
    gateway: Gateway,
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    service = make_service(turn_budget_seconds=0.1)
    sandbox.fault("violations", delay_seconds=5)
    ask(service, VEHICLE)
    sandbox.fault("violations", error="500")
    rounds = 0
    while jobs(database)[0].state == "pending":
        clock.advance(timedelta(seconds=5))
        rounds += run_pending(service, gateway)
    assert jobs(database)[0].attempts == rounds + 1 == 4
    assert len(finished) == 1


def test_an_unsafe_call_is_never_repeated_by_the_task(
    make_service: Callable[..., LookupService], connectors: dict[str, Connector], database: Database, sandbox: Any
) -> None:
    unsafe = [one.model_copy(update={"safe": False}) for one in connectors["violation"].requests]
    gateway = Gateway({"violation": connectors["violation"].model_copy(update={"requests": unsafe})})
    service = make_service(gateway=gateway, turn_budget_seconds=0.1)
    sandbox.fault("violations", delay_seconds=5)
    assert ask(service, VEHICLE).state == "failed"
    assert jobs(database)[0].state == "failed"


def test_two_workers_do_not_finish_the_same_job_twice(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    service = make_service(turn_budget_seconds=0.1)
    sandbox.fault("violations", delay_seconds=0.4)
    for seq in range(4):
        ask(service, VEHICLE, seq=seq, conversation=f"c{seq}")
    clock.advance(timedelta(seconds=1))
    start = threading.Barrier(2)
    tried: list[int] = []

    def work() -> None:
        gateway = Gateway(connectors)
        worker = make_service(gateway=gateway)
        start.wait()
        tried.append(run_pending(worker, gateway))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(tried) == 4
    assert sorted(event.conversation_id for event in finished) == ["c0", "c1", "c2", "c3"]


def test_a_lookup_slower_than_its_lease_is_told_once_by_the_worker_that_has_it_then(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    sandbox.fault("violations", delay_seconds=0.4)
    ask(make_service(turn_budget_seconds=0.1), VEHICLE)
    sandbox.heal()
    clock.advance(timedelta(seconds=1))
    others: list[int] = []

    class Silent(Gateway):
        async def ask(self, *given: Any, **options: Any) -> Answer:
            answer = await super().ask(*given, **options)
            # The answer is there, and its worker is not heard of until its lease is over.
            others.append(await make_service().finish_due())
            clock.advance(timedelta(seconds=65))
            others.append(await make_service().finish_due())
            return answer

    silent = Silent(connectors)
    assert run_pending(make_service(gateway=silent), silent) == 1
    assert others == [0, 1]
    # After a minute the other one gives up; what the first one brings then is late.
    assert [event.data["reason"] for event in finished] == ["system_down"]
    (job,) = jobs(database)
    assert (job.state, job.attempts, job.lease_owner) == ("failed", 3, None)


def test_a_call_that_may_not_be_repeated_is_not_when_its_worker_fell_silent(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    finished: list[LookupFinished],
    clock: FixedClock,
) -> None:
    unsafe = [one.model_copy(update={"safe": False}) for one in connectors["violation"].requests]
    gateway = Gateway({"violation": connectors["violation"].model_copy(update={"requests": unsafe})})
    service = make_service(gateway=gateway)
    sandbox.fault("violations", delay_seconds=60)
    before = sandbox.calls("violations")

    async def killed() -> None:
        task = asyncio.create_task(service.query("violation", "c1", 1, VEHICLE))
        while sandbox.calls("violations") == before:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(killed())
    sandbox.heal()
    clock.advance(timedelta(seconds=15))
    assert run_pending(service, gateway) == 1
    assert sandbox.calls("violations") == before + 1
    assert [event.data["reason"] for event in finished] == ["system_down"]
    assert jobs(database)[0].state == "failed"


def test_wrong_guesses_are_limited_per_conversation(
    service: LookupService, database: Database, sandbox: Any, clock: FixedClock
) -> None:
    for seq in range(5):
        assert ask(service, WRONG | {"plate": f"粤B7K39{seq}"}, seq=seq).state == "mismatch"
    calls = sandbox.calls("violations")
    refused = ask(service, VEHICLE, seq=6)
    assert (refused.state, refused.data) == ("failed", {"reason": "limited"})
    assert sandbox.calls("violations") == calls
    assert ask(service, VEHICLE, seq=1, conversation="c2").state == "done"
    clock.advance(timedelta(minutes=61))
    assert ask(service, VEHICLE, seq=7).state == "done"
    assert audits(database)[5].detail == {"outcome": "limited"}


def test_wrong_guesses_are_limited_per_identifier(service: LookupService, clock: FixedClock) -> None:
    for number in range(5):
        assert ask(service, WRONG, conversation=f"c{number}").state == "mismatch"
    assert ask(service, VEHICLE, conversation="c9").data == {"reason": "limited"}
    other = {"plate": "粤B00001", "plate_kind": "小型汽车", "engine_tail": "A10001"}
    assert ask(service, other, conversation="c9", seq=2).state == "done"


def test_simultaneous_guesses_cannot_slip_past_the_limit(service: LookupService, sandbox: Any) -> None:
    before = sandbox.calls("violations")

    async def storm() -> list[LookupResult]:
        calls = (service.query("violation", f"c{number}", 1, WRONG) for number in range(20))
        return await asyncio.gather(*calls)

    states = [result.state for result in asyncio.run(storm())]
    assert states.count("mismatch") == 5
    assert sandbox.calls("violations") - before == 5


def test_households_that_do_not_exist_count_as_guesses(service: LookupService) -> None:
    for seq in range(5):
        wanted = {"household_no": f"9000000{seq}", "bill_kind": "水费"}
        assert ask(service, wanted, seq=seq, kind="bill").state == "not_found"
    known = {"household_no": "80013327", "bill_kind": "水费"}
    assert ask(service, known, seq=6, kind="bill").data == {"reason": "limited"}


def test_each_access_leaves_an_audit_row_with_a_hash_for_subject(
    service: LookupService, database: Database, secrets: Any
) -> None:
    ask(service, VEHICLE)
    (row,) = audits(database)
    assert (row.actor, row.action, row.detail) == ("conversation:c1", "lookup.violation", {"outcome": "asked"})
    assert row.subject == secrets.keyed_hash("violation:粤B7K392")


def test_a_fresh_answer_is_reused_and_audited(
    make_service: Callable[..., LookupService],
    connectors: dict[str, Connector],
    database: Database,
    sandbox: Any,
    clock: FixedClock,
) -> None:
    caching = connectors["violation"].model_copy(update={"cache_seconds": 60.0})
    service = make_service(gateway=Gateway({"violation": caching}))
    before = sandbox.calls("violations")
    first = ask(service, VEHICLE)
    assert ask(service, VEHICLE, seq=2) == first
    assert ask(service, WRONG, seq=3).state == "mismatch"
    assert sandbox.calls("violations") - before == 2
    clock.advance(timedelta(seconds=61))
    ask(service, VEHICLE, seq=4)
    assert sandbox.calls("violations") - before == 3
    assert [row.detail["outcome"] for row in audits(database)] == ["asked", "cached", "asked", "asked"]


def test_progress_of_an_own_case_is_told_to_its_citizen_only(
    make_service: Callable[..., LookupService], sandbox: Any
) -> None:
    def case_progress(case_no: str, conversation_id: str, phone_tail: str | None) -> dict[str, Any] | None:
        mine = case_no == "GD2026112100001" and (conversation_id == "c1" or phone_tail == "6125")
        return {"case_no": case_no, "status": "assigned", "department": "城管局"} if mine else None

    service = make_service(case_progress=case_progress)
    before = sandbox.calls("progress")
    assert (
        ask(service, {"case_no": "gd2026112100001"}, kind="progress").text
        == "工单 GD2026112100001：已受理\n承办部门：城管局"
    )
    for case_no in ("GD2026112100001", "GD2026112199999"):
        asked = ask(service, {"case_no": case_no}, kind="progress", conversation="c2")
        assert asked.data == {"reason": "incomplete", "slots": ["phone_tail"]}
    checked = {"case_no": "GD2026112100001", "phone_tail": "6125"}
    assert ask(service, checked, kind="progress", conversation="c2").text.startswith("工单 GD2026112100001：已受理")
    wrong = ask(service, checked | {"phone_tail": "0000"}, kind="progress", conversation="c2", seq=2)
    none = ask(service, {"case_no": "GD2026112199999", "phone_tail": "6125"}, kind="progress", conversation="c2", seq=3)
    assert wrong == none
    assert wrong.state == "mismatch"
    assert sandbox.calls("progress") == before
    matter = {"case_no": "BJ202608150021", "phone_tail": "6125"}
    assert "不动产转移登记" in ask(service, matter, kind="progress", seq=2).text


def test_wrong_checks_of_an_own_case_are_guesses_and_audited(
    make_service: Callable[..., LookupService], database: Database, secrets: Any
) -> None:
    service = make_service(case_progress=lambda case_no, conversation_id, phone_tail: None)
    for seq in range(5):
        guess = {"case_no": "GD2026112100001", "phone_tail": f"000{seq}"}
        assert ask(service, guess, kind="progress", seq=seq, conversation=f"c{seq}").state == "mismatch"
    guess = {"case_no": "GD2026112100001", "phone_tail": "6125"}
    assert ask(service, guess, kind="progress", conversation="c9").data == {"reason": "limited"}
    assert {row.subject for row in audits(database)} == {secrets.keyed_hash("progress:GD2026112100001")}
    assert [row.detail["outcome"] for row in audits(database)] == ["asked"] * 5 + ["limited"]


def test_progress_without_the_check_is_not_asked_of_the_system(service: LookupService, sandbox: Any) -> None:
    before = sandbox.calls("progress")
    result = ask(service, {"case_no": "BJ202608150021"}, kind="progress")
    assert result.data == {"reason": "incomplete", "slots": ["phone_tail"]}
    assert sandbox.calls("progress") == before
    wrong = {"case_no": "BJ202608150021", "phone_tail": "0000"}
    assert ask(service, wrong, kind="progress", seq=2).state == "mismatch"


def test_a_kind_without_connector_is_not_open_yet(make_service: Callable[..., LookupService]) -> None:
    service = make_service(gateway=Gateway({}))
    assert ask(service, VEHICLE).data == {"reason": "no_connector"}


def test_finished_jobs_are_forgotten_after_their_retention(
    service: LookupService, database: Database, clock: FixedClock
) -> None:
    ask(service, VEHICLE)
    assert forget_old(service) == 0
    clock.advance(timedelta(days=31))
    assert forget_old(service) == 1
    assert jobs(database) == []
