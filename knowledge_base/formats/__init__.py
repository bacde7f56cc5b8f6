"""Import and export of entries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.formats.export import write_csv, write_jsonl, write_xlsx
from knowledge_base.formats.result import ImportResult, Note, Origin, Rejection, SheetLeftOut
from knowledge_base.formats.rows import COLUMNS, NO_DEPARTMENT, RowCollector, RowError, emptied, make_entry, onto
from knowledge_base.tables import Limits, read_file, read_table

__all__ = [
    "LIMITS",
    "NO_DEPARTMENT",
    "ImportResult",
    "Note",
    "Origin",
    "Rejection",
    "RowError",
    "SheetLeftOut",
    "emptied",
    "export_bytes",
    "export_file",
    "import_bytes",
    "import_file",
    "make_entry",
    "onto",
]

# Twice the entries that a base is made for: an import holds them all.
LIMITS = Limits(rows=200_000, cells=4_000_000, seconds=60)
_WRITERS: dict[str, Callable[[Sequence[Entry]], bytes]] = {
    ".jsonl": write_jsonl,
    ".csv": write_csv,
    ".xlsx": write_xlsx,
}


def import_bytes(
    name: str, data: bytes, *, limits: Limits = LIMITS, clock: Callable[[], float] = time.monotonic
) -> ImportResult:
    """Import an uploaded file; the suffix of `name` says its format. `clock` gives seconds (`limits.seconds`).

    Raises ImportRejected for the file as a whole: no such format, no heading with 问题 and 答案, or a bound was passed.
    """
    collector = RowCollector()
    table = read_table(name, data, COLUMNS, limits=limits, clock=clock)
    for row in table:
        collector.add(row)
    result = collector.result
    result.reported.extend(Note(remark.number, remark.note, remark.sheet) for remark in table.remarks)
    result.left_out.extend(SheetLeftOut(one.sheet, one.reason) for one in table.skipped)
    return result


def import_file(path: Path) -> ImportResult:
    """Import a JSONL, CSV or XLSX file. Raises ImportRejected when it cannot be read at all."""
    return import_bytes(path.name, read_file(path, LIMITS))


def export_bytes(entries: Sequence[Entry], suffix: str) -> bytes:
    """Export entries as ".jsonl", ".csv" or ".xlsx". ValueError for another suffix."""
    writer = _WRITERS.get(suffix.lower())
    if writer is None:
        raise ValueError(f"不支持的格式“{suffix}”（支持 .jsonl、.csv、.xlsx）")
    return writer(entries)


def export_file(entries: Sequence[Entry], path: Path) -> None:
    """Export entries to `path`, in the format of its suffix; written aside and renamed."""
    data = export_bytes(entries, path.suffix)
    staging = path.with_name(path.name + ".part")
    staging.write_bytes(data)
    staging.replace(path)
