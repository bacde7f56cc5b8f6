"""How long a wrong password makes the next one wait: a time that grows, and never a door that stays shut."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Who has made no mistake for so long begins anew.
FORGOTTEN_AFTER = timedelta(hours=2)
NO_WAIT = timedelta(0)


@dataclass(frozen=True)
class Brake:
    """`free` wrong passwords cost nothing; from there on the next waits for `first`, then twice as long, up to
    `longest`."""

    free: int
    first: timedelta
    longest: timedelta

    def wait(self, failures: int, last_at: datetime, now: datetime) -> timedelta:
        """How long to wait from `now` on after so many failures, the last one at `last_at`; zero for not at all."""
        if failures < self.free or now - last_at >= FORGOTTEN_AFTER:
            return NO_WAIT
        # Beyond this the doubling is past every `longest`.
        doubled = self.first * (1 << min(failures - self.free, 20))
        return max(last_at + min(doubled, self.longest) - now, NO_WAIT)


@dataclass(frozen=True)
class Brakes:
    """What brakes guessing: a name from one address, a name from anywhere, an address for any name.

    The last two leave out names at an address that they have logged in from: nobody elsewhere, and no neighbour who
    guesses other names, keeps somebody from working at the usual place.
    """

    pair: Brake
    name: Brake
    address: Brake

    @classmethod
    def after(cls, *, pair: int, name: int, address: int) -> "Brakes":
        """With so many free failures of each."""
        return cls(
            pair=Brake(pair, timedelta(seconds=30), timedelta(minutes=15)),
            name=Brake(name, timedelta(seconds=15), timedelta(minutes=5)),
            address=Brake(address, timedelta(seconds=15), timedelta(minutes=15)),
        )
