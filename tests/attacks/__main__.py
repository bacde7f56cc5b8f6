"""Attacks on a running system of their own; each prints its figures as one line of JSON.

    .venv/bin/python -m tests.attacks            all of them, some seven minutes
    .venv/bin/python -m tests.attacks locked     some of them

They are bounded in number and time and reach nothing but loopback. Asserts nothing: what holds is tested by the suite,
these show how far and how fast.
"""

import argparse
from collections.abc import Callable, Mapping

from tests.attacks import abuse, crowds, guessing, outages
from tests.attacks.target import Target

ATTACKS: Mapping[str, Callable[[Target], None]] = {
    "held": crowds.held,
    "locked": outages.locked,
    "foreign": crowds.foreign,
    "killed": outages.killed,
    "forged": crowds.forged,
    "logins": guessing.logins,
    "photos": abuse.photos,
    "alarms": abuse.alarms,
    "walk": abuse.walk,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="attacks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(ATTACKS), metavar="|".join(ATTACKS))
    names = parser.parse_args().names
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        parser.error(f"no such attack: {unknown[0]}")
    target = Target(CONVERSATIONS_PER_MINUTE="300", IDENTIFIERS_PER_ADDRESS="40")
    try:
        for name in names:
            ATTACKS[name](target)
    finally:
        target.stop()


if __name__ == "__main__":
    main()
