"""Clocks for a bench: side by side, so that a busy machine slows all sides alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

Row = dict[str, Any]


def side_by_side(calls: Mapping[str, Callable[[str], object]], queries: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each call for each query; the calls take turns, and another one begins with each query."""
    names = list(calls)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for call in calls.values():
        call(queries[0])
    for turn, query in enumerate(queries):
        for name in islice(cycle(names), turn % len(names), turn % len(names) + len(names)):
            started = perf_counter()
            calls[name](query)
            spent[name].append((perf_counter() - started) * 1000)
    return spent


def per_second(call: Callable[[str], object], queries: Sequence[str], callers: int) -> float:
    """Queries answered in a second when `callers` threads share `queries`. Raises what a call raised."""
    position = iter(queries)
    lock, gate, errors = threading.Lock(), threading.Barrier(callers + 1), list[Exception]()

    def work() -> None:
        gate.wait()
        try:
            while True:
                with lock:
                    query = next(position, None)
                if query is None:
                    return
                call(query)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(callers)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return len(queries) / (perf_counter() - started)


def median(values: Sequence[float]) -> float:
    """The median, to three digits behind the point."""
    return round(float(np.median(values)), 3)


def resident_mb() -> float:
    """Memory of this process that no file can give back (anonymous pages), in MB; 0 where /proc is missing."""
    return _status("RssAnon")


def mapped_mb() -> float:
    """Memory of this process that stands for mapped files, shared with other processes, in MB."""
    return _status("RssFile")


def _status(name: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), "0")
    return round(int(found) / 1024, 1)
