"""Length-preserving folding, so that every offset in the folded text is one in the original.

Full-width and other Unicode digits become ASCII digits, letters become upper case, Traditional
characters become Simplified ones (OpenCC), one character at a time. Runs of spelled-out digits
("一三八零零...") become digits as well: a number read aloud to a keyboard is still an identifier.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import opencc

_SPELLED = str.maketrans("零〇一二三四五六七八九幺两", "0012345678912")
# a 两 behind ASCII digits counts what follows ("60031122两户")
_SPELLED_RUN = re.compile(r"[0-9零〇一二三四五六七八九幺两]{6,}(?:[零〇一二三四五六七八九幺]|(?<![0-9])两|[0-9])")


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache(maxsize=32768)
def _fold_char(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    if digit is None:
        digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKC", char)
    if len(folded) != 1:
        return char
    upper = folded.upper()
    if len(upper) == 1:
        folded = upper
    if folded > "\u2e7f":
        simplified: str = _converter().convert(folded)
        if len(simplified) == 1:
            return simplified
    return folded


def fold(text: str) -> str:
    """Return `text` folded for matching; the result has exactly the same length."""
    folded = "".join(map(_fold_char, text))
    return _SPELLED_RUN.sub(lambda m: m.group().translate(_SPELLED), folded)
