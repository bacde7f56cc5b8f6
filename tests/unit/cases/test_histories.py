"""Random histories of cases against a slow oracle that replays their events; `make soak` plays on with others."""

from typing import Any

import pytest

from services.cases import clockwork, life
from tests.soak.histories import play

# A hundred thousand in all.
EVENTS = 25_000
SEED = 20261130
KINDS = ("held", "resumed", "raised", "transferred", "absorbed", "reopened", "extended", "recomputed", "withdrawn")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_random_events_leave_every_clock_where_a_slow_oracle_has_it(part: int) -> None:
    played = play(SEED + part, EVENTS)
    assert played.differences == []
    assert played.events >= EVENTS
    assert all(played.counts[kind] > 300 for kind in KINDS), played.counts


def _raised_from_the_opening(clock: Any, at: Any, terms: Any) -> Any:
    return original["raised"](clock, clock.started_at, terms)


def _wait_forgotten(clock: Any, held_at: Any, at: Any, terms: Any) -> Any:
    return clockwork.standing(clock, None)


def _missed_by_whoever_has_it_now(hands: Any, at: Any) -> Any:
    return hands[-1][1]


def _never_missing(state: Any, target: Any) -> bool:
    return False


def _nothing_taken_over(other: Any) -> Any:
    return [promise for promise in other.promises if promise.why == "raised"] or list(other.promises[:1])


original = {"raised": clockwork.raised}


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (clockwork, "raised", _raised_from_the_opening),
        (clockwork, "resumed", _wait_forgotten),
        (clockwork, "in_hand", _missed_by_whoever_has_it_now),
        (life, "_is_missing", _never_missing),
        (clockwork, "taken_over", _nothing_taken_over),
    ],
)
def test_the_oracle_notices_a_rule_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, broken: Any
) -> None:
    monkeypatch.setattr(module, name, broken)
    assert play(SEED, 20_000).differences != []
