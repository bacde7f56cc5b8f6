"""What an import gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowledge_base.entry import Entry


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken. `row` counts as the file shows it: lines in JSONL, sheet rows (header 1) otherwise."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A row that was taken and deserves an editor's look."""

    row: int
    note: str


@dataclass(slots=True)
class ImportResult:
    """Entries in file order with the rows that were rejected or reported."""

    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    reported: list[Note] = field(default_factory=list)
