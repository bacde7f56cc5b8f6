"""How long wrong passwords make the next one wait."""

from datetime import UTC, datetime, timedelta

from services.accounts.brakes import FORGOTTEN_AFTER, NO_WAIT, Brake

NOW = datetime(2026, 11, 17, 2, 30, tzinfo=UTC)
BRAKE = Brake(free=3, first=timedelta(seconds=30), longest=timedelta(minutes=15))


def waits(*failures: int) -> list[float]:
    return [BRAKE.wait(one, NOW, NOW) / timedelta(seconds=1) for one in failures]


def test_the_first_mistakes_cost_nothing_and_each_further_one_twice_as_long() -> None:
    assert waits(0, 1, 2) == [0, 0, 0]
    assert waits(3, 4, 5, 6) == [30, 60, 120, 240]


def test_no_wait_is_longer_than_the_longest_however_many_mistakes_were_made() -> None:
    assert waits(8, 9, 100, 2**31 - 1) == [900, 900, 900, 900]


def test_a_wait_counts_from_the_last_mistake_and_ends() -> None:
    assert BRAKE.wait(3, NOW, NOW + timedelta(seconds=20)) == timedelta(seconds=10)
    assert BRAKE.wait(3, NOW, NOW + timedelta(seconds=30)) == NO_WAIT


def test_mistakes_of_long_ago_are_forgotten_however_long_their_wait_would_be() -> None:
    patient = Brake(free=1, first=timedelta(days=1), longest=timedelta(days=1))
    assert patient.wait(1, NOW, NOW + FORGOTTEN_AFTER - timedelta(seconds=1)) > NO_WAIT
    assert patient.wait(1, NOW, NOW + FORGOTTEN_AFTER) == NO_WAIT


def test_a_clock_that_was_set_back_makes_nobody_wait_for_longer_than_the_step_and_the_longest() -> None:
    step = timedelta(minutes=1)
    assert BRAKE.wait(100, NOW + step, NOW) == BRAKE.longest + step
