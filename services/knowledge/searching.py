"""A search with its reasons, as the API and the command line show it."""

from knowledge_base import KnowledgeBase, explain
from knowledge_base.text import clean_query
from services.knowledge.schemas import HitView, SearchView


def explained(kb: KnowledgeBase, version: int | None, text: str, k: int) -> SearchView:
    """Search `kb` for `text` and say why each of the `k` hits is one."""
    result = kb.search(text, k)
    hits = []
    for hit in result.hits:
        why, entry = explain(kb, text, hit), kb.entry(hit.entry_id)
        hits.append(
            HitView(
                id=entry.id,
                question=entry.question,
                department=entry.department,
                confidence=round(hit.confidence, 4),
                band=why.band,
                wording=why.wording,
                similar=why.similar,
                matched=list(why.matched),
                parts={name: round(value, 4) for name, value in why.parts.items()},
                dense=round(hit.dense, 4),
                dense_answer=round(hit.dense_answer, 4),
                lexical=round(hit.lexical, 4),
            )
        )
    return SearchView(
        version=version,
        searched=clean_query(text),
        band=result.band,
        answers_pending=kb.answers_pending,
        hits=hits,
    )
