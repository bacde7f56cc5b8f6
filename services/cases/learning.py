"""Learning kinds and departments from a city's own labelled cases, and measuring a model on others.

A row of the file (JSONL, CSV, XLSX): {text, kind, domain | department}; other columns are ignored. The labels are the
city's own. A mapping (YAML) says what they are here:

    kinds: {咨询: consultation, 投诉/求助: [complaint, help, report], 建言: suggestion}
    departments: {城建: 市住房和城乡建设局}

Of several kinds the first is what a case is opened with; in measuring each of them is right. A label without a mapping
that is no name of ours stays as it is: the case shows it, and a clerk decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from sqlalchemy.exc import IntegrityError

from knowledge_base import Embedder, EmbeddingCache, ImportRejected
from knowledge_base.embedding.cache import embed_passages_cached
from knowledge_base.evaluate import wilson
from knowledge_base.tables import Columns, Limits, plain, read_file, read_table
from services.cases import repository, subjects
from services.cases.models import CaseModelRow
from services.cases.proposing import WORDS, InUse
from services.cases.subjects import DEPARTMENT, KIND
from services.core import audit, yaml_lines
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict
from services.understanding.classifier.model import Classifier, Floats

if TYPE_CHECKING:
    from services.understanding.classifier.fitting import Recipe

FEWEST_ROWS: Final = 40
FEWEST_PER_LABEL: Final = 5
MOST_ROWS: Final = 200_000
LONGEST_TEXT: Final = 20_000
REJECTED_SHOWN: Final = 50

COLUMNS = Columns(
    {"text": ("内容", "诉求内容"), "kind": ("类型", "事项类型"), "domain": ("领域",), "department": ("部门",)},
    required=("text",),
    keys=("text",),
)

Progress = Callable[[int, int], None]
Mapped = Mapping[str, Mapping[str, Any]]


class LabelledCase(BaseModel):
    """One row; `domain` and `department` are the same column under two names."""

    model_config = ConfigDict(extra="ignore")

    text: str
    kind: str | None = None
    domain: str | None = None
    department: str | None = None

    @field_validator("kind", "domain", "department")
    @classmethod
    def _filled(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @property
    def place(self) -> str | None:
        return self.department or self.domain


class Mappings(BaseModel):
    """The mapping file."""

    model_config = ConfigDict(extra="forbid")

    kinds: dict[str, str | list[str]] = {}
    departments: dict[str, str] = {}


@dataclass(frozen=True)
class Rejected:
    """A line of the file that cannot be used, and why."""

    row: int
    reason: str
    sheet: str | None = None


@dataclass
class LabelledRows:
    rows: list[LabelledCase] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def read_labelled(path: Path) -> LabelledRows:
    """The rows of a table; a bad one is reported with its line. Raises BadRequest when it cannot be read."""
    found = LabelledRows()
    try:
        for row in read_table(path.name, read_file(path), COLUMNS, limits=Limits(rows=MOST_ROWS)):
            reason = row.problem or _read_row(row.values, found.rows)
            if reason:
                found.rejected.append(Rejected(row.number, reason, row.sheet))
    except ImportRejected as error:
        raise BadRequest(str(error)) from None
    return found


def _read_row(values: Mapping[str, Any], rows: list[LabelledCase]) -> str | None:
    """Take a row in; why not, when it cannot be used."""
    try:
        row = LabelledCase.model_validate({name: plain(value) for name, value in values.items()})
    except ValidationError as error:
        return f"{COLUMNS.title(str(error.errors()[0]['loc'][0]))}缺失或不是文字"
    if not any(character.isalnum() for character in row.text):
        return "内容没有文字"
    if len(row.text) > LONGEST_TEXT:
        return f"内容超过 {LONGEST_TEXT} 字"
    if row.kind is None and row.place is None:
        return "既没有 kind（类型）也没有 domain（领域）或 department（部门）"
    rows.append(row)
    return None


def read_mapping(path: Path | None) -> dict[str, dict[str, Any]]:
    """The mapping of a YAML file, checked; raises BadRequest with one line."""
    if path is None:
        return {"kinds": {}, "departments": {}}
    try:
        read = Mappings.model_validate(yaml_lines.read(path).content or {})
    except (OSError, UnicodeDecodeError):
        raise BadRequest(f"无法读取映射文件 {path.name}") from None
    except yaml_lines.YamlMistake as mistake:
        raise BadRequest(f"映射文件 {path.name} 第 {mistake.line or 1} 行：{mistake.problem}") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadRequest(f"映射文件 {path.name} 的 {where} 不符合要求") from None
    for label, names in read.kinds.items():
        for name in [names] if isinstance(names, str) else names:
            if name not in WORDS:
                raise BadRequest(f"映射文件 {path.name}：{label} 对应的 {name} 不是事项类型")
    return read.model_dump()


def train(
    rows: Sequence[LabelledCase],
    embedder: Embedder | None,
    cache: EmbeddingCache | None,
    *,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> tuple[Classifier, dict[str, Any]]:
    """A model of the rows and its figures (`understanding.classifier.fitting.fit`). `embedder` None: n-grams alone.

    Raises BadRequest for too few rows, or when the kinds cannot be told apart.
    """
    # scikit-learn takes a second to import and only learning needs it.
    from services.understanding.classifier.fitting import Question, TooFewExamples, fit

    if len(rows) < FEWEST_ROWS:
        raise BadRequest(f"可用的行只有 {len(rows)} 条，至少需要 {FEWEST_ROWS} 条")
    vectors = _vectors([row.text for row in rows], embedder, cache, progress)
    questions = [Question(KIND, [row.kind for row in rows])]
    if any(row.place for row in rows):
        questions.append(Question(DEPARTMENT, [row.place for row in rows]))
    identity = embedder.identity if embedder is not None else ""
    try:
        texts = [row.text for row in rows]
        return fit(subjects.terms, texts, questions, vectors, recipe(), embedder=identity, say=say)
    except TooFewExamples as error:
        what = "kind" if str(error) == KIND else "domain 或 department"
        raise BadRequest(f"{what} 至少要有两种，每种不少于 {FEWEST_PER_LABEL} 条") from None


def recipe() -> Recipe:
    """How kinds and departments are learned: strengths and the embedding's share are chosen on the rows themselves."""
    from services.understanding.classifier.fitting import Recipe

    return Recipe(
        grams="margins",
        gram_strengths=(0.3, 1.0),
        vector_strengths=(0.002, 0.005, 0.01),
        shares=tuple(tenth / 10 for tenth in range(10)),
        fewest_per_label=FEWEST_PER_LABEL,
        most=100_000,
    )


