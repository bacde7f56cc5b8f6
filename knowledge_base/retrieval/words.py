"""How well the words of a question match: by characters, by characters with the answer, and by sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.entry import Entry
from knowledge_base.index.bm25 import Bm25Index
from knowledge_base.index.lexical import LexicalIndex
from knowledge_base.index.sound import sounds
from knowledge_base.retrieval.request import request_of
from knowledge_base.retrieval.synonyms import Synonyms
from knowledge_base.writing import lexical_answer, lexical_question

# What each index was built of.
_CONVERTERS: tuple[Callable[[str], str], ...] = (str, str, sounds)


class WordScores:
    """Three lexical indexes over the same entries, and the lexicon that brings everyday words to official ones."""

    def __init__(
        self, questions: LexicalIndex, answers: LexicalIndex, by_sound: LexicalIndex, synonyms: Synonyms
    ) -> None:
        self._indexes = (questions, answers, by_sound)
        self._synonyms = synonyms

    def scores(self, query: str) -> tuple[Vectors, Vectors, Vectors]:
        """Scores (one per row) of questions, of questions with answers, and of sounds; shares of the `query` found.

        The request alone is looked for, in the citizen's words and in official ones; the better of both counts.
        """
        request = request_of(query)
        official = self._synonyms.official(request)
        columns: list[Vectors] = []
        for index, convert in zip(self._indexes, _CONVERTERS, strict=True):
            scores, total = index.scores(convert(request))
            scores /= max(total, 1e-9)
            if official != request:
                others, total = index.scores(convert(official))
                np.maximum(scores, others / max(total, 1e-9), out=scores)
            columns.append(scores)
        return columns[0], columns[1], columns[2]

    def like(self, entries: Sequence[Entry]) -> WordScores:
        """The same over other `entries`, with the statistics of these indexes, which are those of a whole base."""
        questions, answers, by_sound = (cast(Bm25Index, index) for index in self._indexes)
        texts = [lexical_question(entry) for entry in entries]
        return WordScores(
            Bm25Index.build(texts, like=questions),
            Bm25Index.build([lexical_answer(entry) for entry in entries], like=answers),
            Bm25Index.build([sounds(text) for text in texts], like=by_sound),
            self._synonyms,
        )
