"""How long somebody who has guessed has to wait before the next lookup. Pure: counts in, a time out.

A guess is a lookup that found nothing or whose check did not fit. It is counted by conversation (an hour), by where it
came from, and at the number that was asked for (a day), over all conversations. At a number nobody is locked out by the
guesses of strangers: whoever guessed there waits, longer each time, and whoever comes from elsewhere is let in. Only
the pace at one number is bounded over everybody, so that a crowd of addresses does not try a short check out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FREE_AT_NUMBER = 5
FREE_AT_NUMBER_OVER_ALL = 20
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)


class GuessLimits(NamedTuple):
    """Wrong guesses an hour of one conversation and of one origin; different identifiers a day of each."""

    of_conversation: int
    of_origin: int
    identifiers: int
    identifiers_of_origin: int


@dataclass(frozen=True)
class At:
    """Wrong guesses at one number within a day, and the last of them."""

    count: int = 0
    last: datetime | None = None


NEVER = At()


@dataclass(frozen=True)
class Guessed:
    """What has been asked before a lookup. The identifiers are the others than its own.

    `is_known`: this conversation has had an answer about this very number, so nobody guesses. `by_origin` and
    `identifiers_by_origin` are 0 where the origin is not known; `from_here` counts those whose origin is not known as
    one.
    """

    by_conversation: int = 0
    by_origin: int = 0
    from_here: At = NEVER
    from_anywhere: At = NEVER
    identifiers: int = 0
    identifiers_by_origin: int = 0
    is_known: bool = False


def wait(guessed: Guessed, limits: GuessLimits, now: datetime) -> timedelta:
    """How long until this lookup may be made; zero: now. A limit by the hour or the day says an hour."""
    if guessed.by_conversation >= limits.of_conversation or guessed.identifiers >= limits.identifiers:
        return HOUR
    if guessed.is_known:
        return timedelta(0)
    if guessed.by_origin >= limits.of_origin or guessed.identifiers_by_origin >= limits.identifiers_of_origin:
        return HOUR
    here = _left(guessed.from_here, guessed.from_here.count - FREE_AT_NUMBER, now)
    # Ten more guesses of anybody double it.
    anywhere = _left(guessed.from_anywhere, (guessed.from_anywhere.count - FREE_AT_NUMBER_OVER_ALL) // 10, now)
    return max(here, anywhere)


def _left(at: At, beyond: int, now: datetime) -> timedelta:
    if beyond < 0 or at.last is None:
        return timedelta(0)
    grown = min(FIRST_WAIT * (1 << min(beyond, 10)), LONGEST_WAIT)
    return max(at.last + grown - now, timedelta(0))
