"""The bench itself: bases of several sizes with their peers, many callers at once, vectors alone up to a million."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from knowledge_base import Embedder, KnowledgeBase
from knowledge_base.base import POOL
from knowledge_base.embedding.batching import BatchingEmbedder
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.index.choice import build_vector_index, open_vector_index
from knowledge_base.index.faiss_flat import FaissFlatIndex
from knowledge_base.index.vector import VectorIndex
from knowledge_base.snapshot import read_manifest, read_parts
from knowledge_base.text import clean_query
from services.evaluation.retrieval_bench import texts
from services.evaluation.retrieval_bench.jitter import JitteringEmbedder, jittered
from services.evaluation.retrieval_bench.peers import NOT_INSTALLED, PEERS, is_installed
from services.evaluation.retrieval_bench.timing import Row, mapped_mb, median, per_second, resident_mb, side_by_side

Say = Callable[[str], None]
# Called with each row as soon as its figures are known.
Emit = Callable[[Row], None]
Rows = npt.NDArray[np.int64]
CALLERS = 32
# Queries whose candidates are computed exhaustively too.
_COMPARED = 20
# Three standard deviations of what float16 does to the cosine of a question and an entry (1.4e-5, at most 1.8e-4, of
# 2,000 generated questions and their answers).
ROUNDING = 4e-5


def bases(embedder: JitteringEmbedder, sizes: Sequence[int], asked: int, say: Say, emit: Emit) -> None:
    """For each size: the whole search and its peers beside the embedding alone, medians and ratios of these."""
    for size in sizes:
        entries = list(texts.entries(size))
        queries = texts.queries(asked, size)
        with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
            say(f"{size} entries: building")
            own, mapped, started = resident_mb(), mapped_mb(), perf_counter()
            base = KnowledgeBase.build(entries, embedder, Path(folder) / "1", created_at=datetime.now(UTC))
            built = perf_counter() - started
            base.search(queries[0])
            on_disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            memory = {
                "own_mb": round(resident_mb() - own, 1),
                "mapped_mb": round(mapped_mb() - mapped, 1),
                "disk_mb": on_disk // 2**20,
            }
            calls: dict[str, Callable[[str], object]] = {
                "embedding alone": lambda text: embedder.embed_queries([text]),
                "whole search": base.search,
            }
            builds = {"whole search": round(built, 1)}
            for name, (modules, make) in PEERS.items():
                if is_installed(modules):
                    say(f"{size} entries: building {name}")
                    started = perf_counter()
                    calls[name] = make(entries, embedder)
                    builds[name] = round(perf_counter() - started, 1)
            say(f"{size} entries: {len(queries)} queries, {len(calls)} ways")
            spent = side_by_side(calls, queries)
            own_figures: Row = {
                "ms_after_embedding_p50": _without_embedding(base, queries),
                "candidate_recall": round(candidate_recall(base, Path(folder) / "1", queries[:_COMPARED]), 4),
                **memory,
            }
        alone = spent["embedding alone"]
        for name in ("embedding alone", "whole search", *PEERS):
            if name not in spent:
                emit({"entries": size, "way": name, "ms_p50": NOT_INSTALLED})
                continue
            row: Row = {"entries": size, "way": name, "ms_p50": median(spent[name])}
            row["ms_p95"] = round(float(np.quantile(spent[name], 0.95)), 3)
            row["to_embedding"] = round(median(spent[name]) / median(alone), 3)
            row["build_s"] = builds.get(name)
            if name == "whole search":
                row |= own_figures
            emit(row)
        del base, calls, entries
        gc.collect()


def candidate_recall(base: KnowledgeBase, directory: Path, queries: Sequence[str]) -> float:
    """Which share of the entries that an exhaustive computation brings to the ranking the search brings there too.

    `base` is the snapshot in `directory`, without a delta; every vector and every lexical score is computed.
    """
    parts = read_parts(directory, read_manifest(directory))
    owners = np.repeat(np.arange(len(parts.columns)), np.diff(parts.wording_starts))
    shares = []
    for query in queries:
        cleaned, vector = clean_query(query), base.embed(query)
        wanted = {int(owners[row]) for row in _nearest(parts.question_vectors, vector, POOL)}
        wanted |= {int(row) for row in _nearest(parts.answer_vectors, vector, POOL)}
        for scores in base.lexical_scores(cleaned):
            best = np.argsort(-scores, kind="stable")[:POOL]
            # Entries with the same score as the last one may stand in its place.
            wanted |= {int(row) for row in best if scores[row] > max(0.0, float(scores[best[-1]]))}
        found = set(base.candidates(cleaned, vector)[0].tolist())
        shares.append(len(found & wanted) / max(1, len(wanted)))
    return float(np.mean(shares))


def _nearest(stored: npt.NDArray[np.float16], vector: Vectors, count: int) -> Rows:
    parts = [stored[start : start + 50_000].astype(np.float32) @ vector for start in range(0, len(stored), 50_000)]
    return np.argsort(-np.concatenate(parts), kind="stable")[:count]


def _without_embedding(base: KnowledgeBase, queries: Sequence[str]) -> float:
    vectors = {query: base.embed(query) for query in queries}
    spent = side_by_side({"search": lambda text: base.search(text, embedding=vectors[text])}, queries)
    return median(spent["search"])


def callers(model: Embedder, rounds: int, say: Say, emit: Emit) -> None:
    """The model called directly and through micro-batching, by one caller and by CALLERS at once.

    `throughput` is that of one caller who calls the model directly, as 1.
    """
    batching = BatchingEmbedder(model)
    queries = texts.queries(CALLERS * 4, 2_000)
    direct, batched = _embed_by(model), _embed_by(batching)
    say("callers: one at a time")
    one = side_by_side({"direct": direct, "batched": batched}, queries[: CALLERS * 2])
    many: dict[str, list[float]] = {"alone": [], "direct": [], "batched": []}
    for turn in range(rounds):
        say(f"callers: {CALLERS} at once, round {turn + 1} of {rounds}")
        many["alone"].append(per_second(direct, queries[:CALLERS], 1))
        many["direct"].append(per_second(direct, queries, CALLERS))
        many["batched"].append(per_second(batched, queries, CALLERS))
    direct_ms, batched_ms = median(one["direct"]), median(one["batched"])
    emit({"callers": 1, "way": "direct", "ms_p50": direct_ms, "per_second": median(many["alone"]), "throughput": 1.0})
    # By its median time: alone, a caller's throughput is the inverse of that.
    ratio = round(direct_ms / batched_ms, 3)
    emit({"callers": 1, "way": "micro-batching", "ms_p50": batched_ms, "throughput": ratio})
    for way, name in (("direct", "direct"), ("micro-batching", "batched")):
        ratio = median(np.array(many[name]) / np.array(many["alone"]))
        emit({"callers": CALLERS, "way": way, "per_second": median(many[name]), "throughput": ratio})


def _embed_by(embedder: Embedder) -> Callable[[str], object]:
    return lambda text: embedder.embed_queries([text])


def vectors(base: Vectors, queries: Vectors, sizes: Sequence[int], say: Say, emit: Emit) -> None:
    """For each number of vectors, jittered from `base`: the index that a base would get, beside exact search."""
    for size in sizes:
        say(f"{size} vectors: making")
        stored = jittered(base, size)
        exact_index = FaissFlatIndex.build(stored)
        say(f"{size} vectors: exact search")
        exact_scores, exact = exact_index.search(queries, 10)
        exact_ms = _milliseconds(exact_index, queries[:30])
        del exact_index
        say(f"{size} vectors: building the index")
        started = perf_counter()
        index = build_vector_index(stored)
        built = perf_counter() - started
        with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
            path = Path(folder) / "vectors.faiss"
            index.save(path)
            del index
            own, mapped = resident_mb(), mapped_mb()
            opened = open_vector_index(path)
            say(f"{size} vectors: searching")
            ms = _milliseconds(opened, queries)
            found = opened.search(queries, 100)[1]
            hits = [_best_ten(stored, vector, row) for vector, row in zip(queries, found, strict=True)]
            emit(
                {
                    "vectors": size,
                    "index": type(opened).__name__,
                    "build_s": round(built, 1),
                    "ms_p50": ms,
                    "exact_ms_p50": exact_ms,
                    "recall_at_10": _recall_of_scores(stored, queries, hits, exact_scores),
                    "same_rows_at_10": _recall(hits, exact),
                    "file_mb": path.stat().st_size // 2**20,
                    "own_mb": round(resident_mb() - own, 1),
                    "mapped_mb": round(mapped_mb() - mapped, 1),
                }
            )
        del stored, opened
        gc.collect()


def _milliseconds(index: VectorIndex, queries: Vectors) -> float:
    spent = []
    for vector in queries:
        started = perf_counter()
        index.search(vector[None], 100)
        spent.append((perf_counter() - started) * 1000)
    return median(spent)


def _best_ten(stored: Vectors, vector: Vectors, rows: Rows) -> Rows:
    # As the knowledge base does: the index proposes a hundred, the vectors themselves decide.
    rows = rows[rows >= 0]
    return rows[np.argsort(-(stored[rows] @ vector), kind="stable")[:10]]


def _recall_of_scores(stored: Vectors, queries: Vectors, found: Iterable[Rows], exact: Vectors) -> float:
    """Which share of the places of an exact search (its scores `exact`, falling) is taken by rows that are as near.

    A snapshot keeps float16 numbers, so a row whose cosine is less than ROUNDING below the last exact one is a tie.
    """
    shares = []
    for vector, rows, scores in zip(queries, found, exact, strict=True):
        near = int(np.count_nonzero(stored[rows] @ vector >= scores[-1] - ROUNDING))
        shares.append(min(near, len(scores)) / len(scores))
    return round(float(np.mean(shares)), 4)


def _recall(found: Iterable[Rows], exact: Rows) -> float:
    shares = [len(set(a.tolist()) & set(b.tolist())) / len(b) for a, b in zip(found, exact, strict=True)]
    return round(float(np.mean(shares)), 4)
