"""One FAQ entry: a question in several wordings with its official answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

_TUPLES = ("similar_questions", "keywords")
_DATES = ("valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the knowledge base.

    `valid_from` and `valid_to` are inclusive days in the city's time zone; None is open. `region` None serves all.
    `extra` keeps columns that this library does not know; its values are JSON values.

    >>> Entry(id="a", question="怎么办身份证", answer="到派出所办理。").wordings
    ('怎么办身份证',)
    """

    id: str
    question: str
    answer: str
    similar_questions: tuple[str, ...] = ()
    department: str | None = None
    region: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    source: str | None = None
    keywords: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question followed by its similar questions."""
        return (self.question, *self.similar_questions)

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over everything but the id: equal hashes mean that nothing was edited."""
        content = self.to_dict()
        del content["id"]
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def valid_on(self, day: date) -> bool:
        """Whether the entry may be given as an answer on `day`."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dict with every field, `extra` nested; the inverse of `from_dict`."""
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _TUPLES:
                value = list(value)
            elif item.name in _DATES and value is not None:
                value = value.isoformat()
            elif item.name == "extra":
                value = dict(value)
            values[item.name] = value
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Entry:
        """Rebuild an entry from `to_dict`. Raises TypeError on unknown keys, ValueError on a malformed date."""
        known = dict(values)
        for name in _TUPLES:
            known[name] = tuple(known.get(name) or ())
        for name in _DATES:
            text = known.get(name)
            known[name] = date.fromisoformat(text) if text else None
        return cls(**known)
