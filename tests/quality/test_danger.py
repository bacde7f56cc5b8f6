"""What was learned about danger: the shipped numbers are those of the shipped examples, and find what no rule names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from knowledge_base import Embedder
from services.understanding.danger import Heard, detect, judge, learning, wants_hearing
from services.understanding.danger.judge import HEAD

ROUTES = Path(__file__).parents[1] / "bot" / "heldout"
EVERYDAY = Path(__file__).with_name("danger")
UNSEEN = ("fifth.jsonl", "danger.jsonl", "danger2.jsonl")


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def test_the_shipped_classifier_is_that_of_the_shipped_examples_and_of_the_bundled_model(embedder: Embedder) -> None:
    shipped = judge.shipped()
    assert shipped.examples == learning.current()
    assert (shipped.embedder, shipped.dimension) == (embedder.identity, embedder.dimension)


def test_the_shipped_weights_are_what_the_examples_give() -> None:
    fitted, _ = learning.fit(None)
    shipped = judge.shipped()
    mine, theirs = (
        dict(zip(one.vocabulary, one.heads[HEAD].gram_weights[:, 0], strict=True)) for one in (fitted, shipped)
    )
    assert shipped.heads[HEAD].gram_bias[0] == pytest.approx(fitted.heads[HEAD].gram_bias[0], abs=0.05)
    for name, weight in mine.items():
        assert theirs.get(name, 0.0) == pytest.approx(weight, abs=0.05), name


def test_with_the_meaning_nine_of_ten_hidden_dangers_are_found_without_the_dialogue(embedder: Embedder) -> None:
    kept = [json.loads(line) for name in UNSEEN for line in lines(ROUTES / name)]
    vectors = embedder.embed_queries([row["text"] for row in kept])
    heard = [Heard(row["text"], embedder.identity, vector) for row, vector in zip(kept, vectors, strict=True)]
    found = [detect(one.text, one) is not None for one in heard]
    urgent = [row["route"] == "urgent" for row in kept]
    assert sum(urgent) > 300
    missed = [one.text for one, seen, danger in zip(heard, found, urgent, strict=True) if danger and not seen]
    alarms = [one.text for one, seen, danger in zip(heard, found, urgent, strict=True) if seen and not danger]
    assert len(missed) <= 0.1 * sum(urgent), missed
    assert len(alarms) <= 0.03 * (len(urgent) - sum(urgent)), alarms


@pytest.mark.parametrize("name", ["everyday_first.jsonl", "everyday_second.jsonl"])
def test_at_its_real_rate_plain_danger_is_found_and_everyday_messages_seldom_alarm(
    embedder: Embedder, name: str
) -> None:
    """Sets of people who knew neither code nor examples; they were read, so these are floors and no figures."""
    kept = [json.loads(line) for line in lines(EVERYDAY / name)]
    vectors = embedder.embed_queries([row["text"] for row in kept])
    found: dict[str, list[bool]] = {}
    for row, vector in zip(kept, vectors, strict=True):
        heard = Heard(row["text"], embedder.identity, vector) if wants_hearing(row["text"]) else None
        found.setdefault(row["label"], []).append(detect(row["text"], heard) is not None)
    share = {label: sum(seen) / len(seen) for label, seen in found.items()}
    assert share["plain"] >= 0.98
    assert share["veiled"] >= 0.80
    assert share["everyday"] <= 0.02
