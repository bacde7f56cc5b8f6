"""The intents' classifier: with embeddings, without them, and over a save and load."""

import base64

import numpy as np
import pytest
from components.features import shape_marks, terms
from components.intent_classifier import HEAD, CitizenIntentClassifier, decode_embedding, learn, ranked, recipe_of

from services.understanding.classifier.model import Classifier
from services.understanding.placeholders import normalise

TEXTS = ["查违章", "查一下违章", "帮我查违章", "转人工", "我要人工", "人工客服", "你好", "您好", "你好呀"]
LABELS = ["query_violation"] * 3 + ["human"] * 3 + ["chitchat"] * 3
VECTORS = np.repeat(np.eye(3, 8, dtype=np.float32), 3, axis=0)


def recipe(**numbers):
    defaults = {**CitizenIntentClassifier.get_default_config(), "embedding_units": 16, "embedding_share": 0.5}
    return recipe_of({**defaults, "embedding_penalty": 0.1, "embedding_rounds": 200, **numbers})


@pytest.fixture
def model():
    return learn(TEXTS, LABELS, VECTORS, recipe())


def best(model, text, vector=None):
    return model.predict(text, vector)[HEAD].label


def test_it_decides_by_ngrams_when_the_message_has_no_embedding(model):
    assert best(model, "查下违章") == "query_violation"
    assert best(model, "給我轉人工") == "human"


def test_the_embedding_decides_where_the_text_says_nothing(model):
    assert best(model, "zzz", VECTORS[3]) == "human"


def test_it_works_when_no_embeddings_were_there_at_training():
    plain = learn(TEXTS, LABELS, None, recipe())
    assert plain.dimension is None
    assert best(plain, "人工", VECTORS[0]) == "human"


def test_a_saved_model_gives_the_same_shares_to_three_digits(model):
    again = Classifier.from_bytes(model.to_bytes(), terms)
    for vector in (None, VECTORS[6]):
        before, after = (np.exp(one.log_shares("您好", vector)[HEAD]) for one in (model, again))
        assert np.allclose(before, after, atol=2e-3)


def test_networks_tell_apart_what_no_line_separates_and_are_the_same_every_time():
    corners = np.repeat(np.asarray([[1, 1], [-1, -1], [1, -1], [-1, 1]], dtype=np.float32), 4, axis=0)
    sides = ["same", "same", "same", "same"] * 2 + ["other"] * 8
    texts = [f"角{number}" for number in range(16)]
    wide = recipe(embedding_penalty=0.0001, embedding_rounds=400, embedding_share=1.0)
    one, again = (learn(texts, sides, corners, wide) for _ in range(2))
    for corner, side in zip(corners, sides, strict=True):
        assert best(one, "", corner) == side
    assert one.to_bytes() == again.to_bytes()


def test_intents_of_one_route_stand_together_and_answers_stand_alone():
    intents = ["chitchat", "chitchat_bye", "faq", "cancel"]
    ranking = ranked(intents, np.asarray([0.25, 0.3, 0.35, 0.1], dtype=np.float32))
    assert [one["name"] for one in ranking] == ["chitchat_bye", "faq", "cancel"]
    assert [round(one["confidence"], 2) for one in ranking] == [0.55, 0.35, 0.1]


def test_an_embedding_of_another_size_or_not_of_numbers_is_ignored():
    good = base64.b64encode(np.ones(8, dtype="<f2").tobytes()).decode()
    assert decode_embedding(good, 8) is not None
    infinite = base64.b64encode(np.full(8, np.inf, dtype="<f2").tobytes()).decode()
    for bad in (good[:8], "???", None, 3, infinite):
        assert decode_embedding(bad, 8) is None
    assert decode_embedding(good, 384) is None


def test_scripts_widths_and_numbering_of_placeholders_do_not_matter():
    assert normalise("查詢【车牌1】違章") == normalise("查询【车牌12】违章")
    assert normalise("ＧＤ202608123456") == normalise("gd202611220011")
    assert normalise("【车牌1】") != normalise("【户号1】")


def test_random_keys_have_marks_that_sentences_lack():
    assert "\x00consonants" in shape_marks("dfghjkl")
    assert "\x00repeats" in shape_marks("啊啊啊啊啊啊啊")
    assert not {"\x00consonants", "\x00repeats", "\x00symbols"} & set(shape_marks("附近哪里有公共厕所"))
