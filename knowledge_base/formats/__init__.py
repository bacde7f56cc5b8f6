"""Import and export of entries: one module per format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ImportRejected
from knowledge_base.formats.csv_file import read_csv, write_csv
from knowledge_base.formats.jsonl import read_jsonl, write_jsonl
from knowledge_base.formats.result import ImportResult, Note, Rejection
from knowledge_base.formats.rows import make_entry
from knowledge_base.formats.xlsx import read_xlsx, write_xlsx

__all__ = [
    "ImportResult",
    "Note",
    "Rejection",
    "export_bytes",
    "export_file",
    "import_bytes",
    "import_file",
    "make_entry",
]

_READERS: dict[str, Callable[[bytes], ImportResult]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".xlsx": read_xlsx,
}
_WRITERS: dict[str, Callable[[Sequence[Entry]], bytes]] = {
    ".jsonl": write_jsonl,
    ".csv": write_csv,
    ".xlsx": write_xlsx,
}


def import_bytes(name: str, data: bytes) -> ImportResult:
    """Import an uploaded file; the suffix of `name` says its format. Raises ImportRejected for the file as a whole."""
    suffix = Path(name).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        hint = "，请另存为 XLSX" if suffix == ".xls" else ""
        raise ImportRejected(f"不支持的格式“{suffix or '无后缀'}”{hint}（支持 JSONL、CSV、XLSX）")
    if not data.strip():
        raise ImportRejected("文件是空的")
    return reader(data)


def import_file(path: Path) -> ImportResult:
    """Import a JSONL, CSV or XLSX file. Raises ImportRejected when it cannot be read at all."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImportRejected(f"找不到文件：{path.name}") from None
    except OSError as error:
        raise ImportRejected(f"无法读取文件：{path.name}") from error
    return import_bytes(path.name, data)


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
