"""Three hundred citizens at once, and everything else at the same moment."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from services.appointments.booking import Refused
from services.appointments.models import Appointment, Slot
from services.core.clock import parse_moment
from tests.integration.appointments.changing import city, outcome
from tests.integration.appointments.test_booking import copy_city

MONDAY = "2026-11-23T09:00"
TUESDAY = "2026-11-24T09:00"
CITIZENS, PLACES = 300, 50
THREADS = 30


def outcomes(actions: list[Callable[[], Any]]) -> list[Any]:
    """Run the actions at the same moment, as many at once as the database has connections."""
    together = min(len(actions), THREADS)
    barrier = threading.Barrier(together)
    first = set(range(together))

    def run(number: int, action: Callable[[], Any]) -> Any:
        if number in first:
            barrier.wait()
        try:
            return action()
        except Refused as refused:
            return refused.reason

    with ThreadPoolExecutor(together) as pool:
        return list(pool.map(run, range(len(actions)), actions))


def test_three_hundred_citizens_at_once_for_fifty_places_give_exactly_fifty(desk: Any, tmp_path: Any) -> None:
    desk.apply(copy_city(tmp_path, "count: 3, per_hour: 4", "count: 10, per_hour: 5"))
    assert desk.free(MONDAY) == PLACES
    results = outcomes([partial(desk.book, number, MONDAY, key=f"k{number}") for number in range(CITIZENS)])
    booked = [result for result in results if not isinstance(result, str)]
    assert len(booked) == PLACES
    assert Counter(result for result in results if isinstance(result, str)) == {"full": CITIZENS - PLACES}
    rows = desk.rows(Appointment)
    assert sorted(row.no for row in rows) == sorted(one.no for one in booked)
    assert len({row.person_hash for row in rows}) == len({row.code for row in rows}) == PLACES
    (slot,) = desk.rows(Slot)
    assert (slot.booked, slot.capacity) == (PLACES, PLACES)


def test_one_person_who_books_twenty_times_at_once_has_one_appointment(desk: Any) -> None:
    hours = ["09:00", "10:00", "11:00", "14:00", "15:00"] * 4
    results = outcomes([partial(desk.book, 1, f"2026-11-23T{hour}", key=f"k{n}") for n, hour in enumerate(hours)])
    assert Counter(result if isinstance(result, str) else "booked" for result in results) == {"booked": 1, "live": 19}
    assert desk.counted()


def test_the_same_request_at_once_is_one_booking(desk: Any) -> None:
    results = outcomes([partial(desk.book, 1, MONDAY, key="same")] * 10)
    assert len({result.no for result in results}) == 1
    assert desk.live() == 1
    assert desk.counted()


def test_cancelling_moving_waiting_and_booking_at_once_keep_every_counter_right(desk: Any) -> None:
    held = desk.fill_up(MONDAY)
    for number in range(6):
        desk.wait(number, MONDAY, "2026-11-23T10:00")
    actions: list[Callable[[], Any]] = [partial(desk.cancel, one.no, key=f"x{one.no}") for one in held[:4]]
    actions += [partial(desk.move, one.no, TUESDAY, key=f"m{one.no}") for one in held[4:8]]
    actions += [partial(desk.book, 500 + number, MONDAY, key=f"b{number}") for number in range(8)]
    actions += [partial(desk.book, 600 + number, TUESDAY, key=f"t{number}") for number in range(8)]
    outcomes(actions)
    desk.sweep()
    assert desk.counted()
    (monday,) = desk.rows(Slot, Slot.start_at == parse_moment(MONDAY))
    # Eight places became free and six people waited: whoever came afresh got what was left, nobody more.
    assert monday.booked <= monday.capacity
    assert desk.waiting() == []
    assert [one.dedupe for one in desk.news] == list(dict.fromkeys(one.dedupe for one in desk.news))


def test_two_cancellations_at_once_fill_two_different_people(desk: Any) -> None:
    held = desk.fill_up(MONDAY)
    for number in range(4):
        desk.wait(number, MONDAY, "2026-11-23T10:00")
    outcomes([partial(desk.cancel, one.no, key=f"x{one.no}") for one in held[:2]])
    desk.sweep()
    assert sorted(one.conversation_id for one in desk.news) == ["c0", "c1"]
    assert desk.counted()


def test_many_sweeps_at_once_remind_each_person_once(desk: Any) -> None:
    for number in range(10):
        desk.book(number, MONDAY)
    desk.want_reminders(*range(10))
    desk.at("2026-11-22T11:00")
    swept = outcomes([desk.sweep] * 4)
    assert sum(one.reminded for one in swept) == 10
    assert len(desk.news) == 10


def test_hours_that_change_while_many_book_give_no_place_by_the_old_ones_afterwards(desk: Any, tmp_path: Any) -> None:
    longer = city(tmp_path / "a", [("13:00", "17:00")], per_hour=6)
    shorter = city(tmp_path / "b", [("13:30", "17:00")], per_hour=6)
    desk.apply(longer)
    for number, directory in enumerate([shorter, longer] * 3):
        people = range(number * 10, number * 10 + 10)
        booking = [
            partial(outcome, desk.book, who, f"2026-11-23T13:{'00' if who % 2 else '30'}", key=f"k{who}")
            for who in people
        ]
        results = outcomes([*booking[:5], partial(desk.apply, directory), *booking[5:]])
        assert {result[:2] for result in results if isinstance(result, str)} <= {"YY", "fu", "cl"}
        assert desk.counted()
        start = "2026-11-23T13:30" if directory is shorter else "2026-11-23T13:00"
        free = desk.free(start)
        got = [outcome(desk.book, 5000 + number * 10 + one, start) for one in range(free + 1)]
        assert [result[:2] for result in got] == ["YY"] * free + ["fu"]
        for no in got[:-1]:
            desk.cancel(no)
    assert desk.live() <= 6
