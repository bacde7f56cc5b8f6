"""What an editor should look at: entries that stand in each other's way, are out of date, or cannot be found.

Pure: entries, the base built of them and a day in, findings out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from knowledge_base.base import KnowledgeBase
from knowledge_base.embedding.protocol import Progress, Vectors
from knowledge_base.entry import Entry
from knowledge_base.markup import plain
from knowledge_base.retrieval.likeness import SAME_MEANING, bare, read_alike

Kind = Literal["near_duplicates", "contradictory_twins", "past_date", "no_department", "not_found_by_own_question"]
KINDS: tuple[Kind, ...] = (
    "near_duplicates",
    "contradictory_twins",
    "past_date",
    "no_department",
    "not_found_by_own_question",
)

_NEIGHBOURS = 10
_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Finding:
    """`entries` are the ids concerned (of a group: all of it), `note` says in Chinese what to look at."""

    kind: Kind
    entries: tuple[str, ...]
    note: str


def lint(kb: KnowledgeBase, *, today: date, progress: Progress | None = None) -> list[Finding]:
    """Examine all entries of `kb`. `today` is the day in the city; `progress(done, total)` counts wordings asked."""
    entries = list(kb.entries)
    vectors = _question_vectors(kb, entries, progress)
    findings = [*_twins(entries), *_near(kb, entries, vectors), *_simple(entries, today)]
    findings += _not_found(kb, entries, vectors)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda finding: order[finding.kind])


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each kind, kinds without one included."""
    found: dict[str, int] = dict.fromkeys(KINDS, 0)
    for finding in findings:
        found[finding.kind] += 1
    return found


def _simple(entries: Sequence[Entry], today: date) -> Iterable[Finding]:
    for entry in entries:
        if entry.valid_to is not None and entry.valid_to < today:
            yield Finding("past_date", (entry.id,), f"已于 {entry.valid_to.isoformat()} 失效")
        if not entry.department:
            yield Finding("no_department", (entry.id,), "没有责任部门")


def _serve_together(one: Entry, other: Entry) -> bool:
    """Whether a citizen can meet both: in one region, on one day."""
    same_place = not one.region or not other.region or one.region == other.region
    starts = [entry.valid_from for entry in (one, other) if entry.valid_from]
    ends = [entry.valid_to for entry in (one, other) if entry.valid_to]
    return same_place and (not starts or not ends or max(starts) <= min(ends))


def _answer_key(entry: Entry) -> str:
    return bare(plain(entry.answer))


def _twins(entries: Sequence[Entry]) -> Iterable[Finding]:
    """Entries that share a wording and answer differently."""
    by_wording: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        for wording in entry.wordings:
            if key := bare(wording):
                by_wording[key][entry.id] = entry
    reported: set[tuple[str, ...]] = set()
    for sharing in by_wording.values():
        group = [
            entry
            for entry in sharing.values()
            if any(
                other.id != entry.id and _serve_together(entry, other) and _answer_key(entry) != _answer_key(other)
                for other in sharing.values()
            )
        ]
        ids = tuple(sorted(entry.id for entry in group))
        if group and ids not in reported:
            reported.add(ids)
            yield Finding("contradictory_twins", ids, "同一问题有不同的答案")


def _near(kb: KnowledgeBase, entries: Sequence[Entry], vectors: Vectors) -> Iterable[Finding]:
    """Groups of entries with the same answer, or with a question that means and reads nearly the same."""
    places = {entry.id: place for place, entry in enumerate(entries)}
    leader = list(range(len(entries)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    def join(one: int, other: int) -> None:
        if _serve_together(entries[one], entries[other]):
            leader[max(find(one), find(other))] = min(find(one), find(other))

    first_with: dict[str, int] = {}
    for place, entry in enumerate(entries):
        join(first_with.setdefault(_answer_key(entry), place), place)
    row = 0
    for place, entry in enumerate(entries):
        for wording in entry.wordings:
            for other, nearest in kb.neighbours(vectors[row], _NEIGHBOURS, at_least=SAME_MEANING):
                if other != entry.id and read_alike(wording, nearest):
                    join(place, places[other])
            row += 1
    groups: dict[int, list[str]] = defaultdict(list)
    for place, entry in enumerate(entries):
        groups[find(place)].append(entry.id)
    for group in groups.values():
        if len(group) > 1:
            yield Finding("near_duplicates", tuple(group), "答案相同或问题几乎相同，可合并为相似问题")


def _not_found(kb: KnowledgeBase, entries: Sequence[Entry], vectors: Vectors) -> Iterable[Finding]:
    """Entries of which a wording, asked as a citizen would, brings up another answer first."""
    answers = {entry.id: entry.answer.strip() for entry in entries}
    row = 0
    for entry in entries:
        lost = []
        for wording in entry.wordings:
            hits = kb.search(wording, 1, embedding=vectors[row]).hits
            if not hits or answers[hits[0].entry_id] != answers[entry.id]:
                lost.append(f"“{wording[:40]}”" + (f"找到的是 {hits[0].entry_id}" if hits else "没有内容可供查找"))
            row += 1
        if lost:
            yield Finding("not_found_by_own_question", (entry.id,), "；".join(lost))


def _question_vectors(kb: KnowledgeBase, entries: Sequence[Entry], progress: Progress | None) -> Vectors:
    """The wordings of all entries, in order, embedded as questions; zeros where there is nothing to ask."""
    texts = [wording for entry in entries for wording in entry.wordings]
    vectors = np.zeros((len(texts), kb.manifest.dimension), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        vectors[part] = kb.embed_many([texts[at] for at in part])
        if progress is not None:
            progress(min(start + _AT_ONCE, len(order)), len(order))
    return vectors
