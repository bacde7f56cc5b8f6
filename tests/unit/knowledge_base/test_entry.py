from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from knowledge_base import Entry

ENTRY = Entry(
    id="a",
    question="问",
    answer="答",
    similar_questions=("又问",),
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 1, 31),
    extra={"热度": 7},
)


def test_an_entry_survives_its_dict_form() -> None:
    assert Entry.from_dict(ENTRY.to_dict()) == ENTRY


def test_the_content_hash_ignores_the_id_and_sees_every_edit() -> None:
    assert dataclasses.replace(ENTRY, id="b").content_hash == ENTRY.content_hash
    changes: list[dict[str, object]] = [
        {"question": "另问"},
        {"answer": "另答"},
        {"similar_questions": ()},
        {"department": "公安局"},
        {"valid_to": None},
        {"extra": {"热度": 8}},
    ]
    hashes = {dataclasses.replace(ENTRY, **change).content_hash for change in changes}  # type: ignore[arg-type]
    assert len(hashes | {ENTRY.content_hash}) == len(changes) + 1


@pytest.mark.parametrize(
    ("day", "valid"),
    [(date(2025, 12, 31), False), (date(2026, 1, 1), True), (date(2026, 1, 31), True), (date(2026, 2, 1), False)],
)
def test_first_and_last_day_of_validity_are_both_valid(day: date, valid: bool) -> None:
    assert ENTRY.valid_on(day) is valid
