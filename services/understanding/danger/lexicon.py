"""Words of danger and words that take the danger out of a sentence (data/lexicon.toml).

Patterns are matched on folded text (Simplified, upper case) with the commonest Cantonese words
replaced by their Mandarin ones, so one pattern serves all three ways of writing.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from services.understanding.folding import fold

_Named = tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True)
class _Lexicon:
    replaced: dict[str, str]
    replacing: re.Pattern[str]
    signals: _Named
    suppressors: _Named
    classes: _Named
    immediate: re.Pattern[str]


def _named(table: dict[str, list[str]]) -> _Named:
    return tuple((name, re.compile("|".join(patterns))) for name, patterns in table.items())


@cache
def _lexicon() -> _Lexicon:
    raw = tomllib.loads(resources.files(__package__).joinpath("data/lexicon.toml").read_text("utf-8"))
    replaced: dict[str, str] = raw["replaced"]
    # longest first: a word may hold another
    words = sorted(map(re.escape, replaced), key=len, reverse=True)
    return _Lexicon(
        replaced=replaced,
        replacing=re.compile("|".join(words)),
        signals=_named(raw["signals"]),
        suppressors=_named(raw["suppressors"]),
        classes=_named(raw["classes"]),
        immediate=re.compile("|".join(raw["immediate"]["words"])),
    )


def prepare(text: str) -> str:
    """Folded text with Cantonese words and common typing slips replaced; its length may differ."""
    lexicon = _lexicon()
    return lexicon.replacing.sub(lambda match: lexicon.replaced[match.group()], fold(text)).strip()


def signals(prepared: str) -> list[tuple[str, str]]:
    """(category, matched words) of every danger word, in the order of the categories."""
    found = ((category, pattern.search(prepared)) for category, pattern in _lexicon().signals)
    return [(category, match.group()) for category, match in found if match]


def suppressors(prepared: str) -> list[str]:
    """Names of the ways in which the sentence may mean no danger."""
    return [name for name, pattern in _lexicon().suppressors if pattern.search(prepared)]


def classes(prepared: str) -> list[str]:
    """Names of the broad classes (victim, harm, place, business ...) whose words occur."""
    return [name for name, pattern in _lexicon().classes if pattern.search(prepared)]


def is_immediate(prepared: str) -> bool:
    """True when something says that it happens here and now."""
    return _lexicon().immediate.search(prepared) is not None
