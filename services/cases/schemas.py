"""The case desk on the wire (architecture, HTTP: CASE)."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.cases.states import Status
from services.sla.clocks import State
from services.sla.policies import Kind, Priority, Target

TEXT_LIMIT = 5000


class ClockOut(BaseModel):
    """`remaining_minutes` is negative when overdue and empty once the clock has stopped; working minutes for working
    limits, else wall-clock minutes."""

    target: Target
    cycle: int
    due_at: datetime
    warning_at: datetime
    state: State
    provisional: bool
    source: str
    policy: str
    remaining_minutes: int | None


class CaseOut(BaseModel):
    case_no: str
    kind: Kind
    department: str
    priority: Priority
    status: Status
    title: str
    channel: str
    assignee: str | None
    created_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None
    clocks: list[ClockOut]
    next_due_at: datetime | None
    overdue: bool
    reopened_count: int
    # Not on the wire: whose case it is, and whether `open_case` found it open already.
    conversation_id: str | None = Field(None, exclude=True)
    transcript_upto: int | None = Field(None, exclude=True)
    reused: bool = Field(False, exclude=True)


class EventOut(BaseModel):
    seq: int
    type: str
    name: str
    actor: str
    at: datetime
    text: str | None = None
    data: dict[str, Any] = {}


class CaseDetail(CaseOut):
    events: list[EventOut]
    transcript: list[dict[str, Any]] = []
    identifiers: list[dict[str, Any]] = []


class CaseList(BaseModel):
    cases: list[CaseOut]
    total: int


class ReplyIn(BaseModel):
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    resolve: bool = False


class NoteIn(BaseModel):
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)


class ReasonIn(BaseModel):
    reason: str = Field(min_length=1, max_length=1000)


class OptionalReasonIn(BaseModel):
    reason: str | None = Field(None, max_length=1000)


class TransferIn(BaseModel):
    department: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=1000)
