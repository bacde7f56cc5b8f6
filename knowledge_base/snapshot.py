"""A published snapshot: a folder that is written once, checked, and renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge_base.columns import Columns
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.entry import Entry
from knowledge_base.errors import IndexMismatch, SnapshotDamaged
from knowledge_base.index.bm25 import Bm25Index
from knowledge_base.index.choice import build_vector_index, open_vector_index
from knowledge_base.index.lexical import LexicalIndex
from knowledge_base.index.vector import VectorIndex
from knowledge_base.retrieval.ranker import Ranker

FORMAT = 4
_MANIFEST = "manifest.json"
_RANKER = "ranker.json"


@dataclass(frozen=True)
class Manifest:
    """What a snapshot folder holds: `created_at` is ISO 8601 with zone, `checksums` SHA-256 (hex) by file name.

    `answers_pending` counts entries whose answer is not embedded yet. A delta names the folder of its `base` and that
    one's `manifest_digest`; its counts are those of its own entries.
    """

    format: int
    model: str
    dimension: int
    entries: int
    wordings: int
    created_at: str
    checksums: dict[str, str]
    answers_pending: int = 0
    base: str | None = None
    base_digest: str | None = None


@dataclass(frozen=True)
class BaseReference:
    """The base of a delta: the name of its folder, a sibling, and the digest of its manifest."""

    name: str
    digest: str


@dataclass(frozen=True)
class Parts:
    """The arrays and indexes of a snapshot.

    Wordings stand in entry order: those of entry i are rows wording_starts[i] up to wording_starts[i + 1].
    `answer_groups` gives entries with the same answer text the same number; `answer_hashes` are of these texts.
    `removed` are rows of the base that a delta replaces. Vectors are float16 arrays (mapped), addressed by row.
    """

    entries: Sequence[Entry]
    columns: Columns
    wording_starts: npt.NDArray[np.int64]
    answer_groups: npt.NDArray[np.int32]
    answer_hashes: npt.NDArray[np.uint64]
    removed: npt.NDArray[np.int64]
    question_vectors: Any
    answer_vectors: Any
    questions: VectorIndex
    answers: VectorIndex
    lexical: LexicalIndex
    lexical_answer: LexicalIndex
    sound: LexicalIndex
    ranker: Ranker


class EntryFile(Sequence[Entry]):
    """The entries of a snapshot, read from disk one at a time."""

    def __init__(self, folder: Path) -> None:
        self._offsets: npt.NDArray[np.int64] = np.load(folder / "entries.offsets.npy")
        path = folder / "entries.jsonl"
        size = path.stat().st_size
        # Mapped, but as a plain array: slicing a memmap object costs more than parsing an entry.
        self._data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r")) if size else np.empty(0, np.uint8)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __iter__(self) -> Iterator[Entry]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Entry:  # type: ignore[override]  # no slices
        line = self._data[self._offsets[row] : self._offsets[row + 1]].tobytes()
        return Entry.from_dict(json.loads(line))


def write_snapshot(
    directory: Path,
    entries: Sequence[Entry],
    *,
    model: str,
    created_at: datetime,
    wording_starts: npt.NDArray[np.int64],
    answer_groups: npt.NDArray[np.int32],
    answer_hashes: npt.NDArray[np.uint64],
    question_vectors: Vectors,
    answer_vectors: Vectors,
    lexical: Bm25Index,
    lexical_answer: Bm25Index,
    sound: Bm25Index,
    ranker: Ranker,
    answers_pending: int = 0,
    base: BaseReference | None = None,
    removed: npt.NDArray[np.int64] | None = None,
) -> None:
    """Write a snapshot into the new folder `directory`: aside first, flushed to disk, checked, then renamed.

    With `base` it is a delta that replaces the rows `removed` of that base, a folder beside `directory`.
    Raises FileExistsError when `directory` exists, ValueError when `created_at` has no zone.
    """
    if created_at.tzinfo is None:
        raise ValueError("created_at needs a time zone")
    if directory.exists():
        raise FileExistsError(directory.name)
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _write_entries(staging, entries)
        Columns.of(entries).save(staging / "columns.json")
        np.save(staging / "wording_starts.npy", wording_starts)
        np.save(staging / "answer_groups.npy", answer_groups)
        np.save(staging / "answer_hashes.npy", answer_hashes)
        np.save(staging / "removed.npy", np.empty(0, np.int64) if removed is None else removed)
        np.save(staging / "question_vectors.npy", question_vectors.astype(np.float16))
        np.save(staging / "answer_vectors.npy", answer_vectors.astype(np.float16))
        build_vector_index(question_vectors).save(staging / "questions.faiss")
        build_vector_index(answer_vectors).save(staging / "answers.faiss")
        lexical.save(staging, "lexical")
        lexical_answer.save(staging, "lexical_answer")
        sound.save(staging, "sound")
        ranker.save(staging / _RANKER)
        names = sorted(path.name for path in staging.iterdir())
        manifest = Manifest(
            format=FORMAT,
            model=model,
            dimension=question_vectors.shape[1],
            entries=len(entries),
            wordings=len(question_vectors),
            created_at=created_at.isoformat(),
            checksums={name: _sha256(staging / name) for name in names},
            answers_pending=answers_pending,
            base=base.name if base else None,
            base_digest=base.digest if base else None,
        )
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2) + "\n"
        (staging / _MANIFEST).write_text(text, encoding="utf-8")
        read_parts(staging, read_manifest(staging))
        for path in staging.iterdir():
            _flush(path)
        staging.chmod(0o755)
        os.rename(staging, directory)
        _flush(directory.parent)
    except OSError:
        if directory.exists():
            raise FileExistsError(directory.name) from None
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def replace_ranker(directory: Path, ranker: Ranker) -> None:
    """Give a whole base that nobody has opened yet the ranker that was fitted to it."""
    manifest = read_manifest(directory)
    ranker.save(directory / _RANKER)
    checksums = manifest.checksums | {_RANKER: _sha256(directory / _RANKER)}
    text = json.dumps(asdict(manifest) | {"checksums": checksums}, ensure_ascii=False, indent=2) + "\n"
    (directory / _MANIFEST).write_text(text, encoding="utf-8")
    for name in (_RANKER, _MANIFEST):
        _flush(directory / name)


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest. SnapshotDamaged when there is none or it is of another format."""
    try:
        values = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**values)
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotDamaged(f"快照 {directory.name} 不存在或清单无法读取") from error
    if manifest.format != FORMAT:
        raise SnapshotDamaged(f"快照 {directory.name} 的格式是 {manifest.format}，本版本只读 {FORMAT}，请重新发布")
    return manifest


