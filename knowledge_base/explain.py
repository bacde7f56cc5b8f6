"""Why a search found what it found."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import SequenceMatcher

from knowledge_base.base import KnowledgeBase
from knowledge_base.retrieval.result import Band, Hit
from knowledge_base.text import clean, clean_query

# Shorter pieces than this are in every question.
_SHORTEST_PIECE = 2


@dataclass(frozen=True, slots=True)
class Explanation:
    """`wording` is the question (or, with `similar`, the similar question) that came nearest; `matched` are the pieces
    of the question that stand in it, as both were indexed; `parts` the scores that were weighed, by name; `band` is
    that of this hit's own confidence.
    """

    wording: str
    similar: bool
    matched: tuple[str, ...]
    parts: dict[str, float]
    band: Band


def explain(kb: KnowledgeBase, text: str, hit: Hit) -> Explanation:
    """Explain `hit`, which `kb.search(text)` gave."""
    entry = kb.entry(hit.entry_id)
    parts = {
        item.name: float(value)
        for item in fields(hit)
        if item.name != "confidence" and isinstance(value := getattr(hit, item.name), int | float)
    }
    return Explanation(
        wording=hit.wording,
        similar=hit.wording != entry.question,
        matched=_shared(clean_query(text), clean(hit.wording)),
        parts=parts,
        band=kb.bands.of(hit.confidence),
    )


def _shared(query: str, wording: str) -> tuple[str, ...]:
    blocks = SequenceMatcher(None, query.lower(), wording.lower(), autojunk=False).get_matching_blocks()
    pieces = (query[block.a : block.a + block.size].strip() for block in blocks)
    return tuple(dict.fromkeys(piece for piece in pieces if len(piece) >= _SHORTEST_PIECE))
