"""What the search asks of a lexical index."""

from __future__ import annotations

from typing import Protocol

from knowledge_base.embedding.protocol import Vectors


class LexicalIndex(Protocol):
    """Scores documents by the characters that they share with a text. Safe to ask from several threads."""

    def scores(self, text: str) -> tuple[Vectors, float]:
        """The score of every document (an array of the caller's own), and the total rarity of the text's grams."""