def manifest_digest(directory: Path) -> str:
    """SHA-256 (hex) of a snapshot's manifest, which names the checksums of all its files. SnapshotDamaged."""
    try:
        return _sha256(directory / _MANIFEST)
    except OSError as error:
        raise SnapshotDamaged(f"快照 {directory.name} 不存在或清单无法读取") from error


def check_model(manifest: Manifest, identity: str, dimension: int) -> None:
    """Raise IndexMismatch unless the snapshot was built with this model and dimension."""
    if manifest.model != identity or manifest.dimension != dimension:
        raise IndexMismatch(f"{manifest.model}（{manifest.dimension} 维）", f"{identity}（{dimension} 维）")


def verify(directory: Path, manifest: Manifest) -> None:
    """Compare every file with its checksum. SnapshotDamaged when one is missing or altered."""
    for name, expected in manifest.checksums.items():
        try:
            actual = _sha256(directory / name)
        except OSError:
            actual = ""
        if actual != expected:
            raise SnapshotDamaged(f"快照 {directory.name} 的文件 {name} 缺失或已损坏，请重新发布")


def read_parts(directory: Path, manifest: Manifest) -> Parts:
    """Map the parts of a snapshot into memory. SnapshotDamaged when they do not fit together."""
    try:
        questions = open_vector_index(directory / "questions.faiss")
        answers = open_vector_index(directory / "answers.faiss")
        parts = Parts(
            entries=EntryFile(directory),
            columns=Columns.open(directory / "columns.json"),
            wording_starts=np.load(directory / "wording_starts.npy"),
            answer_groups=np.load(directory / "answer_groups.npy"),
            answer_hashes=np.load(directory / "answer_hashes.npy"),
            removed=np.load(directory / "removed.npy"),
            question_vectors=np.asarray(np.load(directory / "question_vectors.npy", mmap_mode="r")),
            answer_vectors=np.asarray(np.load(directory / "answer_vectors.npy", mmap_mode="r")),
            questions=questions,
            answers=answers,
            lexical=Bm25Index.open(directory, "lexical", manifest.entries),
            lexical_answer=Bm25Index.open(directory, "lexical_answer", manifest.entries),
            sound=Bm25Index.open(directory, "sound", manifest.entries),
            ranker=Ranker.load(directory / _RANKER),
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SnapshotDamaged(f"快照 {directory.name} 不完整，请重新发布") from error
    fits = (
        len(parts.entries) == manifest.entries == len(answers) == len(parts.answer_groups)
        and len(parts.columns) == len(parts.answer_hashes) == manifest.entries
        and len(parts.wording_starts) == manifest.entries + 1
        and len(questions) == manifest.wordings == len(parts.question_vectors)
        and questions.dimension == manifest.dimension == answers.dimension
    )
    if not fits:
        raise SnapshotDamaged(f"快照 {directory.name} 的各部分不一致，请重新发布")
    return parts


def _write_entries(folder: Path, entries: Sequence[Entry]) -> None:
    offsets = np.zeros(len(entries) + 1, dtype=np.int64)
    with (folder / "entries.jsonl").open("wb") as file:
        for row, entry in enumerate(entries):
            file.write(json.dumps(entry.to_dict(), ensure_ascii=False).encode("utf-8") + b"\n")
            offsets[row + 1] = file.tell()
    np.save(folder / "entries.offsets.npy", offsets)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
