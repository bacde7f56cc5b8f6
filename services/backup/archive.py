"""The file of a backup: a compressed tar; its manifest names every member with its digest, its last member seals the
manifest."""

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from services.core.errors import Conflict, Unprocessable

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
MOST_MANIFEST_BYTES = 64 * 1024 * 1024
CHUNK = 1024 * 1024


class Writer:
    """Members are added one after another; without `finish` there is no archive."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._digests: dict[str, str] = {}

    def add(self, name: str, content: IO[bytes], size: int) -> None:
        """Store `size` bytes of `content` under a name."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        reader = _Hashing(content)
        self._tar.addfile(member, reader)
        self._digests[name] = reader.digest.hexdigest()

    def finish(self, manifest: Mapping[str, Any]) -> None:
        text = json.dumps({"format": FORMAT, **manifest, "members": self._digests}, ensure_ascii=False).encode()
        for name, content in ((MANIFEST, text), (SEAL, hashlib.sha256(text).hexdigest().encode())):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            self._tar.addfile(member, io.BytesIO(content))


class _Hashing:
    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._content.read(size)
        self.digest.update(chunk)
        return chunk


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new archive, for its owner only; it has its name once it is whole. Raises Conflict for a file that exists."""
    if path.exists():
        raise Conflict(f"{path} 已存在，请换一个文件名")
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=5) as tar:
                yield Writer(tar)
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the whole archive once and compare every member with its digest; the manifest.

    Raises Unprocessable for a file that is none, is broken or incomplete, or of a newer format.
    """
    found: dict[str, str] = {}
    text, seal = b"", b""
    try:
        for member, content in _members(path):
            if member == MANIFEST:
                text = content.read(MOST_MANIFEST_BYTES)
                continue
            if member == SEAL:
                seal = content.read(CHUNK)
                continue
            digest = hashlib.sha256()
            while chunk := content.read(CHUNK):
                digest.update(chunk)
            found[member] = digest.hexdigest()
        manifest = json.loads(text) if hashlib.sha256(text).hexdigest().encode() == seal else {}
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise Unprocessable(f"{path.name} 不是完整的备份文件（{type(error).__name__}）") from None
    if manifest.get("members") != found:
        raise Unprocessable(f"{path.name} 不完整或已损坏，未做任何改动")
    if manifest.get("format") != FORMAT:
        raise Unprocessable(f"{path.name} 是其他版本的备份格式 {manifest.get('format')}")
    return manifest


def each(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of the members that are wanted, in their order; each is to be read before the next."""
    for name, content in _members(path):
        if name not in (MANIFEST, SEAL) and wanted(name):
            yield name, content


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(path) as raw:
        with tarfile.open(fileobj=raw, mode="r|") as tar:
            for member in tar:
                parts = member.name.split("/")
                content = tar.extractfile(member) if member.isfile() else None
                if content is None or member.name.startswith("/") or ".." in parts:
                    raise Unprocessable(f"{path.name} 含有不该有的内容")
                yield member.name, content
        # A file without its end says so only to who reads up to there.
        while raw.read(CHUNK):
            pass
