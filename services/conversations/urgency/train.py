"""Makes data/weights.json from the examples: `python -m services.conversations.urgency.train`.

Needs scikit-learn, which the service has through sentence-transformers; running the service does not
import it. With `--check` only the five-fold figures are printed.
"""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from services.conversations.urgency.classifier import features, scale
from services.conversations.urgency.lexicon import prepare

SMALLEST = 0.02


def read_examples(name: str) -> list[str]:
    """The messages of data/`name`, without headings and comments."""
    lines = resources.files(__package__).joinpath(f"data/{name}").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] not in "#["]


def _vector(text: str) -> dict[str, float]:
    names = list(features(prepare(text)))
    return {name: scale(name, len(names)) for name in names}


def fit(texts: list[str], labels: NDArray[np.int64]) -> tuple[float, dict[str, float]]:
    """Bias and weight per feature name; deterministic for the same examples."""
    vectoriser = DictVectorizer()
    matrix = vectoriser.fit_transform([_vector(text) for text in texts])
    model = LogisticRegression(C=4.0, class_weight="balanced", max_iter=2000).fit(matrix, labels)
    named = zip(vectoriser.get_feature_names_out(), model.coef_[0], strict=True)
    kept = {str(name): round(float(value), 3) for name, value in named if abs(value) >= SMALLEST}
    return round(float(model.intercept_[0]), 4), dict(sorted(kept.items()))


def cross_validate(texts: list[str], labels: NDArray[np.int64], threshold: float = 0.5) -> tuple[float, float]:
    """Recall and false-alarm rate of the bare classifier, five folds."""
    hits = alarms = 0
    for train, test in StratifiedKFold(5, shuffle=True, random_state=7).split(texts, labels):
        bias, weights = fit([texts[i] for i in train], labels[train])
        for i in test:
            score = bias + sum(weights.get(name, 0.0) * value for name, value in _vector(texts[i]).items())
            flagged = 1 / (1 + np.exp(-score)) >= threshold
            hits += int(flagged and labels[i] == 1)
            alarms += int(flagged and labels[i] == 0)
    return hits / int(labels.sum()), alarms / int((1 - labels).sum())


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="print the cross-validated figures only")
    arguments = parser.parse_args()
    urgent, calm = read_examples("urgent.txt"), read_examples("calm.txt")
    texts, labels = urgent + calm, np.array([1] * len(urgent) + [0] * len(calm), dtype=np.int64)
    recall, alarms = cross_validate(texts, labels)
    print(f"urgent {len(urgent)} calm {len(calm)} recall {recall:.3f} false alarms {alarms:.3f}")
    if not arguments.check:
        bias, weights = fit(texts, labels)
        target = Path(__file__).with_name("data") / "weights.json"
        target.write_text(json.dumps({"bias": bias, "weights": weights}, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
