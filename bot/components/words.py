"""Slot values that plain words name: the options of a form's slot (bot/forms)."""

from __future__ import annotations

import re
from typing import Final

from components.forms import Slot
from components.text import normalise

_BRIEF: Final = 4
"""Up to so many characters one character is enough to name an option that says so ("【户号1】 水")."""
_MARKS: Final = re.compile("[\ue000-\ue0ff]")
_NUMBERED: Final = re.compile(r"^(?:选|第)?([1-9一二三四五六七八九])(?:个|种|号)?$")
_OTHER: Final = re.compile(r"^(其他|其它|别的|都不是|另外的).{0,6}$")
_DIGITS: Final = "一二三四五六七八九"


def named_option(slot: Slot, text: str, *, asked: bool = False) -> str | None:
    """The option that a text names, None for none; when it was asked for, also by its number in the list.

    `pick: longest` takes the option with the longest word found (the first of equals), `pick: only` takes nothing
    when several are named ("水电费").
    """
    plain = _MARKS.sub("", normalise(text)).strip(" 。.!,，、")
    if asked:
        numbered = _numbered(slot, plain)
        if numbered is not None:
            return numbered
        if _OTHER.match(plain):
            other = next((option.title for option in slot.options if option.other), None)
            if other is not None:
                return other
    # A title always names its own option, without a word in the file.
    if plain in {option.title for option in slot.options}:
        return plain
    if len(plain) <= _BRIEF:
        short = plain.replace("暖气", "暖")
        briefly = [option.title for option in slot.options if any(char in short for char in option.brief)]
        if briefly:
            return briefly[0] if len(briefly) == 1 or slot.pick != "only" else None
    found: list[tuple[int, str]] = []
    for option in slot.options:
        lengths = [len(match.group(0)) for word in option.words for match in re.finditer(word, plain)]
        if lengths:
            found.append((max(lengths), option.title))
    if not found or (slot.pick == "only" and len(found) > 1):
        return None
    return max(found, key=lambda one: one[0])[1]


def _numbered(slot: Slot, plain: str) -> str | None:
    numbered = _NUMBERED.match(plain)
    if numbered is None:
        return None
    digit = numbered.group(1)
    index = _DIGITS.index(digit) if digit in _DIGITS else int(digit) - 1
    shown = [option.title for option in slot.options if option.shown]
    return shown[index] if index < len(shown) else None
