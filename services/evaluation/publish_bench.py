"""Publishing under load: threads search one process's live knowledge base while edits are published into it.

The base is filled with generated entries: questions of the starter base for made-up places, with jittered copies of
the starter's real vectors instead of vectors of their own (embedding 200,000 texts would take an hour and change
nothing here). Every edit is embedded by the real model.
"""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import knowledge_base
from knowledge_base import (
    Embedder,
    EmbeddingCache,
    Entry,
    ImportResult,
    KnowledgeBase,
    SqliteEmbeddingCache,
    import_file,
)
from knowledge_base.embedding.cache import cache_key, embed_passages_cached
from knowledge_base.embedding.protocol import Progress, Vectors
from knowledge_base.text import clean
from knowledge_base.writing import passage_text
from services import schema
from services.core.database import Database
from services.knowledge import service
from services.knowledge.live import LiveKnowledge

STARTER = Path(knowledge_base.__file__).resolve().parent / "starter"
ACTOR = "bench"
# Entries that every publish edits at once, so that a result of two versions would show.
PROBES = 5
PROBE_QUESTION = "演示街道办事大厅几点开门"
HITS = 10
SINGLE_EDITS = 7
JITTER = 0.35
SEED = 20261101


@dataclass
class Load:
    """What the searching threads saw. `spells` are (began, seconds) of each search."""

    spells: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    mixed: int = 0


