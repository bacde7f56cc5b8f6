"""Headings: which column of a table means which field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from knowledge_base.tables.cells import unguard

HEADING_WITHIN = 20
_MARKED = re.compile(r"(?:[*＊]|[（(]\s*(?:必填|选填|可选)\s*[)）])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")


class Columns:
    """The fields of a kind of table, each with the headings that people write over it, the best first.

    A heading is compared without blanks, marks of obligation (`*`, （必填）), case and width. One that names no field
    stays as it is written.
    """

    def __init__(
        self, headings: Mapping[str, Sequence[str]], *, required: Sequence[str], keys: Sequence[str] = ()
    ) -> None:
        """`keys` tell rows apart: one of them merged over several rows leaves open which it belongs to."""
        self.fields = tuple(headings)
        self.required = tuple(required)
        self.keys = frozenset(keys)
        self._titles = {name: (words[0] if words else name) for name, words in headings.items()}
        self._ranks: dict[str, tuple[str, int]] = {}
        for name, words in headings.items():
            for rank, word in enumerate((name, *words)):
                self._ranks[_folded(word)] = (name, rank)

    def title(self, name: str) -> str:
        """A field in Chinese, as it is named to the person who made the file; another column by its own name."""
        return self._titles.get(name, name)

    def field(self, heading: str) -> str:
        """The field that a heading names, or the heading itself, cleaned."""
        found = self._ranks.get(_folded(heading))
        return found[0] if found is not None else _clean(heading)

    def missing(self, headings: Iterable[str]) -> list[str]:
        """The required fields that no heading names, in Chinese."""
        present = {self.field(heading) for heading in headings}
        return [self.title(name) for name in self.required if name not in present]

    def chosen(self, headings: Sequence[str]) -> Chosen:
        """What to read of each column. Of several that name one field the best heading wins; another wording stays a
        column of its own, the same wording again is left out. Both are remarked on."""
        best: dict[str, int] = {}
        for index, heading in enumerate(headings):
            name = self.field(heading)
            if name and (name not in best or self._rank(heading) < self._rank(headings[best[name]])):
                best[name] = index
        names: list[str] = []
        remarks: list[str] = []
        for index, heading in enumerate(headings):
            name, own = self.field(heading), _clean(heading)
            if not name or best[name] == index:
                names.append(name)
                continue
            winner = best[name]
            if own in best or own in names or _folded(own) == _folded(headings[winner]):
                names.append("")
                remarks.append(f"有两列“{own}”，只读取第 {winner + 1} 列，第 {index + 1} 列没有导入")
            else:
                names.append(own)
                remarks.append(f"“{own}”和“{_clean(headings[winner])}”都指{self.title(name)}，以后者为准")
        return Chosen(tuple(names), tuple(remarks))

    def _rank(self, heading: str) -> int:
        found = self._ranks.get(_folded(heading))
        return found[1] if found is not None else 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The field of each column, from the left; empty: nothing of it is read."""

    names: tuple[str, ...]
    remarks: tuple[str, ...] = field(default=())


def _clean(heading: str) -> str:
    return _CONTROLS.sub("", unguard(heading.strip())).strip()


def _folded(heading: str) -> str:
    text = _MARKED.sub("", unicodedata.normalize("NFKC", _clean(heading)))
    return "".join(text.split()).casefold()
