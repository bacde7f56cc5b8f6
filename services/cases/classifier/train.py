"""Makes data/model.npz from the examples beside it: `python -m services.cases.classifier.train`.

The examples were written for this project. A line is the short name of a department, `|`, and a citizen's message; the
file's name is the kind. With `--check` only the cross-validated figures are printed.
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from knowledge_base import load_embedder
from services.cases.classifier.fitting import Question, fit

KINDS = ("consultation", "help", "complaint", "report", "suggestion")


class Example(NamedTuple):
    """One written message with what it is."""

    kind: str
    department: str
    text: str


def read_examples() -> list[Example]:
    """The examples of all kinds, without comments."""
    found = []
    for kind in KINDS:
        lines = resources.files(__package__).joinpath(f"data/{kind}.txt").read_text("utf-8").splitlines()
        for line in lines:
            if line.strip() and not line.startswith("#"):
                department, text = line.split("|", 1)
                found.append(Example(kind, department, text.strip()))
    return found


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="print the cross-validated figures only")
    parser.add_argument(
        "--models", type=Path, default=Path("var/models"), help="where the bundled embedder is unpacked"
    )
    arguments = parser.parse_args()
    examples = read_examples()
    embedder = load_embedder(None, arguments.models)
    texts = [example.text for example in examples]
    questions = [
        Question("kind", [example.kind for example in examples]),
        Question("department", [example.department for example in examples]),
    ]
    # Through float16, as the cache keeps vectors.
    vectors = embedder.embed_passages(texts).astype("float16").astype("float32")
    model, _ = fit(texts, questions, vectors, embedder=embedder.identity, say=print)
    if not arguments.check:
        Path(__file__).with_name("data").joinpath("model.npz").write_bytes(model.to_bytes())


if __name__ == "__main__":
    main()
