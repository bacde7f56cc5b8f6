"""Measure a knowledge base on questions whose right entries are known: the figures of ``huiying kb evaluate``."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.protocol import Progress
from knowledge_base.errors import ImportRejected
from knowledge_base.retrieval.result import SearchResult
from knowledge_base.tables import Columns, plain, read_file, read_table

_DEPTH = 10
_BINS = 10
_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled question: `faq_id` is the wanted entry, `also` others that serve it fully."""

    faq_id: str
    query: str
    style: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """A question that the base cannot answer: about its subjects (near) or about none of them (far)."""

    query: str
    kind: Literal["near", "far"]


_QUERIES = Columns(
    {"faq_id": ("条目编号", "编号"), "also": ("同样正确",), "style": ("风格",), "query": ("问法", "问题")},
    required=("faq_id", "query"),
)
_OUTSIDE = Columns({"query": ("问法", "问题"), "kind": ("类型",)}, required=("query",))


def read_queries(path: Path) -> list[Query]:
    """Read rows {faq_id, also[], style, query} from JSONL, CSV or XLSX. ImportRejected names the first bad line."""
    return [
        Query(str(row["faq_id"]), str(row["query"]), str(row.get("style") or ""), _also(row.get("also")))
        for row in _rows(path, _QUERIES)
    ]


def read_out_of_scope(path: Path) -> list[OutOfScope]:
    """Read rows {query, kind: near|far} from JSON Lines, CSV or XLSX. ImportRejected names the first bad line."""
    return [
        OutOfScope(str(row["query"]), "near" if row.get("kind") == "near" else "far") for row in _rows(path, _OUTSIDE)
    ]


def evaluate(
    kb: KnowledgeBase,
    queries: Sequence[Query],
    out_of_scope: Sequence[OutOfScope] = (),
    *,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Search every question and return the figures of DESIGN.md, "kb evaluate prints".

    Right is the wanted entry, one in `also`, or one with the same answer text. `clock` gives seconds and times
    each search, embedding included. Every share has NAME_n and NAME_ci (Wilson, 95 %) beside it; a share of
    nothing is None.
    """
    total = len(queries) + len(out_of_scope)
    answers = {entry.id: entry.answer.strip() for entry in kb.entries}
    milliseconds: list[float] = []
    outcomes: list[_Outcome] = []
    for query in queries:
        result = _timed(kb, query.query, clock, milliseconds)
        outcomes.append(_outcome(query, result, answers))
        _tell(progress, len(milliseconds), total)
    bands: dict[str, list[str]] = {"far": [], "near": []}
    confidences: list[tuple[float, bool]] = [(o.confidence, o.rank == 1) for o in outcomes if o.confidence is not None]
    for item in out_of_scope:
        result = _timed(kb, item.query, clock, milliseconds)
        bands[item.kind].append(result.band)
        if result.hits:
            confidences.append((result.hits[0].confidence, False))
        _tell(progress, len(milliseconds), total)
    return {**_shares(outcomes, bands), **_details(outcomes, confidences, milliseconds)}


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a share, 95 % by default; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    denominator = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / denominator
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class _Outcome:
    style: str
    rank: int | None
    band: str
    confidence: float | None


def _outcome(query: Query, result: SearchResult, answers: dict[str, str]) -> _Outcome:
    wanted = {query.faq_id, *query.also}
    texts = {answers[entry_id] for entry_id in wanted if entry_id in answers}
    rank = next(
        (
            place
            for place, hit in enumerate(result.hits, start=1)
            if hit.entry_id in wanted or answers[hit.entry_id] in texts
        ),
        None,
    )
    return _Outcome(query.style, rank, result.band, result.hits[0].confidence if result.hits else None)


def _shares(outcomes: list[_Outcome], bands: dict[str, list[str]]) -> dict[str, Any]:
    n = len(outcomes)
    answered = [o for o in outcomes if o.band == "answer"]
    clarified = [o for o in outcomes if o.band == "candidates"]
    outside = bands["far"] + bands["near"]
    figures: dict[str, Any] = {"queries": n}
    for depth in (1, 3, _DEPTH):
        _put(figures, f"recall_at_{depth}", sum(o.rank is not None and o.rank <= depth for o in outcomes), n)
    figures["mrr"] = _mean([1 / o.rank if o.rank else 0.0 for o in outcomes])
    _put(figures, "answered", len(answered), n)
    _put(figures, "answered_precision", sum(o.rank == 1 for o in answered), len(answered))
    _put(figures, "clarified", len(clarified), n)
    contained = sum(o.rank is not None and o.rank <= _CANDIDATES for o in clarified)
    _put(figures, "clarified_contains", contained, len(clarified))
    _put(figures, "out_of_scope_answered_far", bands["far"].count("answer"), len(bands["far"]))
    _put(figures, "out_of_scope_answered_near", bands["near"].count("answer"), len(bands["near"]))
    _put(figures, "out_of_scope_clarified", outside.count("candidates"), len(outside))
    return figures


def _details(
    outcomes: list[_Outcome], confidences: list[tuple[float, bool]], milliseconds: list[float]
) -> dict[str, Any]:
    by_style: dict[str, Any] = {}
    for style in dict.fromkeys(o.style for o in outcomes):
        ranks = [o.rank for o in outcomes if o.style == style]
        _put(by_style, style, ranks.count(1), len(ranks))
    return {
        "by_style": by_style,
        "reliability": _reliability(confidences),
        "ms_per_query_p50": _percentile(milliseconds, 0.50),
        "ms_per_query_p95": _percentile(milliseconds, 0.95),
    }


def _reliability(pairs: list[tuple[float, bool]]) -> list[dict[str, Any]]:
    """Confidence of the first hit against truth, in tenths; an out-of-scope question has no right hit."""
    bins: list[dict[str, Any]] = []
    for number in range(_BINS):
        inside = [pair for pair in pairs if min(int(pair[0] * _BINS), _BINS - 1) == number]
        row: dict[str, Any] = {"from": number / _BINS, "to": (number + 1) / _BINS, "n": len(inside)}
        row["confidence"] = _mean([confidence for confidence, _ in inside]) if inside else None
        _put(row, "right", sum(right for _, right in inside), len(inside))
        bins.append(row)
    return bins


def _put(figures: dict[str, Any], name: str, successes: int, trials: int) -> None:
    figures[name] = successes / trials if trials else None
    figures[f"{name}_n"] = trials
    figures[f"{name}_ci"] = list(wilson(successes, trials))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else None


def _timed(kb: KnowledgeBase, text: str, clock: Callable[[], float], milliseconds: list[float]) -> SearchResult:
    start = clock()
    result = kb.search(text, _DEPTH)
    milliseconds.append((clock() - start) * 1000)
    return result


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _rows(path: Path, columns: Columns) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for row in read_table(path.name, read_file(path), columns):
        values = {name: plain(value) for name, value in row.values.items()}
        if row.problem or any(not values.get(name) for name in columns.required):
            why = f"（{row.problem}）" if row.problem else ""
            sheet = f"“{row.sheet}”" if row.sheet else ""
            raise ImportRejected(f"{path.name} {sheet}第 {row.number} 行不是有效的评测数据{why}")
        rows.append(values)
    return rows


def _also(value: Any) -> tuple[str, ...]:
    """Ids as a list, or as text with one of `|`, `,`, `、` between them."""
    items = re.split("[|｜,，、]", value) if isinstance(value, str) else value or ()
    return tuple(text for item in items if (text := str(item).strip()))
