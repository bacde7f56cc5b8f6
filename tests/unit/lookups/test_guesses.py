"""How long who has guessed waits, and that nobody waits for the guesses of strangers."""

from datetime import timedelta

import pytest

from services.core.clock import parse_moment
from services.lookups.guesses import DAY, HOUR, At, Guessed, GuessLimits, wait

NOW = parse_moment("2026-11-16T10:00")
NONE = timedelta(0)
LIMITS = GuessLimits(of_conversation=5, of_origin=60, identifiers=20, identifiers_of_origin=300)


def after(guessed: Guessed) -> timedelta:
    return wait(guessed, LIMITS, NOW)


def test_who_guesses_on_at_one_number_waits_longer_each_time_and_never_longer_than_a_quarter_of_an_hour() -> None:
    waits = [after(Guessed(from_here=At(count, NOW))) for count in range(4, 12)]
    assert [int(one / timedelta(minutes=1)) for one in waits] == [0, 1, 2, 4, 8, 15, 15, 15]


def test_a_wait_passes_with_the_time_since_the_last_guess() -> None:
    assert after(Guessed(from_here=At(7, NOW - timedelta(minutes=3)))) == timedelta(minutes=1)
    assert after(Guessed(from_here=At(7, NOW - timedelta(minutes=4)))) == NONE


@pytest.mark.parametrize("strangers", [5, 19])
def test_guesses_of_strangers_from_elsewhere_keep_nobody_out(strangers: int) -> None:
    assert after(Guessed(from_anywhere=At(strangers, NOW))) == NONE


def test_a_crowd_of_addresses_is_slowed_at_one_number_to_no_more_than_some_hundred_tries_a_day() -> None:
    moment, last, tries = NOW, NOW, 0
    while moment < NOW + DAY:
        left = wait(Guessed(from_anywhere=At(tries, last)), LIMITS, moment)
        if left:
            moment += left
            continue
        tries, last = tries + 1, moment
        moment += timedelta(seconds=1)
    assert 20 < tries < 160


def test_who_was_answered_about_this_number_before_is_let_in_whatever_others_did() -> None:
    crowd = Guessed(by_origin=500, from_here=At(50, NOW), from_anywhere=At(500, NOW), identifiers_by_origin=900)
    assert after(crowd) > NONE
    known = Guessed(**{**vars(crowd), "is_known": True})
    assert after(known) == NONE
    assert after(Guessed(**{**vars(known), "by_conversation": 5})) == HOUR


@pytest.mark.parametrize(
    "full",
    [
        Guessed(by_conversation=5),
        Guessed(by_origin=60),
        Guessed(identifiers=20),
        Guessed(identifiers_by_origin=300),
    ],
)
def test_each_limit_by_the_hour_or_the_day_says_an_hour(full: Guessed) -> None:
    assert after(full) == HOUR
