"""Alarms in masses are all kept, and none of them pushes a real one out of sight."""

import threading
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.cases import service as cases
from services.cases.tasks import deal_queues
from services.notifications.models import StaffNotice
from tests.integration.cases.conftest import Desk

FLOOD, ELSEWHERE = "f" * 64, "e" * 64


def alarm(desk: Desk, conversation: str, origin: str = FLOOD, per_hour: int = 10) -> Any:
    return desk.open(kind="urgent", conversation_id=conversation, alarms=cases.AlarmsFrom(origin, per_hour))


def flood(desk: Desk, count: int = 55) -> list[Any]:
    return [alarm(desk, f"flood-{number}") for number in range(count)]


def listed(desk: Desk) -> list[str]:
    return [case.case_no for case in desk.run(cases.list_cases, user=desk.boss, limit=100).cases]


def urgent_notices(desk: Desk, recipient: str = "role:supervisor") -> list[dict[str, Any]]:
    with desk.database.unit_of_work(read_only=True) as uow:
        found = uow.session.scalars(
            sa.select(StaffNotice.body)
            .where(StaffNotice.kind == "case_urgent", StaffNotice.recipient == recipient)
            .order_by(StaffNotice.id)
        )
        return list(found)


def test_fifty_five_false_alarms_from_one_address_do_not_push_a_real_one_out_of_sight(desk: Desk) -> None:
    normal = desk.open(conversation_id="normal").case_no
    false = flood(desk)
    real = alarm(desk, "real", ELSEWHERE).case_no
    assert len({case.case_no for case in false}) == 55
    assert [case.doubtful for case in false] == [False] * 10 + [True] * 45
    order = listed(desk)
    assert set(order) == {normal, real, *(case.case_no for case in false)}
    assert order.index(real) <= 10
    assert order.index(normal) < min(order.index(case.case_no) for case in false if case.doubtful)


def test_each_alarm_from_elsewhere_is_told_and_the_doubtful_ones_together_once_an_hour(desk: Desk) -> None:
    false = flood(desk)
    real = alarm(desk, "real", ELSEWHERE)
    told = urgent_notices(desk)
    assert [body["case_no"] for body in told] == [case.case_no for case in [*false[:11], real]]
    assert [body.get("doubtful", False) for body in told] == [False] * 10 + [True, False]
    desk.clock.advance(timedelta(minutes=20))
    desk.sweep()
    desk.sweep()
    late = [recipient for kind, recipient in desk.outbox() if kind == "case_breach"]
    # Ten that were believed, the real one, and one notice for all the others.
    assert late.count("role:supervisor") == 12


def test_an_alarm_beyond_the_limit_is_a_full_case_with_its_clock_and_whoever_takes_it_decides(desk: Desk) -> None:
    doubtful = flood(desk, 11)[-1]
    assert doubtful.doubtful
    assert doubtful.priority == "urgent"
    assert doubtful.clocks[0].due_at - desk.clock.now() == timedelta(minutes=15)
    assert desk.detail(doubtful.case_no).events[0].data["doubtful"] is True
    taken = desk.do(cases.claim, doubtful.case_no, desk.li)
    assert not taken.doubtful
    assert doubtful.case_no in listed(desk)[:11]


def test_a_doubtful_alarm_is_dealt_to_nobody_by_itself(desk: Desk) -> None:
    flood(desk, 11)
    deal_queues(desk.database, desk.clock.now())
    assert [case.assignee for case in desk.run(cases.list_cases, user=desk.boss, limit=100).cases][-1] is None


def test_the_alarms_of_one_conversation_are_one_case_and_tell_at_most_once_a_minute_after_the_first(desk: Desk) -> None:
    numbers = {alarm(desk, "shouting").case_no for _ in range(55)}
    assert len(numbers) == 1
    first = len(urgent_notices(desk))
    assert 4 <= first <= 6
    assert not desk.detail(numbers.pop()).doubtful
    desk.clock.advance(timedelta(minutes=1))
    alarm(desk, "shouting")
    assert len(urgent_notices(desk)) == first + 1


def test_a_case_that_is_raised_beyond_the_limit_is_doubtful_and_where_nobody_knows_the_address_none_is(
    desk: Desk,
) -> None:
    asked = desk.open(conversation_id="asked").case_no
    flood(desk, 10)
    assert alarm(desk, "asked").case_no == asked
    assert desk.detail(asked).doubtful
    assert not any(alarm(desk, f"unknown-{number}", "").doubtful for number in range(20))


def test_an_hour_later_alarms_from_there_are_believed_again(desk: Desk) -> None:
    flood(desk, 12)
    desk.clock.advance(timedelta(hours=2))
    assert not alarm(desk, "later").doubtful


def test_twelve_processes_at_once_believe_no_more_alarms_than_one(desk: Desk) -> None:
    start, doubtful = threading.Barrier(12), []

    def send(number: int) -> None:
        start.wait()
        doubtful.append(alarm(desk, f"at-once-{number}", per_hour=5).doubtful)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(doubtful) == [False] * 5 + [True] * 7
