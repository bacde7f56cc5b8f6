"""Features of a text: weighted character n-grams and a few marks of its shape."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.understanding.placeholders import normalise

LONGEST_NGRAM: Final = 4
_LENGTH_STEPS: Final = (2, 4, 8, 16, 32, 64)
_VOWEL: Final = re.compile(r"[aeiou]")


def ngrams(text: str) -> Iterable[str]:
    """All character n-grams (1..4) of a normalised text, with its start and end marked."""
    framed = f"\x02{text}\x03"
    for size in range(1, LONGEST_NGRAM + 1):
        for start in range(len(framed) - size + 1):
            yield framed[start : start + size]


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


class NgramVectoriser:
    """Texts to sparse unit vectors (sublinear term frequency x inverse document frequency).

    Example:
        vectoriser = NgramVectoriser.fit(["查违章", "转人工"])
        columns, values = vectoriser.row("查一下违章")
    """

    def __init__(self, vocabulary: Sequence[str], idf: npt.NDArray[np.float32]) -> None:
        """Take the n-grams in column order and their inverse document frequencies."""
        self.vocabulary: Final = list(vocabulary)
        self.idf: Final = idf
        self._column: Final = {gram: i for i, gram in enumerate(self.vocabulary)}

    @classmethod
    def fit(cls, texts: Sequence[str], minimum_documents: int = 2) -> NgramVectoriser:
        """Learn the vocabulary: the n-grams of at least `minimum_documents` texts."""
        documents: Counter[str] = Counter()
        for text in texts:
            documents.update(set(_terms(text)))
        vocabulary = sorted(gram for gram, n in documents.items() if n >= minimum_documents)
        idf = [math.log((1 + len(texts)) / (1 + documents[gram])) + 1 for gram in vocabulary]
        return cls(vocabulary, np.asarray(idf, dtype=np.float32))

    def row(self, text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The non-zero columns and values of one raw text; empty arrays when nothing is known."""
        counts: Counter[int] = Counter()
        for term in _terms(text):
            column = self._column.get(term)
            if column is not None:
                counts[column] += 1
        columns = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        frequencies = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        values = (1 + np.log(frequencies)) * self.idf[columns]
        norm = float(np.sqrt(values @ values))
        return columns, (values / norm if norm else values).astype(np.float32)


def _terms(text: str) -> list[str]:
    canonical = normalise(text)
    return [*ngrams(canonical), *shape_marks(canonical)]
