"""Long word lists as one regular expression that is read letter by letter."""

from __future__ import annotations

import re
from collections.abc import Iterable


def alternatives(words: Iterable[str]) -> str:
    """A regular expression for any of `words`, longest first, as a tree of shared beginnings.

    >>> alternatives(["护照", "护照换发", "户口"])
    '(?:户口|护照(?:换发)?)'
    """
    words = sorted(set(words))
    if len(words) == 1:
        return re.escape(words[0])
    by_first: dict[str, list[str]] = {}
    for word in words:
        if word:
            by_first.setdefault(word[0], []).append(word[1:])
    branches = []
    for first, rests in by_first.items():
        while all(rests) and len({rest[0] for rest in rests}) == 1:
            first, rests = first + rests[0][0], [rest[1:] for rest in rests]
        branches.append(re.escape(first) + ("" if rests == [""] else alternatives(rests)))
    return f"(?:{'|'.join(branches)}){'' if words[0] else '?'}"
