"""What a citizen's message is about: the kind of case and the department, each with a confidence.

    shipped()              the classifier that comes with the project (data/subjects.npz)
    shipped().predict(text, vector=None)      {"kind": Guess, "department": Guess}

The examples (data/*.txt) were written for this project. A line is the short name of a department, `|`, and a citizen's
message; the file's name is the kind.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from knowledge_base.text import clean
from services.understanding.classifier.model import Classifier, grams

KINDS: Final = ("consultation", "help", "complaint", "report", "suggestion")
KIND, DEPARTMENT = "kind", "department"
FILE: Final = "subjects.npz"
SHIPPED: Final = Path(__file__).with_name("data") / FILE
LONGEST_GRAM: Final = 4
LONGEST_TEXT: Final = 4000

_DIGITS: Final = re.compile(r"\d+")
_MASKS: Final = re.compile(r"[*＊×X]{2,}|【[^【】]{1,12}】")
_WIDE: Final = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"})


class Example(NamedTuple):
    """One written message with what it is."""

    kind: str
    department: str
    text: str


def prepare(text: str) -> str:
    """Simplified, small letters, one way of punctuation; every number is 0 and every mask or placeholder is *.

    So what is learned remembers nobody's number.
    """
    folded = _MASKS.sub("*", clean(text[:LONGEST_TEXT]).lower())
    return _DIGITS.sub("0", folded).translate(_WIDE)


def terms(text: str) -> Counter[str]:
    """The n-grams of a raw text with their counts."""
    return grams(prepare(text), LONGEST_GRAM)


def read(data: bytes) -> Classifier:
    """A classifier of subjects from its bytes, also of an earlier release. Raises ModelDamaged."""
    return Classifier.from_bytes(data, terms)


@cache
def shipped() -> Classifier:
    """The classifier that comes with the project: our five kinds, and the departments of the demo city."""
    return read(resources.files(__package__).joinpath(f"data/{FILE}").read_bytes())


def read_examples() -> list[Example]:
    """The examples of all kinds, without comments."""
    found = []
    for kind in KINDS:
        lines = resources.files(__package__).joinpath(f"data/{kind}.txt").read_text("utf-8").splitlines()
        for line in lines:
            if line.strip() and not line.startswith("#"):
                department, text = line.split("|", 1)
                found.append(Example(kind, department, text.strip()))
    return found
