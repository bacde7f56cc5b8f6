"""Everyday words and the official words for the same thing, from a text file that editors can change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from knowledge_base.errors import ImportRejected
from knowledge_base.tables import Limits, read_file
from knowledge_base.text import clean

LIMITS = Limits(bytes=4 * 1024 * 1024)
DEFAULT = Path(__file__).resolve().parent.parent / "data" / "synonyms.txt"


class Synonyms:
    """A lexicon: official words by everyday word.

    >>> Synonyms({"小轿车": "小型汽车"}).official("小轿车几年一检")
    '小型汽车几年一检'
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        """Words are cleaned like questions; an everyday word that equals its official one is dropped."""
        cleaned = {clean(everyday): clean(official) for everyday, official in words.items()}
        self._words = {
            everyday: official for everyday, official in cleaned.items() if everyday and everyday != official
        }
        # Longest first: 电动自行车 must not be read as 自行车.
        ordered = sorted({*self._words, *self._words.values()}, key=lambda word: (-len(word), word))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __len__(self) -> int:
        return len(self._words)

    @classmethod
    def load(cls, *paths: Path) -> Synonyms:
        """Read files of lines "official = everyday, everyday"; a later file wins over an earlier one.

        Lines that are blank or start with # say nothing. ImportRejected when a file cannot be read or a line lacks the
        official word, the equals sign or everyday words; it names the first such line.
        """
        words: dict[str, str] = {}
        for path in paths or (DEFAULT,):
            try:
                lines = read_file(path, LIMITS).decode("utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise ImportRejected(f"无法读取文件：{path.name}") from error
            for number, line in enumerate(lines, start=1):
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                official, _, rest = line.partition("=")
                everyday = [word.strip() for word in re.split("[,，、]", rest) if word.strip()]
                if not official.strip() or not everyday:
                    raise ImportRejected(f"{path.name} 第 {number} 行应写成：正式说法 = 口语说法, 口语说法")
                words.update(dict.fromkeys(everyday, official.strip()))
        return cls(words)

    def official(self, text: str) -> str:
        """`text` (cleaned) with every everyday word replaced; official words that it holds already stay whole."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._words.get(found[0], found[0]), text)
