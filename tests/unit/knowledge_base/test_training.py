"""The training material: questions are held out from the bases they are asked of."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from knowledge_base import Entry
from knowledge_base.models.adapter import merge
from knowledge_base.training import augment
from knowledge_base.training.pairs import far_questions, load_starter, scenes

ENTRIES = [
    Entry(
        id=str(n), question=f"第{n}种证件怎么办理", answer=f"答{n}", similar_questions=(f"办{n}号证", f"{n}号证去哪办")
    )
    for n in range(20)
]


def test_the_starter_base_is_whole_and_has_similar_questions() -> None:
    entries = load_starter()
    assert len(entries) >= 300
    assert sum(len(entry.similar_questions) >= 2 for entry in entries) == len(entries)


def test_no_scene_asks_a_wording_that_its_base_contains_word_for_word() -> None:
    for scene in scenes(ENTRIES, ["怎么养猫"], random.Random(1)):
        similar = {text for entry in scene.entries for text in entry.similar_questions}
        assert not [q for q in scene.questions if q.text in similar]


def test_questions_of_removed_entries_have_no_answer() -> None:
    made = scenes(ENTRIES, [], random.Random(1))
    for scene in made[2:]:
        ids = {entry.id for entry in scene.entries}
        assert len(ids) == 16
        assert scene.questions
        assert {question.entry_id for question in scene.questions} == {None}


def test_the_same_seed_gives_the_same_questions() -> None:
    first, second = (scenes(ENTRIES, [], random.Random(7)) for _ in range(2))
    assert first == second


def test_typos_keep_the_length_and_change_characters_only_within_their_sound() -> None:
    text = "驾驶证到期怎么换证"
    changed = augment.typo(text, random.Random(3))
    assert len(changed) == len(text)
    assert 1 <= sum(a != b for a, b in zip(text, changed, strict=True)) <= 2


def test_short_questions_keep_the_subject() -> None:
    for seed in range(20):
        assert "驾驶证" in augment.short("请问我的驾驶证到期了怎么换", random.Random(seed))


def test_far_questions_are_many_and_distinct() -> None:
    far = far_questions()
    assert len(far) == len(set(far)) >= 100


def test_an_adapter_adds_its_product_to_the_weights(tmp_path: Path) -> None:
    up, down = np.ones((4, 1), np.float16), np.arange(3, dtype=np.float16)[None]
    np.savez(tmp_path / "a.npz", **{"x.query.up": up, "x.query.down": down})
    state = {"x.query.weight": torch.zeros(4, 3)}
    merge(state, tmp_path / "a.npz")
    assert state["x.query.weight"].tolist() == [[0.0, 1.0, 2.0]] * 4
    with pytest.raises(KeyError):
        merge({}, tmp_path / "a.npz")
