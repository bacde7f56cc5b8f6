"""A worker that scans, in a process of its own so that a test can kill it: DATABASE_URL, then a file to write to."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.bindings.tasks import scan
from services.container import build_container
from services.core.clock import FixedClock, parse_moment
from services.core.settings import Settings


def main() -> None:
    signal_file, moment, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    clock = FixedClock(parse_moment(moment))
    container = build_container(Settings(), clock)
    asked = 0

    async def ask(kind: str, parameters: Mapping[str, str]) -> dict[str, Any] | None:
        nonlocal asked
        asked += 1
        if asked > batches * 10:
            # Asked and not stored: here the process is killed.
            signal_file.write_text(str(os.getpid()))
            await asyncio.sleep(600)
        return {"facts": [{"name": "points", "value": "10"}, {"name": "points_cycle", "value": "2026"}]}

    asyncio.run(scan(container.database, container.secrets, ask, clock.now, f"process-{os.getpid()}", batch=10))


if __name__ == "__main__":
    main()
