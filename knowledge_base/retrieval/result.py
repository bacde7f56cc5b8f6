"""What a search gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from knowledge_base.embedding.protocol import Vectors

Band = Literal["answer", "candidates", "none"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry with the probability (0..1) that it answers the question, and why it was found.

    `wording` is the question or similar question of the entry that came nearest, `dense` its cosine, `dense_answer` the
    cosine of question and answer together, `lexical` the share of the question's character pairs found (BM25, scaled).
    """

    entry_id: str
    confidence: float
    wording: str
    dense: float
    dense_answer: float
    lexical: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits in falling confidence, the band they fall into, and the query's embedding."""

    hits: tuple[Hit, ...]
    band: Band
    embedding: Vectors


@dataclass(frozen=True, slots=True)
class Bands:
    """Thresholds on the confidence of the best hit: from `answer` on given, from `candidates` on offered."""

    answer: float = 0.75
    candidates: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.candidates <= self.answer <= 1.0:
            raise ValueError("bands need 0 <= candidates <= answer <= 1")

    def of(self, confidence: float) -> Band:
        """The band of a best confidence."""
        if confidence >= self.answer:
            return "answer"
        return "candidates" if confidence >= self.candidates else "none"
