"""The one classifier: what it learns, how it is kept, and what it makes of another model's embedding."""

from __future__ import annotations

import io
import json
from collections import Counter

import numpy as np
import pytest

from services.understanding.classifier.fitting import Question, Recipe, TooFewExamples, digest, fit
from services.understanding.classifier.model import Classifier, ModelDamaged, grams

TEXTS = ["查违章", "查一下违章", "帮我查违章", "转人工", "我要人工", "人工客服"] * 2
LABELS = (["lookup"] * 3 + ["human"] * 3) * 2
VECTORS = np.tile(np.repeat(np.eye(2, 8, dtype=np.float32), 3, axis=0), (2, 1))


def terms(text: str) -> Counter[str]:
    return grams(text, 2)


def learned(recipe: Recipe, vectors: np.ndarray | None = VECTORS) -> Classifier:
    return fit(terms, TEXTS, [Question("what", LABELS)], vectors, recipe, embedder="e5")[0]


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(gram_strengths=(20.0,)),
        Recipe(grams="margins", gram_strengths=(0.3, 1.0), shares=(0.0, 0.5)),
        Recipe(units=8, networks=2, passes=200, vector_strengths=(0.1,), sharpness=2.0),
        Recipe(balanced=True, weighted=True, fewest=1, smallest=0.01),
    ],
)
def test_every_recipe_learns_keeps_and_answers_alike(recipe: Recipe) -> None:
    made = learned(recipe)
    again = Classifier.from_bytes(made.to_bytes(), terms)
    assert again.to_bytes() == made.to_bytes() == learned(recipe).to_bytes()
    assert made.predict("查下违章")["what"].label == "lookup"
    assert made.predict("要人工")["what"].label == "human"
    for vector in (None, VECTORS[0]):
        kept, fresh = (np.exp(one.log_shares("违章", vector)["what"]) for one in (again, made))
        assert np.allclose(kept, fresh, atol=2e-3)
        assert float(fresh.sum()) == pytest.approx(1.0, abs=1e-5)


def test_the_embedding_speaks_where_the_text_says_nothing_and_only_at_its_length() -> None:
    made = learned(Recipe(vector_strengths=(10.0,)))
    assert made.predict("zzz", VECTORS[3])["what"].label == "human"
    assert made.predict("zzz", np.ones(5, dtype=np.float32)) == made.predict("zzz")
    assert (made.embedder, made.dimension) == ("e5", 8)
    assert learned(Recipe(), None).embedder == ""


def test_it_says_what_it_was_made_of() -> None:
    question = Question("what", LABELS)
    made = learned(Recipe())
    assert made.examples == digest(TEXTS, [question])
    assert made.examples != digest(TEXTS, [Question("what", LABELS[::-1])])


def test_small_weights_are_left_out_of_what_is_kept() -> None:
    whole, slim = learned(Recipe()), learned(Recipe(smallest=0.2))
    assert set(slim.vocabulary) < set(whole.vocabulary)
    assert np.abs(slim.heads["what"].gram_weights).min() >= 0.2


def test_one_label_alone_cannot_be_learned() -> None:
    with pytest.raises(TooFewExamples):
        fit(terms, TEXTS, [Question("what", ["human"] * len(TEXTS))], None, Recipe())


def test_a_model_of_the_first_format_is_still_read() -> None:
    about = {
        "format": 1,
        "embedder": "e5",
        "heads": {"what": {"labels": ["a", "b"], "share": 0.25, "sharpness": 2.0, "gram_sharpness": 3.0}},
    }
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        "vocabulary": np.frombuffer(json.dumps(["x", "y"]).encode(), dtype=np.uint8),
        "idf": np.ones(2, dtype=np.float32),
        "center": np.zeros(2, dtype=np.float16),
        "scale": np.ones(2, dtype=np.float16),
        "what.gram_weights": np.array([[1, 0], [0, 1]], dtype=np.float16),
        "what.gram_bias": np.zeros(2, dtype=np.float32),
        "what.vector_weights": np.array([[0, 2], [2, 0]], dtype=np.float16),
        "what.vector_bias": np.zeros(2, dtype=np.float32),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    made = Classifier.from_bytes(buffer.getvalue(), terms)
    head = made.heads["what"]
    assert (head.gram_say, head.vector_say, head.alone) == (1.5, 0.5, 3.0)
    # By its terms alone a lead of one, three times as sharp; with an embedding that says the opposite 1.5 less 1.
    alone = made.log_shares("x")["what"]
    assert float(alone[0] - alone[1]) == pytest.approx(3.0, abs=1e-5)
    both = made.log_shares("x", np.array([1, 0], dtype=np.float32))["what"]
    assert float(both[0] - both[1]) == pytest.approx(0.5, abs=1e-5)
    assert Classifier.from_bytes(made.to_bytes(), terms).predict("x") == made.predict("x")


def test_what_is_no_model_is_refused() -> None:
    data = learned(Recipe()).to_bytes()
    for broken in (b"", data[:500], b"PK" + data[2:900]):
        with pytest.raises(ModelDamaged):
            Classifier.from_bytes(broken, terms)
