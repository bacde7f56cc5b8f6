"""What danger is learned from, and how: `huiying train` calls `fit`. Needs scikit-learn."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from services.understanding.classifier.fitting import Question, Recipe, Say, digest
from services.understanding.classifier.fitting import fit as fit_classifier
from services.understanding.classifier.model import Classifier, Floats
from services.understanding.danger.judge import CALM, DANGER, HEAD, terms
from services.understanding.danger.lexicon import prepare
from services.understanding.examples import dialogue_examples

# What several of them have counts as the first has it.
EXAMPLES: Final = (("urgent.txt", DANGER), ("veiled.txt", DANGER), ("calm.txt", CALM), ("everyday.txt", CALM))
# The log odds of n-grams and of meaning add up: half of the say each, twice as sharp.
RECIPE: Final = Recipe(
    gram_strengths=(4.0,),
    vector_strengths=(1.0,),
    sharpness=2.0,
    units=32,
    passes=30,
    balanced=True,
    fewest=1,
    smallest=0.08,
    weighted=True,
)


def read_examples(name: str) -> list[str]:
    """The messages of data/`name`, without headings and comments."""
    lines = resources.files(__package__).joinpath(f"data/{name}").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] not in "#["]


def examples() -> tuple[list[str], Question]:
    """Every distinct example and its label; what several sources have counts as the first has it."""
    labels: dict[str, str] = {}
    for name, label in EXAMPLES:
        for text in read_examples(name):
            labels.setdefault(text, label)
    for one in dialogue_examples():
        labels.setdefault(one.text, DANGER if one.intent == "urgent" else CALM)
    return list(labels), Question(HEAD, list(labels.values()))


def current() -> str:
    """Digest of the present examples: a classifier that says another one is stale."""
    texts, question = examples()
    return digest([prepare(text) for text in texts], [question])


def fit(vectors: Floats | None, embedder: str = "", say: Say = lambda line: None) -> tuple[Classifier, dict[str, Any]]:
    """A classifier of the present examples; `vectors` (examples, dimension) are query embeddings by `embedder`."""
    texts, question = examples()
    return fit_classifier(
        terms, [prepare(text) for text in texts], [question], vectors, RECIPE, embedder=embedder, say=say
    )
