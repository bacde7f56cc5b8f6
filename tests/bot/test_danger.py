"""Danger is decided by the service's suspicion and the classifier's together."""

import pytest
from components.danger import weigh_danger

RANKING = [
    {"name": "urgent", "confidence": 0.55},
    {"name": "complaint", "confidence": 0.3},
    {"name": "faq", "confidence": 0.15},
]


def first(danger, ranking=RANKING):
    return weigh_danger(ranking, {"danger": danger})[0]["name"]


def test_a_suspicion_that_the_service_does_not_share_gives_way_to_the_next_intent():
    leading = [
        {"name": "urgent", "confidence": 0.45},
        {"name": "complaint", "confidence": 0.35},
        {"name": "faq", "confidence": 0.2},
    ]
    assert first(0.001, leading) == "complaint"


def test_a_suspicion_that_both_share_is_danger():
    assert first(0.6) == "urgent"
    assert first(0.65, [{"name": "complaint", "confidence": 0.6}, {"name": "urgent", "confidence": 0.4}]) == "urgent"


def test_a_certain_classifier_is_not_silenced():
    assert first(0.1, [{"name": "urgent", "confidence": 0.98}, {"name": "faq", "confidence": 0.02}]) == "urgent"


def test_what_is_left_keeps_its_proportions_and_all_adds_up():
    weighed = {item["name"]: item["confidence"] for item in weigh_danger(RANKING, {"danger": 0.1})}
    assert sum(weighed.values()) == pytest.approx(1)
    assert weighed["complaint"] / weighed["faq"] == pytest.approx(2)


@pytest.mark.parametrize("metadata", [None, {}, {"danger": None}, {"danger": "x"}, {"danger": 7}, []])
def test_without_a_suspicion_of_the_service_the_ranking_stays(metadata):
    assert weigh_danger(RANKING, metadata) == RANKING


def test_a_ranking_without_danger_stays():
    ranking = [{"name": "faq", "confidence": 1.0}]
    assert weigh_danger(ranking, {"danger": 0.9}) == ranking
