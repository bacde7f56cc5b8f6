"""One sheet of a workbook as sparse rows: only rows and cells with content, whatever its dimension claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from knowledge_base.errors import ImportRejected
from knowledge_base.tables.cells import DIGITS, Cell, unguard
from knowledge_base.tables.days import EPOCH, SERIAL
from knowledge_base.tables.number_format import GENERAL, general, is_date, show
from knowledge_base.tables.workbook import Attributes, Handler, TextHandler, Workbook, unescaped

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384  # limits of the format
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_LONGEST_NUMBER = 400
_BOOLEANS = {"0": "FALSE", "1": "TRUE"}


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged area; rows and columns count from 1, both ends belong to it."""

    area: str
    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Scan:
    """What a sheet holds, before anything of it is loaded: its merged areas and the number of rows with content."""

    merges: list[Merge] = field(default_factory=list)
    filled: int = 0


def scan(book: Workbook, part: str) -> Scan:
    """Look a sheet through; the merged areas come in order from the top."""
    handler = _Scanner(book)
    for _ in book.parse(part, handler):
        pass
    handler.found.merges.sort(key=lambda merge: (merge.top, merge.left))
    return handler.found


def rows(book: Workbook, part: str, found: Scan) -> Iterator[tuple[int, dict[int, Cell]]]:
    """(row, {column: cell}) of the rows with content, from the top; both count from 1."""
    handler = _Reader(book)
    for _ in book.parse(part, handler):
        yield from handler.done
        handler.done.clear()
        # Formatted rows without content may follow, up to the last one of the sheet.
        if handler.filled == found.filled:
            return


class _Scanner(Handler):
    def __init__(self, book: Workbook) -> None:
        self.found = Scan()
        self._budget = book.budget
        self._rows = 0
        self._row_filled = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            return
        if tag in ("v", "is"):
            self._budget.cells(1)
            self._row_filled = True
        elif tag == "row":
            self._rows += 1
            if self._rows > LAST_ROW:
                raise ImportRejected(f"工作表超过 {LAST_ROW} 行的上限")
            self._row_filled = False
        elif tag == "mergeCell":
            self.found.merges.append(_merge(attributes.get("ref", "")))
            self._budget.merges(len(self.found.merges))

    def end(self, tag: str) -> None:
        if tag == "row" and self._row_filled:
            self.found.filled += 1
            self._budget.rows()


class _Reader(TextHandler):
    def __init__(self, book: Workbook) -> None:
        super().__init__()
        self.done: list[tuple[int, dict[int, Cell]]] = []
        self.filled = 0
        self._book = book
        self._row = self._column = 0
        self._cells: dict[int, Cell] = {}
        self._attributes: Attributes = {}
        self._value: list[str] | None = None
        self._has_formula = self._has_content = False
        self._shown: dict[tuple[str, str], Cell] = {}

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "row":
            self._row = _within(attributes.get("r"), self._row + 1, LAST_ROW)
            self._column, self._cells, self._has_content = 0, {}, False
        elif tag == "c":
            place = attributes.get("r")
            self._column = _place(place)[1] if place else _within(None, self._column + 1, LAST_COLUMN)
            self._attributes, self._value, self._has_formula = attributes, None, False
            self.take()
        elif tag == "v":
            self._value, self._has_content = [], True
        elif tag == "f":
            self._has_formula = True
        else:
            self._has_content = self._has_content or tag == "is"
            self.start_text(tag)

    def text(self, text: str) -> None:
        if self._value is not None:
            self._value.append(text)
        else:
            super().text(text)

    def end(self, tag: str) -> None:
        if tag == "v":
            self._attributes["="] = "".join(self._value or ())
            self._value = None
        elif tag == "c":
            cell = self._cell()
            if cell is not None:
                self._cells[self._column] = cell
        elif tag == "row":
            self.filled += self._has_content
            if self._cells:
                self.done.append((self._row, self._cells))
            self._cells = {}
        else:
            self.end_text(tag)

    def _cell(self) -> Cell | None:
        kind, written = self._attributes.get("t", "n"), self._attributes.get("=")
        if kind == "inlineStr":
            return _text(self.take())
        if written is None or (written == "" and kind != "str"):
            return Cell("", problem="是没有计算结果的公式，请用表格软件打开并保存一次") if self._has_formula else None
        if kind == "s":
            return _text(self._book.strings[_within(written, 0, len(self._book.strings) - 1, first=0)])
        if kind == "str":
            return _text(unescaped(written))
        if kind == "b":
            return Cell(_BOOLEANS.get(written, written))
        if kind == "e":
            return Cell(written, problem=f"是公式错误（{written[:20]}）")
        if kind == "d":
            return _iso(written)
        return self._number(written)

    def _number(self, written: str) -> Cell:
        style = self._attributes.get("s", "0")
        known = self._shown.get((style, written))
        if known is None:
            if len(self._shown) > 10_000:
                self._shown.clear()
            index = int(style)
            code = self._book.formats[index] if 0 <= index < len(self._book.formats) else GENERAL
            known = self._shown[style, written] = number_cell(written, code, self._book.epoch)
        return known


def number_cell(written: str, code: str, epoch: datetime = EPOCH) -> Cell:
    """The cell of a number as a file writes it, under a number format. ValueError when it is none."""
    if len(written) > _LONGEST_NUMBER:
        raise ValueError("no number")
    try:
        exact = Decimal(written.strip())
        # What a spreadsheet shows of 0.1 + 0.2 is 0.3: fifteen digits count.
        value = Decimal(format(exact, f".{DIGITS}g"))
        number = float(exact)
    except (InvalidOperation, OverflowError):
        raise ValueError("no number") from None
    if not exact.is_finite() or abs(exact.adjusted()) > _LONGEST_NUMBER:
        raise ValueError("no number")
    dated = is_date(code)
    shown = general(value) if code == GENERAL else show(value, code, epoch)
    moment = None
    if dated or SERIAL.fullmatch(written):
        try:
            moment = epoch + timedelta(seconds=round(number * 86_400))
        except OverflowError:
            moment = None
    remark = None
    if shown is None:
        shown = general(value)
        remark = "的显示格式还原不了，已按原来的数字导入，请核对"
    if not dated and abs(exact) >= Decimal(10) ** DIGITS:
        remark = f"超过 {DIGITS} 位，表格只存得下前 {DIGITS} 位，末尾几位已经丢失，请改为文本格式后重填"
    return Cell(shown, number, moment, remark=remark)


def _text(text: str) -> Cell | None:
    return Cell(unguard(text)) if text else None


def _iso(written: str) -> Cell:
    moment = datetime.fromisoformat(written)
    return Cell(written.replace("T", " "), moment=moment.replace(tzinfo=None))


def _place(text: str) -> tuple[int, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError("no cell")
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return _within(found[2], 0, LAST_ROW), _within(str(column), 0, LAST_COLUMN)


def _within(written: str | None, otherwise: int, last: int, first: int = 1) -> int:
    value = otherwise if written is None else int(written) if len(written) <= 8 else -1
    if not first <= value <= last:
        raise ValueError("outside of the sheet")
    return value


def _merge(area: str) -> Merge:
    first, _, last = area.partition(":")
    top, left = _place(first)
    bottom, right = _place(last or first)
    return Merge(area, min(top, bottom), min(left, right), max(top, bottom), max(left, right))
