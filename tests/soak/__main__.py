"""`make soak SECONDS=240 SEED=7 PART=kills`: the parts one after the other, and one line for each."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from tests.soak.findings import Findings
from tests.soak.parts import PARTS, soak
from tests.soak.servers import own_servers

SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240.0, help="all parts together, without coming to rest")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    given = parser.parse_args()
    # What the town itself notes while Redis is away; the workers write to their own file.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    names = list(PARTS) if given.part == "all" else [given.part]
    print(Findings.head(), flush=True)
    mistakes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="huiying-soak-") as home, own_servers(Path(home)) as (postgres, store):
        for name in names:
            with soak(postgres, store, Path(home), seed=given.seed, seconds=given.seconds / len(names)) as the:
                findings = PARTS[name](the)
            print(findings.row(), flush=True)
            mistakes += [f"{name}: {line}" for line in findings.mistakes]
    for line in mistakes[:SHOWN]:
        print(line, file=sys.stderr)
    if len(mistakes) > SHOWN:
        print(f"... and {len(mistakes) - SHOWN} more", file=sys.stderr)
    return 1 if mistakes else 0


if __name__ == "__main__":
    raise SystemExit(main())
