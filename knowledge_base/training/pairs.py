"""Labelled questions from the starter base: its similar questions are what citizens ask, held out from the index."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.formats import import_file
from knowledge_base.training.augment import distort, vary

STARTER = Path(__file__).resolve().parent.parent / "starter"
FAR = Path(__file__).resolve().parent / "far_questions.txt"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and the entry that answers it; None when none does.

    `about` is the entry that it was written for, also where the base lacks it; None for far questions.
    """

    text: str
    entry_id: str | None
    about: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A base to search, and questions whose wordings it does not contain."""

    entries: tuple[Entry, ...]
    questions: tuple[Labelled, ...]


def load_starter(folder: Path = STARTER) -> list[Entry]:
    """All entries of the starter base."""
    return [entry for path in sorted(folder.glob("*.jsonl")) for entry in import_file(path).entries]


def far_questions(path: Path = FAR) -> list[str]:
    """Questions that no city service answers."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def scenes(entries: Sequence[Entry], far: Sequence[str], chance: random.Random) -> list[Scene]:
    """Bases as editors keep them, each with its questions.

    Bare: questions without similar ones. Full: all but one similar question of each entry, which is asked. Gaps: a
    fifth of the entries removed, and their questions asked: near the base's subjects, but without an answer.
    """
    bare = tuple(dataclasses.replace(entry, similar_questions=()) for entry in entries)
    everything = tuple(
        Labelled(vary(text, chance), entry.id, entry.id) for entry in entries for text in entry.similar_questions
    ) + tuple(Labelled(distort(entry.question, chance), entry.id, entry.id) for entry in entries for _ in range(2))
    outside = tuple(Labelled(text, None, None) for text in far)
    made = [Scene(bare, everything + outside)]
    held = {entry.id: chance.choice(entry.similar_questions) for entry in entries if entry.similar_questions}
    full = tuple(
        dataclasses.replace(
            entry, similar_questions=tuple(t for t in entry.similar_questions if t != held.get(entry.id))
        )
        for entry in entries
    )
    made.append(Scene(full, tuple(Labelled(vary(text, chance), key, key) for key, text in held.items()) + outside))
    for base in (bare, full):
        missing = {entry.id for entry in chance.sample(list(base), len(base) // 5)}
        rest = tuple(entry for entry in base if entry.id not in missing)
        asked = tuple(
            Labelled(vary(text, chance), None, entry.id)
            for entry in entries
            if entry.id in missing
            for text in entry.similar_questions
        )
        made.append(Scene(rest, asked))
    return made