def measure(
    embedder: Embedder,
    folder: Path,
    *,
    entries: int,
    publishes: int,
    threads: int,
    pace: float,
    quiet_seconds: float = 3.0,
    starter_cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the bench below the empty `folder` and return its figures (milliseconds and seconds, as named).

    `threads` search with `pace` seconds between a thread's searches, first undisturbed for
    `quiet_seconds`, then while `publishes` edits of PROBES entries go live one after another.
    """
    database = Database(f"sqlite:///{folder / 'bench.db'}")
    schema.upgrade(database)
    cache = SqliteEmbeddingCache(folder / "embeddings.db")
    bench = _Bench(database, _Counting(embedder), folder / "knowledge", cache)
    filled = _generated(embedder, cache, starter_cache or cache, entries - PROBES)
    bench.store([*filled, *(_probe(number, 0) for number in range(PROBES))])
    began = time.perf_counter()
    bench.publish()
    built = time.perf_counter() - began
    asked = [PROBE_QUESTION, *(entry.question for entry in filled[:: max(1, len(filled) // 40)])]
    questions = [(text, embedder.embed_queries([text])[0]) for text in asked]
    with _Searching(bench, questions, threads, pace) as quiet:
        time.sleep(quiet_seconds)
    with _Searching(bench, questions, threads, pace) as loaded:
        live_after = []
        for number in range(publishes):
            began = time.perf_counter()
            bench.store([_probe(probe, number + 1) for probe in range(PROBES)])
            bench.publish()
            live_after.append(time.perf_counter() - began)
            if progress is not None:
                progress(number + 1, publishes)
    edits = [_single_edit(bench, filled[number], number) for number in range(min(SINGLE_EDITS, len(filled)))]
    before, now = bench.versions[-2], bench.versions[-1]
    rollbacks = [_rolled_back(bench, version) for version in (before, now, before)]
    database.dispose()
    return {
        "entries": entries,
        "vectors": "jittered copies of real ones; edits by the model",
        "first_publish_seconds": round(built, 2),
        "threads": threads,
        "pace_ms": round(pace * 1000, 1),
        "publishes": publishes,
        "searches_undisturbed": len(quiet.spells),
        "searches_during_publishes": len(loaded.spells),
        "errors": len(quiet.errors) + len(loaded.errors),
        "error_kinds": sorted({*quiet.errors, *loaded.errors}),
        "mixed_results": quiet.mixed + loaded.mixed,
        **_latency("undisturbed", quiet),
        **_latency("during_publishes", loaded),
        "publish_live_seconds_p50": _percentile(live_after, 50),
        "publish_live_seconds_max": _percentile(live_after, 100),
        "one_edit_searchable_seconds_p50": _percentile([edit.seconds for edit in edits], 50),
        "one_edit_searchable_seconds_max": _percentile([edit.seconds for edit in edits], 100),
        "one_edit_embedding_seconds_p50": _percentile([edit.embedding for edit in edits], 50),
        "one_edit_texts_embedded_max": max((edit.texts for edit in edits), default=0),
        "rollback_ms_max": round(max(rollbacks) * 1000, 1),
    }


class _Edit(NamedTuple):
    """Seconds from saving an edited entry until a search finds its new wording first; those that the model took of
    them, and the texts that it embedded."""

    seconds: float
    embedding: float
    texts: int


class _Bench:
    """The knowledge base of one process, and what was published into it."""

    def __init__(self, database: Database, embedder: "_Counting", root: Path, cache: SqliteEmbeddingCache) -> None:
        self.database, self.embedder = database, embedder
        self.live = LiveKnowledge(database, lambda: embedder, root)
        self.versions: list[int] = []
        self._root, self._cache = root, cache

    def store(self, entries: Sequence[Entry]) -> None:
        result = ImportResult(entries=list(entries))
        self.database.write(lambda uow: service.store_import(uow, result, actor=ACTOR, now=_now()))

    def edit(self, entry: Entry) -> None:
        """Save one entry as an editor does."""
        values = {**entry.extra, **entry.to_dict()}
        del values["extra"]
        self.database.write(
            lambda uow: service.update_entry(uow, entry.id, values, expected=None, actor=ACTOR, now=_now())
        )

    def publish(self) -> None:
        done = service.publish(
            self.database,
            self.embedder,
            self._root,
            actor=ACTOR,
            now=_now(),
            cache=self._cache,
            live=self.live,
            answers="later",
        )
        self.live.refresh()
        self.versions.append(done.version)


class _Counting:
    """An embedder that counts the passages it embeds, and the seconds that takes."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.passages = 0
        self.seconds = 0.0

    @property
    def identity(self) -> str:
        return self._embedder.identity

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        began = time.perf_counter()
        vectors = self._embedder.embed_passages(texts, progress)
        self.seconds += time.perf_counter() - began
        self.passages += len(texts)
        return vectors


class _Searching:
    """Threads that search until the block ends."""

    def __init__(self, bench: _Bench, questions: list[tuple[str, Vectors]], threads: int, pace: float) -> None:
        self._bench, self._questions, self._pace = bench, questions, pace
        self._load = Load()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self._load

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        while not self._stop.is_set():
            # Every other question is the one whose hits would give a mixture away.
            text, vector = self._questions[0 if chance.random() < 0.5 else chance.randrange(len(self._questions))]
            began = time.perf_counter()
            try:
                kb = self._bench.live.current
                assert kb is not None
                result = kb.search(text, HITS, embedding=vector)
                stamps = {_stamp(kb, hit.entry_id) for hit in result.hits if hit.entry_id.startswith("probe-")}
            except Exception as error:  # any error at all is what is counted here
                self._load.errors.append(type(error).__name__)
                continue
            self._load.spells.append((began, time.perf_counter() - began))
            if len(stamps) > 1 or (text == PROBE_QUESTION and not stamps):
                self._load.mixed += 1
            self._stop.wait(self._pace)


def _single_edit(bench: _Bench, entry: Entry, number: int) -> _Edit:
    wording = f"第{number + 1}号临时窗口周末办不办{entry.question[-12:]}"
    vector = bench.embedder.embed_queries([wording])[0]
    edited = Entry.from_dict({**entry.to_dict(), "similar_questions": [wording], "answer": entry.answer + "（已更新）"})
    passages, embedding = bench.embedder.passages, bench.embedder.seconds
    began = time.perf_counter()
    bench.edit(edited)
    bench.publish()
    kb = bench.live.current
    assert kb is not None
    hits = kb.search(wording, 1, embedding=vector).hits
    seconds = time.perf_counter() - began
    if not hits or hits[0].entry_id != entry.id:
        raise RuntimeError("the edited entry was not found")
    return _Edit(seconds, bench.embedder.seconds - embedding, bench.embedder.passages - passages)


def _rolled_back(bench: _Bench, version: int) -> float:
    began = time.perf_counter()
    bench.database.write(lambda uow: service.roll_back(uow, version, actor=ACTOR, now=_now()))
    bench.live.refresh()
    seconds = time.perf_counter() - began
    if bench.live.version != version:
        raise RuntimeError("the rollback did not go live")
    return seconds


def _probe(number: int, edition: int) -> Entry:
    return Entry(
        id=f"probe-{number}",
        question=f"{PROBE_QUESTION}（{number + 1}号窗口）",
        answer=f"{number + 1}号窗口九点开门。|{edition}",
        department="示范",
    )


def _stamp(kb: KnowledgeBase, entry_id: str) -> str:
    return kb.entry(entry_id).answer.rpartition("|")[2]


def _generated(
    embedder: Embedder, cache: SqliteEmbeddingCache, starter_cache: EmbeddingCache, count: int
) -> list[Entry]:
    """`count` entries whose vectors are in the cache already."""
    starter = [entry for path in sorted(STARTER.glob("*.jsonl")) for entry in import_file(path).entries]
    texts = [clean(entry.question) for entry in starter] + [passage_text(entry) for entry in starter]
    vectors = embed_passages_cached(embedder, texts, starter_cache)
    chance = np.random.default_rng(SEED)
    made: list[Entry] = []
    pairs: list[tuple[str, Vectors]] = []
    for number in range(count):
        source = number % len(starter)
        place = f"{number // len(starter) + 1}街道"
        entry = Entry(
            id=f"g{number:07d}",
            question=f"{place}{starter[source].question}",
            answer=f"{place}：{starter[source].answer}",
            department=starter[source].department,
        )
        made.append(entry)
        for text, row in ((clean(entry.question), source), (passage_text(entry), len(starter) + source)):
            noise = chance.standard_normal(embedder.dimension, dtype=np.float32) / np.sqrt(embedder.dimension)
            vector = vectors[row] + np.float32(JITTER) * noise
            pairs.append((cache_key(embedder.identity, "passage", text), vector / np.linalg.norm(vector)))
    for part in _parts(pairs, 5_000):
        cache.put_many(part)
    return made


def _parts(pairs: list[tuple[str, Vectors]], size: int) -> Iterator[list[tuple[str, Vectors]]]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]


def _latency(name: str, load: Load) -> dict[str, Any]:
    seconds = [spell for _, spell in load.spells]
    return {
        f"search_ms_{name}_p50": _percentile(seconds, 50, 1000),
        f"search_ms_{name}_p99": _percentile(seconds, 99, 1000),
        f"search_ms_{name}_max": _percentile(seconds, 100, 1000),
    }


def _percentile(values: list[float], percent: float, scale: float = 1.0) -> float | None:
    return round(float(np.percentile(values, percent)) * scale, 3) if values else None


def _now() -> datetime:
    return datetime.now(UTC)
