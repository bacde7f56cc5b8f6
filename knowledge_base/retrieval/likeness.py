"""Whether two questions ask the same in nearly the same words."""

from __future__ import annotations

from knowledge_base.index.bm25 import grams
from knowledge_base.text import clean

# Questions this alike, by meaning (cosine) and by characters, ask the same in other words. Meaning alone is not enough:
# "how to apply for A" and "how to apply for B" lie closer together than two ways to ask for A.
SAME_MEANING = 0.95
_SAME_CHARACTERS = 0.7


def bare(text: str) -> str:
    """A question without punctuation, blanks, case and script."""
    return "".join(character for character in clean(text).lower() if character.isalnum())


def read_alike(one: str, other: str) -> bool:
    """Whether two questions share most of their characters and pairs of characters."""
    left, right = set(grams(bare(one)).tolist()), set(grams(bare(other)).tolist())
    return len(left & right) >= _SAME_CHARACTERS * max(len(left | right), 1)
