"""What an import gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowledge_base.entry import Entry


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken. `row` counts as the file shows it: lines in JSONL, sheet rows (header 1) otherwise;
    `sheet` is the workbook's; `column` the one at fault, in Chinese, where it is one."""

    row: int
    reason: str
    sheet: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A row that was taken and deserves an editor's look."""

    row: int
    note: str
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class SheetLeftOut:
    """A sheet of a workbook that was not read."""

    sheet: str
    reason: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entry comes from, and which columns that row speaks of: fields, and extra columns by their name."""

    row: int
    sheet: str | None
    columns: frozenset[str]


@dataclass(slots=True)
class ImportResult:
    """Entries in file order with the rows that were rejected or reported, and the sheets that were left out.

    `origins` is by entry id; an entry without one was not read from a file and speaks of every column.
    """

    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    reported: list[Note] = field(default_factory=list)
    left_out: list[SheetLeftOut] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
