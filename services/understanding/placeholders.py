"""Placeholders: what stands in a message for an identifier once it has left the text. Standard library only.

The service numbers them (【车牌1】); for what is learned from examples one type is one private character, so that a
character n-gram can see it whatever its number.
"""

from __future__ import annotations

import re
from typing import Final

from services.understanding.folding import plain

PLACEHOLDER_NAMES: Final[dict[str, str]] = {
    "plate": "车牌",
    "id_card": "身份证",
    "license_file_no": "档案编号",
    "household_no": "户号",
    "phone": "手机号",
    "engine_tail": "发动机号",
    "phone_tail": "手机尾号",
}
"""Entity type -> the word inside its placeholder (docs/architecture.md, "What goes to Rasa")."""

PLACEHOLDER: Final = re.compile("【(" + "|".join(PLACEHOLDER_NAMES.values()) + r")\d+】")
MARKS: Final = re.compile("[\ue000-\ue0ff]")
"""What `normalise` puts for placeholders and long numbers."""

_TYPE_OF_NAME: Final[dict[str, str]] = {name: kind for kind, name in PLACEHOLDER_NAMES.items()}
_CHARACTER_OF_TYPE: Final[dict[str, str]] = {kind: chr(0xE000 + i) for i, kind in enumerate(PLACEHOLDER_NAMES)}
_CASE_NUMBER_CHARACTER: Final = chr(0xE010)
_LONG_NUMBER_CHARACTER: Final = chr(0xE011)
_CASE_NUMBER: Final = re.compile(r"(?<![a-z0-9])(?:[a-z]{2,4}-?\d{8,}(?:-\d+)?|20\d{6}-\d{3,})(?![a-z0-9])")
_LONG_NUMBER: Final = re.compile(r"\d{7,}")
_FILLER: Final = re.compile(r"[\s\W_]+")


def placeholder(kind: str, number: int) -> str:
    """The placeholder of the `number`-th identifier of a type; KeyError for a type that stays in the text."""
    return f"【{PLACEHOLDER_NAMES[kind]}{number}】"


def placeholders(text: str) -> list[tuple[str, str, int, int]]:
    """All placeholders of a text as (entity type, placeholder, start, end), in order."""
    return [(_TYPE_OF_NAME[m.group(1)], m.group(0), m.start(), m.end()) for m in PLACEHOLDER.finditer(text)]


def normalise(text: str) -> str:
    """A text as `folding.plain` has it, each placeholder, case number and long number one private character."""
    folded = plain(PLACEHOLDER.sub(lambda match: _CHARACTER_OF_TYPE[_TYPE_OF_NAME[match.group(1)]], text))
    return _LONG_NUMBER.sub(_LONG_NUMBER_CHARACTER, _CASE_NUMBER.sub(_CASE_NUMBER_CHARACTER, folded))


def case_number(text: str) -> tuple[str, int, int] | None:
    """The first case number written in a text (GD..., XF..., YYYYMMDD-NNNNN) with its span, or None."""
    match = _CASE_NUMBER.search(text.lower())
    return (text[match.start() : match.end()], match.start(), match.end()) if match else None


def without_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """The text less the given spans, less white space and punctuation: what a person said around them."""
    kept = list(text)
    for start, end in spans:
        kept[start:end] = [" "] * (min(end, len(text)) - start)
    return _FILLER.sub("", "".join(kept))
