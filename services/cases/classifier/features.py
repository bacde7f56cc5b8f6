"""A text as character n-grams that forget its numbers and its way of typing."""

import re
from collections import Counter
from typing import Final

from knowledge_base.text import clean

SHORTEST: Final = 1
LONGEST: Final = 4
LONGEST_TEXT: Final = 4000

_DIGITS = re.compile(r"\d+")
_MASKS = re.compile(r"[*＊×X]{2,}|【[^【】]{1,12}】")
_WIDE = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"})


def prepare(text: str) -> str:
    """Simplified, small letters, one way of punctuation; every number is 0 and every mask or placeholder is *.

    So a learned model remembers nobody's number.
    """
    folded = clean(text[:LONGEST_TEXT]).lower()
    folded = _MASKS.sub("*", folded)
    return _DIGITS.sub("0", folded).translate(_WIDE)


def grams(text: str) -> Counter[str]:
    """The character n-grams of a raw text with their counts, its start and end marked."""
    framed = f"\x02{prepare(text)}\x03"
    return Counter(
        framed[start : start + size] for size in range(SHORTEST, LONGEST + 1) for start in range(len(framed) - size + 1)
    )
