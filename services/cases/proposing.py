"""What a new case probably is: a kind and a department, each with its confidence.

The model in use is the newest one that `huiying cases train` stored in the database, else the one that comes with the
project. Every process looks for a newer version when it proposes, so none has to be started again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from knowledge_base import Embedder, KnowledgeBaseError
from services.cases import repository, subjects
from services.cases.subjects import DEPARTMENT, KIND
from services.cases.tip_offs import is_confidential
from services.core.database import Database, UnitOfWork
from services.sla import service as sla
from services.sla.policies import KIND_NAMES, UNASSIGNED, Kind
from services.understanding.classifier.model import Classifier, Floats, ModelDamaged

log = structlog.get_logger(__name__)

SURE: Final = 0.6
"""From this confidence on a proposal is taken; below it a clerk decides."""
SHIPPED: Final = 0
# Danger to life is found by services/understanding/danger; no model says it.
WORDS: Final[dict[str, Kind]] = {
    **{word: kind for kind, name in KIND_NAMES.items() for word in (kind, name) if kind != "urgent"},
    "建言": "suggestion",
    "意见建议": "suggestion",
}


@dataclass(frozen=True)
class Proposal:
    """`kind` is empty when the model's label (`kind_label`) is none of ours, `department` when it named none.

    Confidences are in [0, 1]; `model` is the version, 0 for the one that comes with the project.
    """

    kind: Kind | None
    kind_label: str
    kind_confidence: float
    department: str | None
    department_confidence: float
    model: int

    @property
    def sure_of_kind(self) -> bool:
        return self.kind is not None and self.kind_confidence >= SURE

    @property
    def sure_of_department(self) -> bool:
        return self.department is not None and self.department_confidence >= SURE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class InUse:
    """A model with its version and what its labels are called here."""

    version: int
    model: Classifier
    mapping: Mapping[str, Mapping[str, Any]]

    def propose(self, text: str, vector: Floats | None) -> Proposal:
        """`vector`: the embedding of `text` by the model's embedder, if at hand."""
        guesses = self.model.predict(text, vector)
        kind, department = guesses[KIND], guesses.get(DEPARTMENT)
        meant = kind_of(kind.label, self.mapping)
        if meant == "report" and not is_confidential(text):
            meant = "complaint"
        return Proposal(
            kind=meant,
            kind_label=kind.label,
            kind_confidence=kind.confidence,
            department=self.mapping.get("departments", {}).get(department.label, department.label)
            if department
            else None,
            department_confidence=department.confidence if department else 0.0,
            model=self.version,
        )


class LiveClassifier:
    """Proposes with the model in use. `embedder` is called when a model knows embeddings; the first call may load it.

    >>> LiveClassifier(database, container.embedder).propose("建议在公园里多修几个公共厕所").kind
    'suggestion'
    """

    def __init__(
        self,
        database: Database,
        embedder: Callable[[], Embedder],
        shipped: Callable[[], Classifier] = subjects.shipped,
    ) -> None:
        """`shipped`: the classifier of who has none of its own, as it is or fitted for another embedding model."""
        self._shipped = shipped
        self._database = database
        self._embedder = embedder
        self._lock = threading.Lock()
        self._using: InUse | None = None

    def propose(self, text: str) -> Proposal | None:
        """What a citizen's text is probably about; None for a text without words. Opens its own short transaction."""
        if not any(character.isalnum() for character in text):
            return None
        using = self.using()
        return using.propose(text, self._vector(using.model, text))

    def using(self) -> InUse:
        """The newest model; one that cannot be read leaves the one before in use."""
        with self._database.unit_of_work(read_only=True) as uow:
            newest = repository.newest_model_version(uow.session) or SHIPPED
        with self._lock:
            if self._using is None or self._using.version != newest:
                try:
                    self._using = self._load(newest)
                except ModelDamaged as error:
                    log.error("case model not readable", version=newest, kind=str(error))
                    before = self._using.model if self._using else self._shipped()
                    mapping = self._using.mapping if self._using else {}
                    self._using = InUse(newest, before, mapping)
            return self._using

    def _load(self, version: int) -> InUse:
        if version == SHIPPED:
            return InUse(SHIPPED, self._shipped(), {})
        with self._database.unit_of_work(read_only=True) as uow:
            row = repository.case_model(uow.session, version)
            data, mapping = row.model, row.mapping
        return InUse(version, subjects.read(data), mapping)

    def _vector(self, model: Classifier, text: str) -> Floats | None:
        if not model.embedder:
            return None
        try:
            embedder = self._embedder()
            if embedder.identity != model.embedder:
                return None
            vectors = embedder.embed_passages([text])
        except KnowledgeBaseError as error:
            log.warning("case text not embedded", kind=type(error).__name__)
            return None
        return vectors.reshape(-1)


def kind_of(label: str, mapping: Mapping[str, Mapping[str, Any]]) -> Kind | None:
    """Our kind of a model's label: the first that the mapping names, else the kind of that very name."""
    named = mapping.get("kinds", {}).get(label)
    first = named[0] if isinstance(named, list) else named
    return WORDS.get(first if first is not None else label)


def choose_kind(stated: Kind, proposal: Proposal | None) -> tuple[Kind, bool]:
    """The kind to open a case with, and whether a clerk has yet to decide it.

    What the citizen said in so many words (a complaint, a suggestion, a tip-off, danger) stays; only a tip-off found in
    a complaint makes it confidential. "help" is what every other request for a person comes with: there a sure proposal
    counts, and without one a clerk decides.
    """
    if stated in ("urgent", "report") or proposal is None:
        return stated, False
    if stated != "help":
        tip_off = stated == "complaint" and proposal.kind == "report" and proposal.sure_of_kind
        return ("report" if tip_off else stated), False
    if proposal.kind is not None and proposal.sure_of_kind:
        return proposal.kind, False
    return stated, True


def choose_department(uow: UnitOfWork, stated: str | None, proposal: Proposal | None) -> str:
    """A department that the city has: the stated one, else a surely proposed one, else 未分配."""
    if stated:
        return sla.find_department(uow, stated) or UNASSIGNED
    if proposal is not None and proposal.department is not None and proposal.sure_of_department:
        return sla.find_department(uow, proposal.department) or UNASSIGNED
    return UNASSIGNED
