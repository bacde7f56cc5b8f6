"""The parts of an XLSX workbook: its sheets, shared texts and number formats (ECMA-376 part 1, 18.2 to 18.8).

Read with expat as a stream, because every bound must hold while a part is read, and because openpyxl drops what
tells `_x000D_` (an escaped carriage return) from the same seven letters typed by somebody.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from knowledge_base.errors import ImportRejected
from knowledge_base.tables.days import EPOCH
from knowledge_base.tables.limits import MEGABYTE, Budget
from knowledge_base.tables.number_format import BUILTIN, EPOCH_1904, GENERAL

CHUNK = 64 * 1024
_LARGEST_DIRECTORY = 4 * MEGABYTE
_MOST_SHEETS = 500
_MOST_STYLES = 70_000
_OLE = b"\xd0\xcf\x11\xe0"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_DAMAGED = (zipfile.BadZipFile, zlib.error, ExpatError, EOFError, LookupError, ValueError, NotImplementedError, OSError)

Attributes = dict[str, str]


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet: `part` is None where there is none, or it is no sheet of cells; `hidden` as the workbook says."""

    name: str
    part: str | None
    hidden: bool


class Workbook:
    """An opened workbook. Raises ImportRejected when the bytes are none, or a bound is passed."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        if data.startswith(_OLE):
            raise ImportRejected("文件设有密码，或是旧版的 XLS：请去掉密码，另存为 XLSX")
        self.budget = budget
        try:
            if _directory_size(data) > _LARGEST_DIRECTORY:
                raise ImportRejected("压缩包里的文件过多，不是有效的 XLSX 文件")
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            budget.unpacked(sum(member.file_size for member in self._archive.infolist() if _is_text(member.filename)))
            self._names = {name.lower().lstrip("/"): name for name in self._archive.namelist() if _is_text(name)}
            self._open()
        except (*_DAMAGED, RuntimeError) as error:
            raise ImportRejected("不是有效的 XLSX 文件") from error

    def parse(self, part: str, handler: Handler) -> Iterator[None]:
        """Feed a part to `handler`; one step of the iterator is one chunk of it. Raises ImportRejected."""
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.CharacterDataHandler = handler.text

        def first(tag: str, attributes: Attributes) -> None:
            # Nearly every writer leaves the prefix out, and these are called for each element.
            prefixed = ":" in tag
            parser.StartElementHandler = _without_prefix(handler.start) if prefixed else handler.start
            parser.EndElementHandler = _without_prefix(handler.end) if prefixed else handler.end
            parser.StartElementHandler(tag, attributes)

        parser.StartElementHandler = first
        try:
            with self._archive.open(part) as stream:
                while chunk := stream.read(CHUNK):
                    self.budget.time()
                    parser.Parse(chunk, False)
                    yield
                parser.Parse(b"", True)
            yield
        except (*_DAMAGED, RuntimeError) as error:
            raise ImportRejected("不是有效的 XLSX 文件") from error

    def _open(self) -> None:
        root = self._related("_rels/.rels", "")
        book = next((target for kind, target in root.values() if kind == "officeDocument"), "xl/workbook.xml")
        part = self._name(book)
        if part is None:
            raise KeyError(book)
        about = _About()
        self._read(part, about)
        self.epoch: datetime = EPOCH_1904 if about.is_1904 else EPOCH
        folder, name = posixpath.split(book)
        related = self._related(f"{folder}/_rels/{name}.rels", folder)
        self.sheets = [
            SheetPart(
                title, self._name(related.get(key, ("", ""))[1]) if _is_sheet(related.get(key)) else None, hidden=hidden
            )
            for title, key, hidden in about.sheets
        ]
        by_kind = {kind: target for kind, target in related.values()}
        strings, styles = _Strings(self.budget), _Styles()
        for kind, handler in (("sharedStrings", strings), ("styles", styles)):
            found = self._name(by_kind.get(kind, ""))
            if found is not None:
                self._read(found, handler)
        self.strings = strings.found
        self.formats = [styles.codes.get(number) or BUILTIN.get(number, GENERAL) for number in styles.numbers]

    def _related(self, part: str, folder: str) -> dict[str, tuple[str, str]]:
        """(kind, target) of the relationships of a part, by their id."""
        handler = _Relationships(folder)
        found = self._name(part)
        if found is not None:
            self._read(found, handler)
        return handler.found

    def _name(self, part: str) -> str | None:
        return self._names.get(part.lower().lstrip("/")) if part else None

    def _read(self, part: str, handler: Handler) -> None:
        for _ in self.parse(part, handler):
            pass


class Handler:
    """What happens to the elements of a part; names are without their prefix."""

    def start(self, tag: str, attributes: Attributes) -> None: ...

    def end(self, tag: str) -> None: ...

    def text(self, text: str) -> None: ...


class TextHandler(Handler):
    """Gathers the text of a string item: its runs, without the readings above them (18.4.6)."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._inside = False
        self._reading = False

    def start_text(self, tag: str) -> None:
        if tag == "t" and not self._reading:
            self._inside = True
        elif tag == "rPh":
            self._reading = True

    def end_text(self, tag: str) -> None:
        if tag == "t":
            self._inside = False
        elif tag == "rPh":
            self._reading = False

    def text(self, text: str) -> None:
        if self._inside:
            self._pieces.append(text)

    def take(self) -> str:
        """What was gathered since the last call, escapes undone."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return unescaped(text)


class _Strings(TextHandler):
    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.found: list[str] = []
        self._budget = budget

    def start(self, tag: str, attributes: Attributes) -> None:
        self.start_text(tag)

    def end(self, tag: str) -> None:
        self.end_text(tag)
        if tag == "si":
            self.found.append(self.take())
            self._budget.texts(len(self.found))


class _Styles(Handler):
    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.numbers: list[int] = []
        self._of_cells = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "numFmt":
            self.codes[int(attributes["numFmtId"])] = attributes.get("formatCode", GENERAL)
        elif tag == "cellXfs":
            self._of_cells = True
        elif tag == "xf" and self._of_cells:
            self.numbers.append(int(attributes.get("numFmtId", "0")))
        if len(self.numbers) > _MOST_STYLES or len(self.codes) > _MOST_STYLES:
            raise ValueError("too many formats")

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._of_cells = False


class _About(Handler):
    def __init__(self) -> None:
        self.is_1904 = False
        self.sheets: list[tuple[str, str, bool]] = []

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "workbookPr":
            self.is_1904 = attributes.get("date1904", "0") in ("1", "true")
        elif tag == "sheet":
            key = next((value for name, value in attributes.items() if name.rpartition(":")[::2] == ("r", "id")), "")
            key = key or next((value for name, value in attributes.items() if name.endswith(":id")), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((unescaped(attributes.get("name", "")), key, hidden))
            if len(self.sheets) > _MOST_SHEETS:
                raise ImportRejected(f"表格超过 {_MOST_SHEETS} 个工作表的上限")


class _Relationships(Handler):
    def __init__(self, folder: str) -> None:
        self.found: dict[str, tuple[str, str]] = {}
        self._folder = folder

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target if target.startswith("/") else posixpath.join(self._folder, target)
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = (kind, posixpath.normpath(path).lstrip("/"))


def unescaped(text: str) -> str:
    """`_xHHHH_` as the character that it stands for (18.4.7, ST_Xstring)."""
    if "_x" not in text:
        return text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    # Characters beyond the first plane are written as their two halves.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def escaped(text: str) -> str:
    """The inverse of `unescaped`, for what XML cannot hold and what looks like an escape."""
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0][0]):04X}_" + found[0][1:], text)


_TO_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")


def _is_sheet(relation: tuple[str, str] | None) -> bool:
    return relation is not None and relation[0] == "worksheet"


def _is_text(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels"))


def _without_prefix(handle: Callable[..., None]) -> Callable[..., None]:
    return lambda tag, *rest: handle(tag.rpartition(":")[2], *rest)


def _refuse(*_: Any) -> None:
    raise ValueError("a workbook has no document type")


def _directory_size(data: bytes) -> int:
    """Bytes of the archive's list of files, which zipfile reads at once (APPNOTE 4.3.16, and 4.3.14 for 64 bits)."""
    end = data.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(data):
        raise zipfile.BadZipFile("no end of the list")
    size: int = struct.unpack_from("<L", data, end + 12)[0]
    large = data.rfind(b"PK\6\6", 0, end)
    if data[end - 20 : end - 16] == b"PK\6\7" and large >= 0 and large + 48 <= len(data):
        size = max(size if size != 0xFFFFFFFF else 0, struct.unpack_from("<Q", data, large + 40)[0])
    return size
