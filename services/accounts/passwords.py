"""Hashes of passwords: what they cost, and how many are made at once."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import ARGON2_VERSION

from services.core.limits import Gate


def usual_hasher() -> PasswordHasher:
    """Argon2id with the memory and passes of RFC 9106 (section 4, second choice), in one lane: with four of them two
    hashes at once would be eight threads that citizens' messages have to get past."""
    return PasswordHasher(parallelism=1)


class Passwords:
    """Makes and checks hashes: `at_once` in this process, `waiting` more for at most `seconds`.

        with passwords.turn() as hashes:
            fits = hashes.fit(stored, password)

    Never to be used within a transaction. A `hasher` of other parameters is for tests that are about something else.
    """

    def __init__(self, *, at_once: int, waiting: int, seconds: float, hasher: PasswordHasher | None = None) -> None:
        self._gate = Gate(at_once=at_once, waiting=waiting, seconds=seconds)
        # Strangers never have all of the places, so that a crowd of them keeps nobody out who belongs here.
        self._strangers = Gate(at_once=max(at_once - 1, 1), waiting=waiting, seconds=seconds)
        self._hashes = Hashes(hasher or usual_hasher())

    @contextmanager
    def turn(self, *, stranger: bool = False) -> Iterator["Hashes"]:
        """Raises Unavailable when too many others are before."""
        with self._strangers.turn() if stranger else nullcontext(), self._gate.turn():
            yield self._hashes

    def made(self, password: str) -> str:
        """The hash of one password, in a turn of its own."""
        with self.turn() as hashes:
            return hashes.make(password)


class Hashes:
    """What can be done within a turn."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._nobody = _unmatchable(hasher)

    def make(self, password: str) -> str:
        return self._hasher.hash(password)

    def fit(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one of a hash; without a hash the same work is done for nothing."""
        try:
            return self._hasher.verify(self._nobody if stored is None else stored, password)
        except VerifyMismatchError:
            return False

    def renewed(self, stored: str, password: str) -> str:
        """The same hash, or one of today's parameters when it has others."""
        return self.make(password) if self._hasher.check_needs_rehash(stored) else stored


def generated() -> str:
    """A password that nobody can guess: 96 random bits."""
    return secrets.token_urlsafe(12)


def _unmatchable(hasher: PasswordHasher) -> str:
    """A hash of the hasher's parameters that is no password's: random bytes, which cost nothing to make."""
    salt, tag = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${tag}"
