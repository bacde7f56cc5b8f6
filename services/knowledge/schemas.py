"""Knowledge on the wire and inside."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class RowNote(BaseModel):
    row: int
    reason: str


class ImportReport(BaseModel):
    """What became of each row of an imported file; `reported` rows were taken and deserve a look."""

    created: int
    updated: int
    unchanged: int
    rejected: list[RowNote]
    reported: list[RowNote]
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


class EntryPage(BaseModel):
    entries: list[EntryView]
    total: int


class HitView(BaseModel):
    """A hit with the reasons for its rank."""

    id: str
    question: str
    department: str | None
    confidence: float
    wording: str
    dense: float
    dense_answer: float
    lexical: float


class SearchView(BaseModel):
    version: int | None
    band: Literal["answer", "candidates", "none"]
    hits: list[HitView]


class SnapshotView(BaseModel):
    version: int
    state: Literal["building", "ready", "failed"]
    active: bool
    entries: int
    model: str
    created_at: datetime
    created_by: str


class Published(BaseModel):
    version: int
    entries: int


class RollbackRequest(BaseModel):
    version: int
