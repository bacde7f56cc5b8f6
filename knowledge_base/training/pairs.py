"""Labelled questions that the project wrote: similar questions are what citizens ask, held out from the index."""

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
PARAPHRASES = Path(__file__).resolve().parent / "paraphrases.jsonl"


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


def load_paraphrases(path: Path = PARAPHRASES) -> list[Entry]:
    """Entries written to learn from: official questions with hard rewordings; their answers were not checked."""
    return list(import_file(path).entries)


def far_questions(path: Path = FAR) -> list[str]:
    """Questions that no city service answers."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def fold_of(entries: Sequence[Entry], folds: int = 3) -> dict[str, int]:
    """The fold of each department: neighbours in one department are learned from together or not at all."""
    departments = sorted({entry.department or "" for entry in entries})
    return {department: number % folds for number, department in enumerate(departments)}


def scenes(entries: Sequence[Entry], asked: frozenset[str], far: Sequence[str], chance: random.Random) -> list[Scene]:
    """Bases as editors keep them, each with questions about its entries with ids in `asked`.

    Bare: questions without similar ones. Full: all but one similar question of each entry, which is asked. Gaps: a
    fifth of the entries removed, and their questions asked: near the base's subjects, but without an answer. Small: a
    tenth and a third of the entries, for bases whose entries stand further apart.
    """
    bare = tuple(dataclasses.replace(entry, similar_questions=()) for entry in entries)
    outside = tuple(Labelled(text, None, None) for text in far)
    about = [entry for entry in entries if entry.id in asked]

    def questions(of: Sequence[Entry], inside: frozenset[str]) -> tuple[Labelled, ...]:
        return tuple(
            Labelled(vary(text, chance), entry.id if entry.id in inside else None, entry.id)
            for entry in of
            for text in entry.similar_questions
        )

    distorted = tuple(
        Labelled(distort(entry.question, chance), entry.id, entry.id) for entry in about for _ in range(2)
    )
    made = [Scene(bare, questions(about, asked) + distorted + outside)]
    held = {entry.id: chance.choice(entry.similar_questions) for entry in entries if entry.similar_questions}
    full = tuple(
        dataclasses.replace(
            entry, similar_questions=tuple(t for t in entry.similar_questions if t != held.get(entry.id))
        )
        for entry in entries
    )
    one_each = tuple(Labelled(vary(held[e.id], chance), e.id, e.id) for e in about if e.id in held)
    made.append(Scene(full, one_each + outside))
    for base in (bare, full):
        missing = {entry.id for entry in chance.sample(list(base), len(base) // 5)}
        rest = tuple(entry for entry in base if entry.id not in missing)
        made.append(Scene(rest, questions([e for e in about if e.id in missing], frozenset())))
    for part in (10, 3):
        kept = frozenset(entry.id for entry in chance.sample(list(bare), len(bare) // part))
        inside = questions([e for e in about if e.id in kept], kept)
        others = [entry for entry in about if entry.id not in kept]
        absent = chance.sample(others, min(max(1, len(inside) // 10), len(others)))
        small = tuple(entry for entry in bare if entry.id in kept)
        made.append(Scene(small, inside + questions(absent, kept) + outside))
    return made
