"""Text as the indexes see it: cleaned and in one script."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from opencc import OpenCC

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
# Longer questions are cut in the middle: the request stands at the beginning or at the end.
LONGEST_QUERY = 400


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def clean(text: str) -> str:
    """NFKC, Simplified characters, control and zero-width characters dropped, blanks collapsed to one space."""
    text = _CONTROLS.sub(" ", text)
    text = unicodedata.normalize("NFKC", text)
    text = _BLANKS.sub(" ", text).strip()
    return _simplifier().convert(text) if not text.isascii() else text


def clean_query(text: str) -> str:
    """`clean` for a citizen's question; "" when it holds no letter, digit or character (empty, emoji, punctuation).

    Texts beyond LONGEST_QUERY characters keep their first and last halves of that length.
    """
    if len(text) > 4 * LONGEST_QUERY:
        text = text[: 2 * LONGEST_QUERY] + " " + text[-2 * LONGEST_QUERY :]
    cleaned = clean(text)
    if len(cleaned) > LONGEST_QUERY:
        half = LONGEST_QUERY // 2
        cleaned = cleaned[:half] + " " + cleaned[-half:]
    return cleaned if any(character.isalnum() for character in cleaned) else ""
