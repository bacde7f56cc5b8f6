"""The knowledge base: build a snapshot of entries, open it, search it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge_base.adaptation import adapt
from knowledge_base.changes import Change, compare, write_delta
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache, Progress, Vectors
from knowledge_base.entry import Entry
from knowledge_base.index.vector import highest
from knowledge_base.layers import Layers, open_layers
from knowledge_base.retrieval.likeness import SAME_MEANING, read_alike
from knowledge_base.retrieval.prior import Prior
from knowledge_base.retrieval.ranker import Ranker, calibration_features
from knowledge_base.retrieval.reranker import DEPTH, Reranker
from knowledge_base.retrieval.result import Bands, Hit, SearchResult
from knowledge_base.retrieval.synonyms import Synonyms
from knowledge_base.retrieval.words import WordScores
from knowledge_base.snapshot import Manifest, check_model, read_manifest, replace_ranker
from knowledge_base.text import clean_query
from knowledge_base.writing import Answers, passage_text, write_layer

# How many rows each index brings to the common ranking.
POOL = 100
# So far down a question may be the same as the first one.
_RIVALS = 6
# What a reranker's verdict (0..1) adds to a fused score. Fused scores of good candidates lie some hundredths apart, so
# a clear verdict decides and an undecided one leaves the order as it is.
_RERANKER_SHARE = 0.2


class KnowledgeBase:
    """An opened snapshot. Searching is safe from several threads; the snapshot never changes.

    Rows count those of the base and of the delta above it; rows of the base that were edited since are never found.

    >>> from datetime import UTC, datetime
    >>> from tempfile import TemporaryDirectory
    >>> from knowledge_base.testing import FakeEmbedder
    >>> entry = Entry(id="a", question="怎么办身份证", answer="到派出所办理。")
    >>> with TemporaryDirectory() as folder:
    ...     kb = KnowledgeBase.build([entry], FakeEmbedder(), Path(folder) / "1", created_at=datetime.now(UTC))
    ...     kb.search("身份证怎么办").hits[0].entry_id
    'a'
    """

    def __init__(
        self,
        directory: Path,
        embedder: Embedder,
        manifest: Manifest,
        layers: Layers,
        bands: Bands,
        reranker: Reranker | None = None,
        synonyms: Synonyms | None = None,
    ) -> None:
        """Use `build` or `open`."""
        self.directory = directory
        self.manifest = manifest
        self.bands = bands
        self.embedder = embedder
        self.reranker = reranker
        self._synonyms = _default_synonyms() if synonyms is None else synonyms
        self._layers = layers
        self._parts = layers.parts
        self._live = layers.live
        self._words = WordScores(self._parts.lexical, self._parts.lexical_answer, self._parts.sound, self._synonyms)
        columns = self._parts.columns
        self._rows = {entry_id: row for row, entry_id in enumerate(columns.ids) if self._live[row]}
        counts = np.diff(self._parts.wording_starts)
        self._wording_entry = np.repeat(np.arange(len(columns), dtype=np.int64), counts)

    @classmethod
    def build(
        cls,
        entries: Iterable[Entry],
        embedder: Embedder,
        directory: Path,
        *,
        created_at: datetime,
        cache: EmbeddingCache | None = None,
        progress: Progress | None = None,
        ranker: Ranker | None = None,
        bands: Bands | None = None,
        reranker: Reranker | None = None,
        synonyms: Synonyms | None = None,
        answers: Answers = "now",
    ) -> KnowledgeBase:
        """Embed `entries`, write a snapshot into the new folder `directory` and open it.

        `created_at` is an aware datetime; `progress(done, total)` counts texts. With `answers` "later" only questions
        are embedded, and until a build with "now" a question stands in for its answer (`answers_pending`). A given
        `ranker` is kept as it is; the shipped one is fitted to the base.
        Raises ValueError on duplicate ids, FileExistsError when `directory` exists.
        """
        write_layer(
            directory,
            list(entries),
            embedder,
            created_at=created_at,
            cache=cache,
            progress=progress,
            ranker=ranker or Ranker.load(),
            answers=answers,
        )
        built = cls.open(directory, embedder, check=False, bands=bands, reranker=reranker, synonyms=synonyms)
        if ranker is not None or not len(built):
            return built
        adapted = adapt(built)
        if adapted is built.ranker:
            return built
        replace_ranker(directory, adapted)
        return cls.open(directory, embedder, check=False, bands=bands, reranker=reranker, synonyms=synonyms)

    def extend(
        self,
        changed: Iterable[Entry],
        removed: Iterable[str],
        directory: Path,
        *,
        created_at: datetime,
        cache: EmbeddingCache | None = None,
        progress: Progress | None = None,
        answers: Answers = "now",
    ) -> KnowledgeBase:
        """Write the next version into the new folder `directory`, beside that of the base, and open it.

        `changed` are new or edited entries, `removed` ids of entries that are gone. Only the delta is written, and with
        a `cache` only what changed is embedded; base and ranker are those of this version.
        """
        change = Change(tuple(changed), frozenset(removed))
        write_delta(
            self._layers,
            change,
            directory,
            self.embedder,
            created_at=created_at,
            cache=cache,
            progress=progress,
            answers=answers,
        )
        return KnowledgeBase.open(
            directory,
            self.embedder,
            check=False,
            bands=self.bands,
            reranker=self.reranker,
            synonyms=self._synonyms,
            share=[self],
        )

    @classmethod
    def open(
        cls,
        directory: Path,
        embedder: Embedder,
        *,
        check: bool = True,
        bands: Bands | None = None,
        reranker: Reranker | None = None,
        synonyms: Synonyms | None = None,
        share: Iterable[KnowledgeBase] = (),
    ) -> KnowledgeBase:
        """Open a snapshot; `check` compares every file with its checksum, `reranker` reads the best candidates again,
        `synonyms` replace the lexicon that comes with the library. Of the opened snapshots `share` one that stands on
        the same base lends it.

        Raises IndexMismatch when it was built with another model or dimension, SnapshotDamaged when it is incomplete.
        """
        manifest = read_manifest(directory)
        check_model(manifest, embedder.identity, embedder.dimension)
        lender = next((kb._layers for kb in share if kb.base_name == (manifest.base or directory.name)), None)
        layers = open_layers(directory, manifest, check=check, share=lender)
        return cls(directory, embedder, manifest, layers, bands or Bands(), reranker, synonyms)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def answers_pending(self) -> int:
        """How many answers are not embedded yet."""
        return self._layers.answers_pending

    @property
    def base_name(self) -> str:
        """The folder that holds the base: this snapshot's own, or the one that its delta stands on."""
        return self._layers.reference.name

    @property
    def delta_size(self) -> int:
        """How many entries were added, edited or removed since the base was built."""
        return self._layers.delta_size

    def compare(self, hashes: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str]]:
        """What differs from entries given as {id: content_hash}: ids (new or edited, gone)."""
        return compare(self._parts.columns, self._rows, hashes)

    def delta_size_after(self, changed: Iterable[str], removed: Iterable[str]) -> int:
        """What `delta_size` would be after `extend` with these ids."""
        return self._layers.delta_size_after(frozenset(changed), frozenset(removed))

    @property
    def entries(self) -> Iterator[Entry]:
        """All entries: those of the base in the order of its build, then those edited since."""
        return (self._parts.entries[row] for row in self._rows.values())

    @property
    def answer_groups(self) -> npt.NDArray[np.int32]:
        """A number for each row; entries with the same answer text share it."""
        return self._parts.answer_groups

    def entry(self, entry_id: str) -> Entry:
        """The entry with this id. KeyError when there is none."""
        return self._parts.entries[self._rows[entry_id]]

    def embed(self, text: str) -> Vectors:
        """The vector of a question, float32 (dimension,); zeros when it holds nothing to search for."""
        cleaned = clean_query(text)
        return self._embed(cleaned)

    def embed_many(self, texts: Sequence[str]) -> Vectors:
        """The vectors of many questions, float32 (len(texts), dimension); each as `embed` gives it."""
        cleaned = [clean_query(text) for text in texts]
        rows = [row for row, query in enumerate(cleaned) if query]
        vectors = np.zeros((len(texts), self.manifest.dimension), dtype=np.float32)
        if rows:
            vectors[rows] = self.embedder.embed_queries([cleaned[row] for row in rows])
        return vectors

    def neighbours(self, vector: Vectors, count: int, *, at_least: float) -> list[tuple[str, str]]:
        """The entry ids and wordings nearest to `vector` with a cosine of `at_least`, best first."""
        scores, wordings = self._parts.questions.search(vector[None], count)
        found = []
        for score, wording in zip(scores[0], wordings[0], strict=True):
            if wording >= 0 and score >= at_least:
                row = int(self._wording_entry[wording])
                entry = self._parts.entries[row]
                found.append((entry.id, entry.wordings[wording - int(self._parts.wording_starts[row])]))
        return found

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        embedding: Vectors | None = None,
        department: str | None = None,
        region: str | None = None,
        today: date | None = None,
        prior: Prior | None = None,
    ) -> SearchResult:
        """Find the `k` best entries for a citizen's question.

        `embedding` is what `embed` gave for the same text. `department` keeps that department's entries; `region` keeps
        those of the region or of none; `today` leaves out entries not valid on that day; `prior` favours some without
        leaving others out. Entries with the same answer text are folded into the best of them, and entries with nearly
        the same question do not count as rivals of each other. Odd text never raises: without anything to search for
        there are no hits.
        """
        query = clean_query(text)
        vector = self._embed(query) if embedding is None else np.asarray(embedding, dtype=np.float32)
        if vector.shape != (self.manifest.dimension,):
            raise ValueError(f"embedding has shape {vector.shape}, not ({self.manifest.dimension},)")
        if not query or k <= 0 or not len(self):
            return SearchResult((), "none", vector)
        rows, scores, nearest = self.candidates(query, vector, self._allowed(department, region, today))
        if not len(rows):
            return SearchResult((), "none", vector)
        ranker = self._parts.ranker
        fused = self._reranked(query, rows, ranker.fuse(scores))
        if prior is not None:
            fused = fused + self._favoured(rows, prior) / ranker.sharpness
        order = np.lexsort((rows, -fused))
        order = order[_first_of_each(self._parts.answer_groups[rows[order]])][: max(k, 2)]
        rival = self._rival(rows[order])
        features = calibration_features(scores[order], fused[order], len(query), rival)
        # The order is the fusion's; a confidence never rises on the way down.
        confidences = np.minimum.accumulate(ranker.confidences(features))
        hits = tuple(
            self._hit(int(rows[at]), float(confidence), int(nearest[at]), scores[at])
            for at, confidence in zip(order[:k], confidences, strict=False)
        )
        return SearchResult(hits, self.bands.of(hits[0].confidence), vector)

    def _favoured(self, rows: npt.NDArray[np.int64], prior: Prior) -> npt.NDArray[np.float64]:
        columns = self._parts.columns
        favoured = np.zeros(len(rows))
        for column, wanted in ((columns.departments, prior.department), (columns.regions, prior.region)):
            if wanted is not None:
                favoured += math.log(prior.odds) * (column[rows] == wanted)
        return favoured

    def _rival(self, rows: npt.NDArray[np.int64]) -> int:
        """The place of the first of `rows` (best first) that asks something else than the first one does."""
        if len(rows) < 2:
            return 1
        rows = rows[:_RIVALS]
        questions = self._parts.question_vectors[self._parts.wording_starts[rows]].astype(np.float32)
        near = np.vecdot(questions[1:], questions[0]) >= SAME_MEANING
        # An entry is read only where its meaning is the same: reading one costs more than all these cosines.
        for place in range(1, len(rows)):
            if not near[place - 1]:
                return place
            first, other = (self._parts.entries[int(row)].question for row in (rows[0], rows[place]))
            if not read_alike(first, other):
                return place
        return 1

    def _reranked(
        self, query: str, rows: npt.NDArray[np.int64], fused: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        if self.reranker is None:
            return fused
        best = np.lexsort((rows, -fused))[:DEPTH]
        verdicts = self.reranker.scores(query, [passage_text(self._parts.entries[int(rows[at])]) for at in best])
        # Those not read count as the worst that were, so that being read is never a disadvantage.
        judged = np.full(len(rows), verdicts.min())
        judged[best] = verdicts
        return fused + _RERANKER_SHARE * judged

    def _embed(self, cleaned: str) -> Vectors:
        if not cleaned:
            return np.zeros(self.manifest.dimension, dtype=np.float32)
        vector: Vectors = self.embedder.embed_queries([cleaned])[0]
        return vector

    def _allowed(self, department: str | None, region: str | None, today: date | None) -> npt.NDArray[np.bool_] | None:
        if department is None and region is None and today is None:
            return None
        columns = self._parts.columns
        allowed = self._live.copy()
        if department is not None:
            allowed &= columns.departments == department
        if region is not None:
            allowed &= (columns.regions == region) | (columns.regions == "")
        if today is not None:
            day = today.toordinal()
            allowed &= (columns.valid_from <= day) & (day <= columns.valid_to)
        # Searching without a mask is faster, and on most days every entry is valid.
        return None if np.array_equal(allowed, self._live) else allowed

    def candidates(
        self, query: str, vector: Vectors, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """What the ranker ranks: entry rows that any index finds near, their SCORES, and their nearest wordings' rows.

        `query` is cleaned (`clean_query`), `vector` its embedding, `allowed` a mask over entries.
        """
        parts = self._parts
        lexical, lexical_answer, sound = self._words.scores(query)
        allowed_wordings = None if allowed is None else allowed[self._wording_entry]
        _, wordings = parts.questions.search(vector[None], POOL, allowed_wordings)
        _, passages = parts.answers.search(vector[None], POOL, allowed)
        found = [self._wording_entry[wordings[0][wordings[0] >= 0]], passages[0][passages[0] >= 0]]
        for column in (lexical, lexical_answer, sound):
            found.append(highest(column if allowed is None else column * allowed, POOL))
        rows = np.unique(np.concatenate(found))
        dense, nearest = self._nearest_wordings(rows, vector)
        dense_answer = _cosines(parts.answer_vectors[rows], vector)
        scores = np.column_stack(
            [
                dense,
                dense_answer,
                lexical[rows],
                lexical_answer[rows],
                sound[rows],
            ]
        ).astype(np.float64)
        return rows, scores, nearest

    def lexical_scores(self, query: str) -> tuple[Vectors, Vectors, Vectors]:
        """Scores (one per row) of questions, of questions with answers, and of sounds; shares of the `query` found."""
        return self._words.scores(query)

    @property
    def ranker(self) -> Ranker:
        """The numbers that rank and judge here."""
        return self._parts.ranker

    def words_without(self, entries: Sequence[Entry]) -> WordScores:
        """Lexical scores of other versions of this base's entries, weighed as if they stood in it."""
        return self._words.like(entries)

    def wording_vectors(self, row: int) -> Vectors:
        """The vectors of one row's wordings, float32 (wordings, dimension)."""
        starts = self._parts.wording_starts
        vectors: Vectors = self._parts.question_vectors[np.arange(starts[row], starts[row + 1])].astype(np.float32)
        return vectors

    def _nearest_wordings(self, rows: npt.NDArray[np.int64], vector: Vectors) -> tuple[Vectors, npt.NDArray[np.int64]]:
        starts = self._parts.wording_starts
        counts = starts[rows + 1] - starts[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        wordings = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts) + np.repeat(starts[rows], counts)
        cosines = _cosines(self._parts.question_vectors[wordings], vector)
        if not len(rows):
            return cosines, wordings
        best = np.maximum.reduceat(cosines, offsets[:-1])
        # Reversed, so that of equal wordings the first one (the question itself) is written last and stays.
        nearest = np.zeros(len(rows), dtype=np.int64)
        owner = np.repeat(np.arange(len(rows)), counts)
        at = np.flatnonzero(cosines == best[owner])[::-1]
        nearest[owner[at]] = wordings[at]
        return best, nearest

    def _hit(self, row: int, confidence: float, wording: int, scores: npt.NDArray[np.float64]) -> Hit:
        entry = self._parts.entries[row]
        text = entry.wordings[wording - int(self._parts.wording_starts[row])]
        dense, dense_answer, lexical = (float(value) for value in scores[:3])
        return Hit(entry.id, confidence, text, dense, dense_answer, lexical)


@cache
def _default_synonyms() -> Synonyms:
    return Synonyms.load()


def _cosines(vectors: npt.NDArray[np.float16], vector: Vectors) -> Vectors:
    # Row by row: a matrix product of this size would go to several threads of BLAS, which wait for each other longer
    # than they compute, and for one another's callers.
    cosines: Vectors = np.vecdot(vectors.astype(np.float32), vector)
    return cosines


def _first_of_each(groups: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    _, first = np.unique(groups, return_index=True)
    return np.sort(first)
