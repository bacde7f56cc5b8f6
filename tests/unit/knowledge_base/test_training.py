"""The training material: questions are held out from the bases they are asked of."""

from __future__ import annotations

import random

import numpy as np

from knowledge_base import Entry
from knowledge_base.training import augment
from knowledge_base.training.pairs import far_questions, load_paraphrases, load_starter, scenes
from knowledge_base.training.projection import LabelledVectors, first_places, fit_projection, project

ENTRIES = [
    Entry(
        id=str(n), question=f"第{n}种证件怎么办理", answer=f"答{n}", similar_questions=(f"办{n}号证", f"{n}号证去哪办")
    )
    for n in range(20)
]
IDS = frozenset(entry.id for entry in ENTRIES)


def test_the_starter_base_is_whole_and_has_similar_questions() -> None:
    entries = load_starter()
    assert len(entries) >= 300
    assert sum(len(entry.similar_questions) >= 2 for entry in entries) == len(entries)


def test_no_scene_asks_a_wording_that_its_base_contains_word_for_word() -> None:
    for scene in scenes(ENTRIES, IDS, ["怎么养猫"], random.Random(1)):
        similar = {text for entry in scene.entries for text in entry.similar_questions}
        assert not [q for q in scene.questions if q.text in similar]


def test_questions_of_removed_entries_have_no_answer() -> None:
    made = scenes(ENTRIES, IDS, [], random.Random(1))
    for scene in made[2:4]:
        ids = {entry.id for entry in scene.entries}
        assert len(ids) == 16
        assert scene.questions
        assert {question.entry_id for question in scene.questions} == {None}


def test_the_same_seed_gives_the_same_questions() -> None:
    first, second = (scenes(ENTRIES, IDS, [], random.Random(7)) for _ in range(2))
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


def test_paraphrases_are_questions_of_their_own() -> None:
    entries = load_paraphrases()
    assert len({entry.id for entry in entries}) == len(entries) >= 600
    assert not {entry.question for entry in entries} & {entry.question for entry in load_starter()}
    assert all(len(entry.similar_questions) == 4 for entry in entries)


def test_a_projection_is_learned_that_brings_questions_nearer_to_their_entries() -> None:
    random_vectors = np.random.default_rng(1)
    entries = project(random_vectors.normal(size=(30, 16)).astype(np.float32), np.eye(16, dtype=np.float32))
    owners = np.repeat(np.arange(30), 6)
    # Questions are their entries plus noise in half of the dimensions: the map must learn to look at the other half.
    noise = random_vectors.normal(size=(180, 16)).astype(np.float32) * np.repeat([0.0, 0.4], 8).astype(np.float32)
    questions = project(entries[owners] + noise, np.eye(16, dtype=np.float32))
    data = LabelledVectors(questions, owners, entries, entries)
    trained, unseen = data.of(np.arange(30) < 20), data.of(np.arange(30) >= 20)
    matrix = fit_projection(trained, seed=1)
    moved = LabelledVectors(
        project(unseen.questions, matrix), unseen.owners, *[project(unseen.entry_questions, matrix)] * 2
    )
    assert first_places(moved) > first_places(unseen)
