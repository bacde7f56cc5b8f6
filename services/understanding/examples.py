"""The dialogue's examples (bot/data/nlu), read in one place. Standard library and PyYAML only."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import yaml

DIALOGUE: Final = Path(__file__).resolve().parents[2] / "bot" / "data" / "nlu"


class Example(NamedTuple):
    """A message as citizens write it, and the intent it stands for."""

    text: str
    intent: str


def dialogue_examples(folder: Path = DIALOGUE) -> list[Example]:
    """All examples in the order of their files; the same text may stand twice. OSError, KeyError when unreadable."""
    return [
        Example(line[2:].strip(), block["intent"])
        for path in sorted(folder.glob("*.yml"))
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        for line in block["examples"].splitlines()
        if line.startswith("- ")
    ]
