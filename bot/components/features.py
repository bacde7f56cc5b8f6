"""Terms of a text: its character n-grams and a few marks of its shape."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from services.understanding.classifier.model import grams
from services.understanding.placeholders import normalise

LONGEST_NGRAM: Final = 4
_LENGTH_STEPS: Final = (2, 4, 8, 16, 32, 64)
_VOWEL: Final = re.compile(r"[aeiou]")


def shape_marks(text: str) -> list[str]:
    """Marks that random key presses share with each other and with no sentence.

    They are features beside the n-grams (their names begin with a character no text can hold).
    """
    letters = [c for c in text if not c.isspace()]
    if not letters:
        return ["\x00empty"]
    total = len(letters)
    chinese = sum("\u4e00" <= c <= "\u9fff" or (c >= "\ue000" and c <= "\ue0ff") for c in letters) / total
    latin = "".join(c for c in letters if "a" <= c <= "z")
    symbols = sum(not c.isalnum() and not "\ue000" <= c <= "\ue0ff" for c in letters) / total
    digits = sum(c.isdigit() for c in letters) / total
    marks = [f"\x00length{sum(total > step for step in _LENGTH_STEPS)}"]
    marks.append(f"\x00chinese{round(chinese * 3)}")
    if latin and len(_VOWEL.findall(latin)) / len(latin) < 0.25 and len(latin) >= 4:
        marks.append("\x00consonants")
    if symbols > 0.5:
        marks.append("\x00symbols")
    if digits > 0.6:
        marks.append("\x00digits")
    if total >= 5 and len(set(letters)) / total < 0.4:
        marks.append("\x00repeats")
    return marks


def terms(text: str) -> Counter[str]:
    """The terms of one raw text with their counts."""
    canonical = normalise(text)
    return grams(canonical, LONGEST_NGRAM) + Counter(shape_marks(canonical))