def fit_shipped(
    embedder: Embedder, cache: EmbeddingCache | None, *, say: Callable[[str], None], progress: Progress | None = None
) -> Classifier:
    """The classifier that comes with the project, of its own examples, for this embedding model."""
    rows = [LabelledCase(text=one.text, kind=one.kind, department=one.department) for one in subjects.read_examples()]
    return train(rows, embedder, cache, say=say, progress=progress)[0]


def shipped_digest() -> str:
    """Digest of the project's own examples: a classifier that says another one is stale."""
    from services.understanding.classifier.fitting import Question, digest

    rows = subjects.read_examples()
    questions = [Question(KIND, [row.kind for row in rows]), Question(DEPARTMENT, [row.department for row in rows])]
    return digest([row.text for row in rows], questions)


def store(
    uow: UnitOfWork, model: Classifier, figures: dict[str, Any], mapping: Mapped, *, actor: str, now: datetime
) -> int:
    """Store the model as the newest version, which every process uses from its next case on; returns its number.

    Raises Conflict when somebody else stored one in this very moment.
    """
    version = (repository.newest_model_version(uow.session) or 0) + 1
    row = CaseModelRow(
        version=version,
        created_at=now,
        created_by=actor,
        figures=figures,
        mapping={name: dict(values) for name, values in mapping.items()},
        model=model.to_bytes(),
    )
    try:
        repository.add_case_model(uow.session, row)
    except IntegrityError:
        raise Conflict("另一个训练刚刚保存了模型，请再试一次") from None
    audit.record(uow, actor=actor, action="cases.train", subject=f"case_model:{version}", now=now)
    return version


def measure(
    using: InUse,
    rows: Sequence[LabelledCase],
    embedder: Embedder | None,
    cache: EmbeddingCache | None,
    *,
    mapping: Mapped,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """How often the model says of each row what the row says: {rows, kind_accuracy, domain_accuracy, each with _n and
    _ci (Wilson)}, and how that is for those that are sure (`kind_sure`: their share, `kind_sure_accuracy`).

    Rows without a label are left out of its share. A label is right when it is the row's, or means the same here.
    """
    use = embedder if embedder is not None and embedder.identity == using.model.embedder else None
    vectors = _vectors([row.text for row in rows], use, cache, progress)
    kinds: list[tuple[bool, bool]] = []
    places: list[tuple[bool, bool]] = []
    for position, row in enumerate(rows):
        found = using.propose(row.text, vectors[position] if vectors is not None else None)
        if row.kind is not None:
            right = found.kind_label == row.kind or (found.kind is not None and found.kind in _kinds(row.kind, mapping))
            kinds.append((right, found.sure_of_kind))
        if row.place is not None:
            wanted = (row.place, mapping.get("departments", {}).get(row.place))
            places.append((found.department in wanted, found.sure_of_department))
    return {"rows": len(rows), **_shares("kind", kinds), **_shares("domain", places)}


def _kinds(label: str, mapping: Mapped) -> list[Any]:
    """The kinds of ours that a label of the file stands for."""
    named = mapping.get("kinds", {}).get(label, label)
    return [WORDS.get(name) for name in (named if isinstance(named, list) else [named]) if name in WORDS]


def _shares(name: str, answers: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    right = sum(one for one, _ in answers)
    sure = [one for one, certain in answers if certain]
    return {
        f"{name}_accuracy": round(right / len(answers), 4) if answers else None,
        f"{name}_accuracy_n": len(answers),
        f"{name}_accuracy_ci": list(wilson(right, len(answers))) if answers else None,
        f"{name}_sure": round(len(sure) / len(answers), 4) if answers else None,
        f"{name}_sure_accuracy": round(sum(sure) / len(sure), 4) if sure else None,
    }


def _vectors(
    texts: Sequence[str], embedder: Embedder | None, cache: EmbeddingCache | None, progress: Progress | None
) -> Floats | None:
    return embed_passages_cached(embedder, texts, cache, progress) if embedder is not None else None
