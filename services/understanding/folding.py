"""One way of writing for each reader: scripts, widths and cases folded away. Standard library only.

    fold(text)        as long as the text, so that offsets stay: for finding things in it
    plain(text)       small letters and Mandarin characters: for phrases and what is learned from examples
    bare(text)        what a whole message is compared by: no blanks, no marks at its ends
    compact(text)     an identifier: no separators, capitals

Traditional characters become Simplified ones one by one (data/traditional.txt).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("data") / "traditional.txt"

# A 两 behind ASCII digits counts what follows ("60031122两户").
_SPELLED: Final = str.maketrans("零〇一二三四五六七八九幺两", "0012345678912")
_SPELLED_RUN: Final = re.compile(
    r"[0-9零〇一二三四五六七八九幺两]{6,}(?:[零〇一二三四五六七八九幺]|(?<![0-9])两|[0-9])"
)
# Cantonese characters that stand for one of Mandarin, and two that scripts write differently.
_SPOKEN: Final = dict(
    zip(
        "嗰嘅咗冇喺唔佢哋噉咁啲嚟攞睇搵乜嘢係喇㗎痺帳",
        "那的了没在不他们这这些来拿看找什么是啦的痹账",
        strict=True,
    )
)
_ENDS: Final = " \t\n。．.,，、!！?？~～;；:：\"'“”‘’()（）"
_SPACE: Final = re.compile(r"\s+")
_SEPARATORS: Final = re.compile(r"[\s·•・.\-—_]+")


@cache
def _simplified() -> dict[str, str]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    pairs = "".join(line for line in lines if not line.startswith("#"))
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


@cache
def _mandarin() -> dict[int, str]:
    return {ord(char): plain for char, plain in {**_simplified(), **_SPOKEN}.items()}


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
    return _simplified().get(folded, folded)


def fold(text: str) -> str:
    """`text` folded for matching, exactly as long as before: digits ASCII, letters upper case, characters Simplified.

    Runs of spelled-out digits ("一三八零零...") become digits too: a number read aloud to a keyboard is still an
    identifier.
    """
    folded = "".join(map(_fold_char, text))
    return _SPELLED_RUN.sub(lambda match: match.group().translate(_SPELLED), folded)


def plain(text: str) -> str:
    """NFKC, small letters, Simplified and Mandarin characters, blanks as one space.

    >>> plain("我唔想睇  ＡＢ")
    '我不想看 ab'
    """
    folded = unicodedata.normalize("NFKC", text).lower().translate(_mandarin())
    return _SPACE.sub(" ", folded).strip()


def bare(text: str) -> str:
    """NFKC, small letters; no blanks, no marks at the ends.

    >>> bare(" ＷＩＦＩ密码？ ")
    'wifi密码'
    """
    return "".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_ENDS)


def compact(text: str) -> str:
    """NFKC, capitals, without what people put between the parts of a number.

    >>> compact("gd 2026-0815·0003")
    'GD202608150003'
    """
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()
