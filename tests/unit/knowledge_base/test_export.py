from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from knowledge_base import Entry, emptied, export_bytes, export_file, import_bytes, import_file, onto
from knowledge_base.formats.rows import COLUMNS

SUFFIXES = (".jsonl", ".csv", ".xlsx")
# Text as an import would leave it: no control characters, no blanks around it.
TEXT = (
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=30)
    .map(lambda text: text.strip())
    .filter(bool)
)
DANGEROUS = st.sampled_from(
    [
        "=1+1",
        "+86",
        "-5",
        "@SUM(A1)",
        "'=1",
        "''=1",
        "'引",
        "_x000D_",
        "_x005F_x0041_",
        "_x0041_",
        "x005F_",
        "[1]",
        "json:{}",
        "a|b",
    ]
)
WORDS = TEXT | DANGEROUS
EXTRA = st.dictionaries(
    st.sampled_from(["热度", "办理链接", "标签"]),
    WORDS | st.integers(-5, 5) | st.booleans() | st.lists(st.integers(0, 3)),
)
ENTRY = st.builds(
    Entry,
    id=TEXT,
    question=WORDS,
    answer=WORDS | st.just("第一行\n第二行"),
    similar_questions=st.lists(WORDS, max_size=3, unique=True).map(tuple),
    department=st.none() | WORDS,
    region=st.none() | WORDS,
    valid_from=st.none() | st.just(date(2026, 1, 5)),
    source=st.none() | WORDS,
    keywords=st.lists(WORDS, max_size=3, unique=True).map(tuple),
    extra=EXTRA,
).filter(lambda entry: entry.question not in entry.similar_questions)


@settings(max_examples=100, deadline=None)
@given(old=ENTRY, new=ENTRY, columns=st.sets(st.sampled_from([*COLUMNS.fields, "热度", "办理链接", "标签"])))
def test_what_a_row_speaks_of_is_taken_and_everything_else_stays(old: Entry, new: Entry, columns: set[str]) -> None:
    said = frozenset(columns | {"question", "answer"} | set(new.extra))
    merged = onto(old, new, said)
    before, after, got = old.to_dict(), new.to_dict(), merged.to_dict()
    for name in set(got) - {"id", "extra", "similar_questions"}:
        assert got[name] == (after if name in said else before)[name]
    wanted = (new if "similar_questions" in said else old).similar_questions
    assert merged.similar_questions == tuple(text for text in wanted if text != merged.question)
    assert merged.extra == {name: value for name, value in old.extra.items() if name not in said} | dict(new.extra)
    gone = emptied(old, merged)
    assert {COLUMNS.field(title) for title in gone} <= said | {"similar_questions"}


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(ENTRY, max_size=4, unique_by=lambda entry: entry.id))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_back_what_was_exported(suffix: str, entries: list[Entry]) -> None:
    data = export_bytes(entries, suffix)
    result = import_bytes(f"a{suffix}", data) if entries or suffix != ".jsonl" else None
    assert (result.entries if result else []) == entries
    assert (result.rejected if result else []) == []


def test_formulas_are_guarded_in_csv_and_xlsx() -> None:
    entry = Entry(id="1", question="=cmd|' /C calc'!A0", answer="@x", department="+1", extra={"列": "-2"})
    rows = list(csv.reader(io.StringIO(export_bytes([entry], ".csv").decode("utf-8-sig"))))
    sheet = load_workbook(io.BytesIO(export_bytes([entry], ".xlsx"))).worksheets[0]
    cells = [cell for cell in rows[1] if cell] + [str(cell.value) for cell in sheet[2] if cell.value]
    assert len(cells) == 10
    assert not [cell for cell in cells if cell[0] in "=+-@"]
    assert all(cell.data_type == "s" for cell in sheet[2] if cell.value is not None)


def test_an_answer_too_long_for_a_cell_is_refused_by_name() -> None:
    entry = Entry(id="lang", question="问", answer="长" * 40_000)
    with pytest.raises(ValueError, match="lang"):
        export_bytes([entry], ".xlsx")
    assert import_bytes("a.csv", export_bytes([entry], ".csv")).entries == [entry]


def test_a_file_is_written_in_the_format_of_its_suffix(tmp_path: Path) -> None:
    entry = Entry(id="1", question="问", answer="答", department="局")
    for suffix in SUFFIXES:
        export_file([entry], tmp_path / f"out{suffix}")
        assert import_file(tmp_path / f"out{suffix}").entries == [entry]
    assert len(list(tmp_path.iterdir())) == len(SUFFIXES)
    with pytest.raises(ValueError, match="不支持的格式"):
        export_file([entry], tmp_path / "out.doc")
