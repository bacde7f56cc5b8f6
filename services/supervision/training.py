"""Making what is stale: the classifiers, then the Rasa model; embeddings come from what was embedded before.

A classifier is stale when the embedding model is not the one it was fitted for, or its examples have changed. The
shipped ones fit the bundled model: then nothing is made. docs/training.md says what, when and how long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from knowledge_base import Embedder, EmbeddingCache
from services.cases import learning as cases_learning
from services.cases import subjects
from services.classifiers import FOLDER, fitted
from services.supervision.rasa_model import ensure_model, query_vectors
from services.understanding.classifier.model import Classifier
from services.understanding.danger import judge

Say = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Kind:
    """A classifier that comes with the project: how it is read, what it would be made of today, how it is made."""

    title: str
    file: str
    shipped_file: Path
    shipped: Callable[[], Classifier]
    read: Callable[[bytes], Classifier]
    current: Callable[[], str]
    fit: Callable[["Workshop"], Classifier]


@dataclass(frozen=True)
class Workshop:
    """What training works with."""

    var_dir: Path
    embedder: Embedder
    cache: EmbeddingCache
    say: Say
    progress: Progress | None = None


def _danger_of_today() -> str:
    # Its learning imports scikit-learn, a second that a start need not take.
    from services.understanding.danger import learning

    return learning.current()


def _fit_danger(shop: Workshop) -> Classifier:
    from services.understanding.danger import learning

    texts, _ = learning.examples()
    vectors = query_vectors(shop.var_dir / "rasa", texts, shop.embedder, keep="danger.npz", progress=shop.progress)
    return learning.fit(vectors, shop.embedder.identity, shop.say)[0]


def _fit_subjects(shop: Workshop) -> Classifier:
    return cases_learning.fit_shipped(shop.embedder, shop.cache, say=shop.say, progress=shop.progress)


KINDS = (
    Kind("danger", judge.FILE, judge.SHIPPED, judge.shipped, judge.read, _danger_of_today, _fit_danger),
    Kind(
        "subjects of cases",
        subjects.FILE,
        subjects.SHIPPED,
        subjects.shipped,
        subjects.read,
        cases_learning.shipped_digest,
        _fit_subjects,
    ),
)


def train(shop: Workshop, *, ship: bool = False) -> dict[str, str]:
    """Make what is stale, in order; {what: "made" or "current"}. `ship`: classifiers go into the project itself.

    Raises StartError when the Rasa model cannot be trained.
    """
    done = {kind.title: _classifier(shop, kind, ship=ship, examples=True) for kind in KINDS}
    shop.say("the dialogue: the Rasa model ...")
    model, fresh = ensure_model(shop.var_dir, shop.embedder, progress=shop.progress)
    return {**done, "dialogue": "made" if fresh else "current", "model": model.name}


def fit_for(shop: Workshop) -> None:
    """Fit the classifiers that are for another embedding model: what a start needs, and no more."""
    for kind in KINDS:
        _classifier(shop, kind, ship=False, examples=False)


def _classifier(shop: Workshop, kind: Kind, *, ship: bool, examples: bool) -> str:
    own = shop.var_dir / FOLDER / kind.file
    wanted = kind.current() if examples else None

    def fits(one: Classifier | None) -> bool:
        return one is not None and one.embedder == shop.embedder.identity and wanted in (None, one.examples)

    if fits(kind.shipped()):
        own.unlink(missing_ok=True)
        return "current"
    if not ship and fits(fitted(shop.var_dir, kind.file, kind.read)):
        return "current"
    shop.say(f"{kind.title}: fitting the classifier for this embedding model and these examples ...")
    data = kind.fit(shop).to_bytes()
    target = kind.shipped_file if ship else own
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(data)
    part.replace(target)
    if ship:
        own.unlink(missing_ok=True)
    return "made"
