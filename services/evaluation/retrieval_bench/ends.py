"""What the search is meant to reach, beside what a run measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from services.evaluation.retrieval_bench.timing import Row

_SIZES = (2_000, 100_000)
_SLOWEST = 1.3
_RECALL = 0.99
# "Clearly below linear": the time for ten times as many grows less than half as much.
_GROWTH = 0.5


def ends(callers: Sequence[Row], bases: Sequence[Row], vectors: Sequence[Row]) -> list[Row]:
    """One row for each aim that the rows of a run say something about: {end, value, wanted, reached}."""
    rows: list[Row] = []

    def add(end: str, value: float, least: float | None = None, most: float | None = None) -> None:
        wanted = f">= {least}" if least is not None else f"<= {most}"
        reached = value >= least if least is not None else most is not None and value <= most
        rows.append({"end": end, "value": value, "wanted": wanted, "reached": reached})

    for row in bases:
        if row["way"] != "whole search":
            continue
        if row["entries"] in _SIZES:
            add(f"{row['entries']} entries: whole search to its embedding", row["to_embedding"], most=_SLOWEST)
        add(f"{row['entries']} entries: candidates of an exhaustive search found", row["candidate_recall"], _RECALL)
    for row in callers:
        if row["way"] == "micro-batching" and row["callers"] > 1:
            add(f"{row['callers']} callers, micro-batching: throughput to one at a time", row["throughput"], 2.0)
    for row in vectors:
        add(f"{row['vectors']} vectors: recall against exact search", row["recall_at_10"], _RECALL)
    for few, many in pairwise(vectors):
        if few["vectors"] >= max(_SIZES):
            growth = many["ms_p50"] / few["ms_p50"] / (many["vectors"] / few["vectors"])
            add(f"{few['vectors']} to {many['vectors']} vectors: time to linear growth", round(growth, 3), most=_GROWTH)
    return rows
