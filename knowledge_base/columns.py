"""What a search filters and addresses entries by, without reading the entries themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge_base.entry import Entry

_OPEN_END = 2**31
_FIELDS = ("ids", "departments", "regions", "valid_from", "valid_to", "content_hashes")


@dataclass(frozen=True)
class Columns:
    """One value per entry row. Days are proleptic ordinals; a department or region of "" is none."""

    ids: list[str]
    departments: npt.NDArray[np.object_]
    regions: npt.NDArray[np.object_]
    valid_from: npt.NDArray[np.int64]
    valid_to: npt.NDArray[np.int64]
    content_hashes: list[str]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Columns:
        """The columns of `entries`."""
        return cls(
            ids=[entry.id for entry in entries],
            departments=np.array([entry.department or "" for entry in entries], dtype=object),
            regions=np.array([entry.region or "" for entry in entries], dtype=object),
            valid_from=np.array([e.valid_from.toordinal() if e.valid_from else 0 for e in entries], dtype=np.int64),
            valid_to=np.array([e.valid_to.toordinal() if e.valid_to else _OPEN_END for e in entries], dtype=np.int64),
            content_hashes=[entry.content_hash for entry in entries],
        )

    def __len__(self) -> int:
        return len(self.ids)

    def followed_by(self, other: Columns) -> Columns:
        """These rows and then those of `other`."""
        return Columns(
            ids=self.ids + other.ids,
            departments=np.concatenate([self.departments, other.departments]),
            regions=np.concatenate([self.regions, other.regions]),
            valid_from=np.concatenate([self.valid_from, other.valid_from]),
            valid_to=np.concatenate([self.valid_to, other.valid_to]),
            content_hashes=self.content_hashes + other.content_hashes,
        )

    def save(self, path: Path) -> None:
        """Write as JSON: reading it back takes a tenth of the time that reading the entries does."""
        values = {name: list(map(_plain, getattr(self, name))) for name in _FIELDS}
        path.write_text(json.dumps(values, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")

    @classmethod
    def open(cls, path: Path) -> Columns:
        """Read what `save` wrote. ValueError when it is something else."""
        values = json.loads(path.read_text(encoding="utf-8"))
        try:
            columns = cls(
                ids=values["ids"],
                departments=np.array(values["departments"], dtype=object),
                regions=np.array(values["regions"], dtype=object),
                valid_from=np.array(values["valid_from"], dtype=np.int64),
                valid_to=np.array(values["valid_to"], dtype=np.int64),
                content_hashes=values["content_hashes"],
            )
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path.name} holds no columns") from error
        if len({len(getattr(columns, name)) for name in _FIELDS}) != 1:
            raise ValueError(f"{path.name} has columns of different lengths")
        return columns


def _plain(value: object) -> object:
    return value if isinstance(value, str) else int(value)  # type: ignore[call-overload]
