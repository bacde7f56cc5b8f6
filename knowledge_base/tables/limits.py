"""How much of a file is read: bounds that hold before and while it is, so that no file costs more than they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from knowledge_base.errors import ImportRejected

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file. `unpacked` are the bytes of a workbook's parts together; `cells` counts those with content;
    `line` are the bytes of one line of text; `seconds` that reading may take.
    """

    bytes: int = 128 * MEGABYTE
    unpacked: int = 256 * MEGABYTE
    rows: int = 1_000_000
    cells: int = 10_000_000
    columns: int = 1_000
    merges: int = 100_000
    line: int = 8 * MEGABYTE
    seconds: float = 120.0


class Budget:
    """Counts against the limits; every method raises ImportRejected with the bound that was passed."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._end = clock() + limits.seconds
        self._rows = 0
        self._cells = 0

    def time(self) -> None:
        if self._clock() > self._end:
            raise ImportRejected(f"读取文件超过 {self.limits.seconds:g} 秒的上限，请拆成几个文件")

    def bytes(self, count: int) -> None:
        if count > self.limits.bytes:
            raise ImportRejected(f"文件超过 {in_megabytes(self.limits.bytes)}的上限，请拆成几个文件")

    def unpacked(self, count: int) -> None:
        if count > self.limits.unpacked:
            raise ImportRejected(f"表格解压后超过 {in_megabytes(self.limits.unpacked)}的上限，请拆成几个文件")

    def rows(self, count: int = 1) -> None:
        self._rows += count
        if self._rows > self.limits.rows:
            raise ImportRejected(f"文件超过 {self.limits.rows} 行的上限，请拆成几个文件")

    def cells(self, count: int) -> None:
        self._cells += count
        if self._cells > self.limits.cells:
            raise ImportRejected(f"文件超过 {self.limits.cells} 个单元格的上限，请拆成几个文件")

    def lines(self, count: int) -> None:
        if count > self.limits.cells:
            raise ImportRejected(f"文件超过 {self.limits.cells} 行文字的上限，请拆成几个文件")

    def texts(self, count: int) -> None:
        if count > self.limits.cells:
            raise ImportRejected(f"文件超过 {self.limits.cells} 段文字的上限，请拆成几个文件")

    def columns(self, count: int) -> None:
        if count > self.limits.columns:
            raise ImportRejected(f"文件超过 {self.limits.columns} 列的上限")

    def merges(self, count: int) -> None:
        if count > self.limits.merges:
            raise ImportRejected(f"合并单元格超过 {self.limits.merges} 处的上限，请取消合并")


def in_megabytes(count: int) -> str:
    """`128 MB `, or bytes where it is less than one; text follows."""
    return f"{count // MEGABYTE} MB " if count >= MEGABYTE else f"{count} 字节"
