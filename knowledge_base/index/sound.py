"""Text by its sound: typos on a Chinese keyboard replace a character by another of the same pinyin."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

# Syllables become characters of a plane that no citizen types; every index over characters then works on sounds.
_FIRST = 0x20000
_LAST = 0x30000
# Sounds that many speakers, and so many typists, do not tell apart.
_SAME_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"))


@cache
def _table() -> npt.NDArray[np.uint32]:
    table = np.arange(_LAST, dtype=np.uint32)
    numbers: dict[str, int] = {}
    for code, readings in PINYIN_DICT.items():
        if code < _FIRST:
            sound = _fuzzy(to_normal(readings.split(",", 1)[0]))
            table[code] = _FIRST + numbers.setdefault(sound, len(numbers))
    return table


def _fuzzy(syllable: str) -> str:
    for wide, narrow in _SAME_INITIALS:
        if syllable.startswith(wide):
            syllable = narrow + syllable[len(wide) :]
    return syllable.removesuffix("g") if syllable.endswith("ng") else syllable


def sounds(text: str) -> str:
    """`text` with every Chinese character replaced by a stand-in for its toneless, fuzzy pinyin; the rest stays.

    Of several readings the most usual one counts: both sides of a comparison go through the same table.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    return _table()[np.minimum(codes, _LAST - 1)].tobytes().decode("utf-32-le")
