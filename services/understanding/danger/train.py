"""Makes data/weights.json and data/meaning.npz: `python -m services.understanding.danger.train`.

It learns from data/urgent.txt, data/calm.txt and the dialogue's own examples (bot/data/nlu), so it runs in a checkout,
for some minutes. Needs scikit-learn, which the service has through sentence-transformers; running the service does
not import it. With `--check` only five-fold figures of the n-grams are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from knowledge_base import load_embedder
from services.understanding.danger.classifier import features, scale
from services.understanding.danger.lexicon import prepare
from services.understanding.danger.meaning import FILE, Vector

SMALLEST = 0.08
UNITS = 32
ROUNDS = 30
BATCH = 128
DIALOGUE = Path(__file__).resolve().parents[3] / "bot" / "data" / "nlu"


def read_examples(name: str) -> list[str]:
    """The messages of data/`name`, without headings and comments."""
    lines = resources.files(__package__).joinpath(f"data/{name}").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] not in "#["]


def read_dialogue(folder: Path = DIALOGUE) -> list[tuple[str, bool]]:
    """The dialogue's examples, each with whether it tells of danger."""
    examples = []
    for path in sorted(folder.glob("*.yml")):
        for block in yaml.safe_load(path.read_text("utf-8"))["nlu"]:
            lines = (line[2:].strip() for line in block["examples"].splitlines() if line.startswith("- "))
            examples += [(line, block["intent"] == "urgent") for line in lines]
    return examples


def all_examples() -> tuple[list[str], NDArray[np.int64]]:
    """Every distinct example and its label, 1 for danger; what several sources have counts as the first has it."""
    told = [(text, True) for text in read_examples("urgent.txt")]
    told += [(text, False) for text in read_examples("calm.txt")]
    labels: dict[str, bool] = {}
    for text, danger in [*told, *read_dialogue()]:
        labels.setdefault(text, danger)
    return list(labels), np.array(list(labels.values()), dtype=np.int64)


def digest(texts: Sequence[str], labels: NDArray[np.int64]) -> str:
    """SHA-256 (hex) of examples with their labels."""
    lines = (f"{label}\t{text}" for text, label in zip(texts, labels, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()


def _vector(text: str) -> dict[str, float]:
    names = list(features(prepare(text)))
    return {name: scale(name, len(names)) for name in names}


def fit(texts: Sequence[str], labels: NDArray[np.int64]) -> tuple[float, dict[str, float]]:
    """Bias and weight per feature name; deterministic for the same examples."""
    vectoriser = DictVectorizer()
    matrix = vectoriser.fit_transform([_vector(text) for text in texts])
    model = LogisticRegression(C=4.0, class_weight="balanced", max_iter=2000).fit(matrix, labels)
    named = zip(vectoriser.get_feature_names_out(), model.coef_[0], strict=True)
    kept = {str(name): round(float(value), 3) for name, value in named if abs(value) >= SMALLEST}
    return round(float(model.intercept_[0]), 4), dict(sorted(kept.items()))


def fit_meaning(vectors: Vector, labels: NDArray[np.int64]) -> dict[str, Any]:
    """The arrays (float16) of `meaning.Network` for embeddings [texts, dimension]; deterministic for the same ones."""
    mean, deviation = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), 1e-6)
    network = MLPClassifier((UNITS,), alpha=1.0, max_iter=ROUNDS, batch_size=BATCH, random_state=0)
    with warnings.catch_warnings():
        # The number of rounds is chosen, not a bound that should not be met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit((vectors - mean) / deviation, labels)
    (hidden, weights), (hidden_bias, bias) = network.coefs_, network.intercepts_
    arrays = {
        "mean": mean,
        "deviation": deviation,
        "hidden": hidden,
        "hidden_bias": hidden_bias,
        "weights": weights[:, 0],
        "bias": bias[0],
    }
    return {name: np.asarray(value, dtype=np.float16) for name, value in arrays.items()}


def cross_validate(texts: Sequence[str], labels: NDArray[np.int64], threshold: float = 0.5) -> tuple[float, float]:
    """Recall and false-alarm rate of the n-grams alone, five folds."""
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
    parser.add_argument("--models", type=Path, default=Path("var/models"), help="where the bundled model is unpacked")
    arguments = parser.parse_args()
    texts, labels = all_examples()
    if arguments.check:
        recall, alarms = cross_validate(texts, labels)
        danger = int(labels.sum())
        print(f"danger {danger} calm {len(texts) - danger} recall {recall:.3f} false alarms {alarms:.3f}")
        return
    data = Path(__file__).with_name("data")
    bias, weights = fit(texts, labels)
    shipped = json.dumps({"bias": bias, "weights": weights}, ensure_ascii=False, indent=0)
    (data / "weights.json").write_text(shipped + "\n", "utf-8")
    embedder = load_embedder(models_directory=arguments.models)
    arrays = fit_meaning(embedder.embed_queries(texts), labels)
    np.savez(Path(__file__).parent / FILE, model=embedder.identity, digest=digest(texts, labels), **arrays)


if __name__ == "__main__":
    main()
