"""Other ways to search the same entries, each as its makers show it. They are installed for a bench only."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from typing import Any

from knowledge_base import Embedder, Entry
from knowledge_base.writing import passage_text

Search = Callable[[str], Any]
NOT_INSTALLED = "not installed"
_HITS = 10


def bm25_jieba(entries: Sequence[Entry], embedder: Embedder) -> Search:
    """BM25 over jieba's search-engine words of question and answer; embeds nothing."""
    import bm25s
    import jieba

    jieba.setLogLevel(logging.WARNING)
    logging.getLogger("bm25s").setLevel(logging.WARNING)

    def words(text: str) -> list[str]:
        return [word for word in jieba.cut_for_search(text) if word.strip()]

    retriever = bm25s.BM25()
    retriever.index([words(passage_text(entry)) for entry in entries], show_progress=False)
    return lambda text: retriever.retrieve([words(text)], k=min(_HITS, len(entries)), show_progress=False)


def semantic_search(entries: Sequence[Entry], embedder: Embedder) -> Search:
    """sentence-transformers' util.semantic_search over the questions, with the same embedder."""
    import torch
    from sentence_transformers.util import semantic_search as search

    corpus = torch.from_numpy(embedder.embed_passages([entry.question for entry in entries]))
    return lambda text: search(torch.from_numpy(embedder.embed_queries([text])), corpus, top_k=_HITS)


def txtai(entries: Sequence[Entry], embedder: Embedder) -> Search:
    """txtai at its defaults over the questions, with the same embedder plugged in."""
    from txtai.embeddings import Embeddings

    def transform(texts: Sequence[str]) -> Any:
        # txtai has one function for both; a bench asks single questions and indexes many.
        return embedder.embed_queries(texts) if len(texts) == 1 else embedder.embed_passages(texts)

    index = Embeddings({"method": "external", "transform": transform})
    index.index([(number, entry.question, None) for number, entry in enumerate(entries)])
    return lambda text: index.search(text, _HITS)


PEERS: dict[str, tuple[tuple[str, ...], Callable[[Sequence[Entry], Embedder], Search]]] = {
    "BM25 with jieba words (bm25s)": (("bm25s", "jieba"), bm25_jieba),
    "sentence-transformers semantic_search": (("sentence_transformers",), semantic_search),
    "txtai": (("txtai",), txtai),
}


def is_installed(modules: Sequence[str]) -> bool:
    """Whether all `modules` can be imported."""
    return all(importlib.util.find_spec(module) is not None for module in modules)
