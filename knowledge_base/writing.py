"""Entries become a layer of a snapshot on disk: a whole base, or the delta above one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from knowledge_base.embedding.cache import cached_passages, embed_passages_cached
from knowledge_base.embedding.protocol import Embedder, EmbeddingCache, Progress, Vectors
from knowledge_base.entry import Entry
from knowledge_base.index.bm25 import Bm25Index
from knowledge_base.index.sound import sounds
from knowledge_base.markup import plain
from knowledge_base.retrieval.ranker import Ranker
from knowledge_base.snapshot import BaseReference, Parts, write_snapshot
from knowledge_base.text import clean

# Whether answers are embedded at once, or a later build does it.
Answers = Literal["now", "later"]

# Characters of an answer that the answer indexes see; what it is about stands at its beginning.
_ANSWER_EMBEDDED = 300
_ANSWER_LEXICAL = 2_000
# So few answers are embedded at once even when "later" would do: it takes a second or two.
_FEW_ANSWERS = 64


def write_layer(
    directory: Path,
    entries: Sequence[Entry],
    embedder: Embedder,
    *,
    created_at: datetime,
    cache: EmbeddingCache | None,
    progress: Progress | None,
    ranker: Ranker,
    answers: Answers,
    base: Parts | None = None,
    reference: BaseReference | None = None,
    removed: npt.NDArray[np.int64] | None = None,
) -> None:
    """Embed and index `entries` into the new snapshot folder `directory`.

    With `base` (and its `reference`) it is a delta that replaces the rows `removed`: lexical scores take the statistics
    of the base, and an answer that the base has too gets its group. Raises ValueError on duplicate ids.
    """
    if len({entry.id for entry in entries}) != len(entries):
        raise ValueError("两个条目的编号相同")
    wordings = [clean(wording) for entry in entries for wording in entry.wordings]
    questions = [lexical_question(entry) for entry in entries]
    starts = np.cumsum([0, *(len(entry.wordings) for entry in entries)], dtype=np.int64)
    question_vectors, answer_vectors, pending = _embedded(entries, wordings, starts, embedder, cache, progress, answers)
    hashes = _answer_hashes(entries)
    write_snapshot(
        directory,
        entries,
        model=embedder.identity,
        created_at=created_at,
        wording_starts=starts,
        answer_groups=_answer_groups(hashes, base),
        answer_hashes=hashes,
        question_vectors=question_vectors,
        answer_vectors=answer_vectors,
        lexical=Bm25Index.build(questions, like=_statistics(base and base.lexical)),
        sound=Bm25Index.build([sounds(question) for question in questions], like=_statistics(base and base.sound)),
        lexical_answer=Bm25Index.build(
            [lexical_answer(entry) for entry in entries], like=_statistics(base and base.lexical_answer)
        ),
        ranker=ranker,
        answers_pending=pending,
        base=reference,
        removed=removed,
    )


def _embedded(
    entries: Sequence[Entry],
    wordings: list[str],
    starts: npt.NDArray[np.int64],
    embedder: Embedder,
    cache: EmbeddingCache | None,
    progress: Progress | None,
    answers: Answers,
) -> tuple[Vectors, Vectors, int]:
    """Vectors of wordings and of answers, and how many of the latter are stand-ins."""
    passages = [passage_text(entry) for entry in entries]
    if answers == "later":
        answer_vectors, there = cached_passages(embedder, passages, cache)
        pending = int(np.count_nonzero(~there))
        if pending > _FEW_ANSWERS:
            question_vectors = embed_passages_cached(embedder, wordings, cache, progress)
            # An answer is embedded together with its question, and the question alone comes nearest to that.
            answer_vectors[~there] = question_vectors[starts[:-1][~there]]
            return question_vectors, answer_vectors, pending
    vectors = embed_passages_cached(embedder, wordings + passages, cache, progress)
    return vectors[: len(wordings)], vectors[len(wordings) :], 0


def _statistics(index: object) -> Bm25Index | None:
    return cast(Bm25Index | None, index)


def _answer_hashes(entries: Sequence[Entry]) -> npt.NDArray[np.uint64]:
    digests = (hashlib.blake2b(entry.answer.strip().encode("utf-8"), digest_size=8).digest() for entry in entries)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _answer_groups(hashes: npt.NDArray[np.uint64], base: Parts | None) -> npt.NDArray[np.int32]:
    known: dict[int, int] = {}
    following = 0
    if base is not None and len(base.answer_hashes):
        rows = np.flatnonzero(np.isin(base.answer_hashes, hashes))
        known = {int(base.answer_hashes[row]): int(base.answer_groups[row]) for row in rows}
        following = int(base.answer_groups.max()) + 1
    groups = np.empty(len(hashes), dtype=np.int32)
    for row, answer in enumerate(hashes.tolist()):
        if answer not in known:
            known[answer] = following
            following += 1
        groups[row] = known[answer]
    return groups


def passage_text(entry: Entry) -> str:
    """Question and beginning of the answer, as they are embedded together."""
    return clean(f"{entry.question}\n{plain(entry.answer)[:_ANSWER_EMBEDDED]}")


def lexical_question(entry: Entry) -> str:
    """What the indexes of characters and sounds hold of an entry."""
    return clean("\n".join((*entry.wordings, *entry.keywords)))


def lexical_answer(entry: Entry) -> str:
    """The same with the answer."""
    return clean("\n".join((*entry.wordings, *entry.keywords, plain(entry.answer)[:_ANSWER_LEXICAL])))
