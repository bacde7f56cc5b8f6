"""The grammar of service names, compiled from data/services.toml.

A name is a run of neighbours: leads ("补办"), modifiers ("机动车"), names ("身份证"), things that become a service by what is
done with them ("摩托车" before "注销") and actions ("换领"), at the end a dose ("第三针").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

_DOSE = r"(?:第?[一二三四1-4](?:针|剂)次?)?"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`pattern` finds a service in a folded text; `describing` holds the names that may only describe a place."""

    pattern: re.Pattern[str]
    describing: re.Pattern[str]


def alternatives(words: Iterable[str]) -> str:
    """A regular expression for any of `words`, longest first, as a tree of shared beginnings.

    >>> alternatives(["护照", "护照换发", "户口"])
    '(?:户口|护照(?:换发)?)'
    """
    words = sorted(set(words))
    if len(words) == 1:
        return re.escape(words[0])
    by_first: dict[str, list[str]] = {}
    for word in words:
        if word:
            by_first.setdefault(word[0], []).append(word[1:])
    branches = []
    for first, rests in by_first.items():
        while all(rests) and len({rest[0] for rest in rests}) == 1:
            first, rests = first + rests[0][0], [rest[1:] for rest in rests]
        branches.append(re.escape(first) + ("" if rests == [""] else alternatives(rests)))
    return f"(?:{'|'.join(branches)}){'' if words[0] else '?'}"


@cache
def load_lexicon() -> Lexicon:
    """The service names of data/services.toml, compiled once."""
    raw = tomllib.loads(resources.files(__package__).joinpath("data/services.toml").read_text("utf-8"))
    actions, describing = alternatives(raw["actions"]), alternatives([*raw["medical"], *raw["venues"]])
    name = alternatives([*raw["names"], *raw["medical"], *raw["venues"]])
    thing = rf"{alternatives(raw['objects'])}(?=(?:{actions}))"
    before = rf"(?:{alternatives(raw['modifiers'])})?"
    latin = "|".join(word.upper().replace(" ", " ?") for word in sorted(raw["latin"], key=len, reverse=True))
    return Lexicon(
        re.compile(
            rf"(?:(?<![可能以])领取?|{alternatives(raw['leads'])})?{before}(?:{name}|{thing})(?:{name}|{thing}|{actions}){{0,3}}{_DOSE}"
            rf"|{before}(?:{name}|{thing})(?:{name}|{thing}|{actions}){{0,3}}{_DOSE}"
            rf"|(?<![A-Z])(?:{latin})(?![A-Z])"
        ),
        re.compile(f"(?:{describing})"),
    )
