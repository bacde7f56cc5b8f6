"""Knowledge on the wire and inside."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.core.wire import SmallId

Band = Literal["answer", "candidates", "none"]


class RowNote(BaseModel):
    """A row as the file counts it, with its sheet in a workbook; `column` is the one at fault where it is one."""

    row: int
    reason: str
    sheet: str | None = None
    column: str | None = None


class SheetNote(BaseModel):
    sheet: str
    reason: str


class ImportReport(BaseModel):
    """What became of each row of an imported file. `reported` rows were taken and deserve a look, `emptied` ones took
    away something that an entry had, `left_out` are sheets that were not read.
    """

    created: int
    updated: int
    unchanged: int
    rejected: list[RowNote]
    reported: list[RowNote]
    emptied: list[RowNote] = []
    left_out: list[SheetNote] = []
    version: int | None = None


class EntryView(BaseModel):
    id: str
    question: str
    similar_questions: list[str]
    answer: str
    department: str | None
    region: str | None
    valid_from: str | None
    valid_to: str | None
    source: str | None
    keywords: list[str]


class EntryDetail(EntryView):
    """`answer` is what the editor wrote, `answer_text` what a citizen reads of it; `content_hash` is also the ETag."""

    extra: dict[str, Any]
    answer_text: str
    content_hash: str
    updated_at: datetime
    updated_by: str


class EntryEdit(BaseModel):
    """An entry as an editor saves it; the rules are those of an import row."""

    model_config = ConfigDict(extra="forbid")

    question: str
    answer: str
    similar_questions: list[str] = []
    department: str | None = None
    region: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    source: str | None = None
    keywords: list[str] = []
    extra: dict[str, Any] = {}

    def values(self) -> dict[str, Any]:
        """As an import row."""
        return {**self.extra, **self.model_dump(exclude={"extra"})}


class NewEntry(EntryEdit):
    id: str | None = None


class DraftView(BaseModel):
    """What may become an entry; `case_no` is the case whose answer it is, `entry_id` the entry that it became."""

    id: int
    state: Literal["open", "accepted", "dropped"]
    question: str
    answer: str
    department: str | None
    case_no: str | None
    entry_id: str | None
    created_at: datetime
    created_by: str


class DraftPage(BaseModel):
    drafts: list[DraftView]
    total: int


class EntryPage(BaseModel):
    entries: list[EntryView]
    total: int


class HitView(BaseModel):
    """A hit with the reasons for its rank.

    `wording` came nearest (`similar` when it is a similar question), `matched` are the pieces of the question that
    stand in it; `parts` are the scores that were weighed; `band` is that of this hit alone.
    """

    id: str
    question: str
    department: str | None
    confidence: float
    band: Band
    wording: str
    similar: bool
    matched: list[str]
    parts: dict[str, float]
    dense: float
    dense_answer: float
    lexical: float


class SearchView(BaseModel):
    """`searched` is the question as the indexes saw it: cleaned, Simplified, a very long one cut in the middle."""

    version: int | None
    searched: str
    band: Band
    answers_pending: int
    hits: list[HitView]


class SnapshotView(BaseModel):
    version: int
    state: Literal["building", "ready", "failed", "retired"]
    active: bool
    entries: int
    model: str
    created_at: datetime
    created_by: str
    base_version: int | None
    delta: int
    answers_pending: int
    done: int
    total: int


class Published(BaseModel):
    """`kind` says whether a new base was built, a delta of the edits, or nothing because nothing was edited."""

    version: int
    entries: int
    kind: Literal["full", "delta", "unchanged"]
    changed: int
    removed: int
    answers_pending: int


class RollbackRequest(BaseModel):
    version: SmallId


class EntryFeedback(BaseModel):
    """What citizens said of an entry's answer; `share` is helpful of all."""

    id: str
    question: str
    department: str | None
    helpful: int
    not_helpful: int
    share: float


class FeedbackPage(BaseModel):
    entries: list[EntryFeedback]
    total: int


class FeedbackTotals(BaseModel):
    helpful: int
    not_helpful: int
