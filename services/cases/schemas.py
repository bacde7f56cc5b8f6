"""The case desk on the wire (architecture, HTTP: CASE)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.cases.clockwork import Since
from services.knowledge.schemas import DraftView
from services.sla.clocks import State
from services.sla.policies import Kind, Priority, Target
from services.understanding.case_states import Status

TEXT_LIMIT = 5000


class ClockOut(BaseModel):
    """`remaining_minutes` is negative when overdue and empty once the clock has stopped; working minutes for working
    limits, else wall-clock minutes. Of a paused clock it is what was left at `paused_at`; its `due_at` moves on when it
    runs again. `extended` counts the extensions granted; `counted_from` is where the limit that is due first begins,
    and `counted_why` what was there. `department` had the case in hand when the target was met or missed."""

    target: Target
    cycle: int
    due_at: datetime
    warning_at: datetime
    state: State
    provisional: bool
    source: str
    policy: str
    remaining_minutes: int | None
    paused_at: datetime | None = None
    extended: int = 0
    counted_from: datetime
    counted_why: Since
    department: str | None = None


class ProposalOut(BaseModel):
    """`kind` is empty when the label is none of ours; `model` 0 is the one that comes with the project."""

    kind: Kind | None
    kind_label: str
    kind_confidence: float
    department: str | None
    department_confidence: float
    model: int


class NewsOut(BaseModel):
    """What the citizen wrote since the case was opened: `unread` of `upto` messages nobody who has the case has read,
    since `since` (empty: all were); the last came at `at` and says `words`, masked and short."""

    unread: int
    upto: int
    since: datetime | None
    at: datetime
    words: str | None


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
    confidential: bool = False
    # One of very many alarms from one address, and nobody has looked at it yet.
    doubtful: bool = False
    merged_into: str | None = None
    hold_until: datetime | None = None
    satisfaction: int | None = None
    # A clerk has yet to decide the kind; `proposal` is what the classifier took the case for.
    undecided: bool = False
    proposal: ProposalOut | None = None
    # In lists and on the page of a case, for those who may see it.
    news: NewsOut | None = None
    # Not on the wire: whose case it is, and whether `open_case` found it open already.
    conversation_id: str | None = Field(None, exclude=True)
    transcript_upto: int | None = Field(None, exclude=True)
    title_seq: int | None = Field(None, exclude=True)
    reused: bool = Field(False, exclude=True)


class EventOut(BaseModel):
    seq: int
    type: str
    name: str
    actor: str
    at: datetime
    text: str | None = None
    data: dict[str, Any] = {}


class ExtensionOut(BaseModel):
    """A request for more time that waits for a supervisor."""

    target: Target
    days: int
    reason: str
    asked_by: str
    asked_at: datetime


class HandOut(BaseModel):
    """A department that had the case in hand from `since` to `until` (empty: still), how many working minutes that
    were, and which targets were missed then."""

    department: str
    since: datetime
    until: datetime | None
    working_minutes: int | None
    missed: list[Target]


class PresentOut(BaseModel):
    name: str
    writing: bool


class AlarmOut(BaseModel):
    """Danger to life: raised, who on duty was `called` so far, when the next one is (empty: nobody more), and who has
    said 已收到. `department` is empty for a confidential case."""

    case_no: str
    department: str | None
    raised_at: datetime
    within_minutes: int
    next_step_at: datetime | None
    called: list[str]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    source: str


@dataclass(frozen=True)
class Watch:
    """Whether somebody on duty was called to the danger, and the department and post of who has said 已收到."""

    called: bool
    who: str | None = None


class CaseDetail(CaseOut):
    """`alarm` is that of the danger in it, `readers` are those who may know of a confidential case, `draft` is what was
    drafted from its answer, `present` who else looks at it just now."""

    events: list[EventOut]
    hands: list[HandOut]
    extension: ExtensionOut | None = None
    alarm: AlarmOut | None = None
    readers: list[str] = []
    draft: DraftView | None = None
    present: list[PresentOut] = []
    transcript: list[dict[str, Any]] = []
    identifiers: list[dict[str, Any]] = []


class CaseList(BaseModel):
    """One page; `total` fit, and in `unread` of those is something that a citizen wrote and nobody has read."""

    cases: list[CaseOut]
    total: int
    unread: int


class ReadIn(BaseModel):
    """`upto`: the number of the last words that were shown (`NewsOut.upto`)."""

    upto: int = Field(ge=0, le=2**31 - 1)


class TitleIn(BaseModel):
    title: str = Field(min_length=1, max_length=40)


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


class ExtendIn(BaseModel):
    days: int = Field(ge=1, le=366)
    reason: str = Field(min_length=1, max_length=1000)
    target: Target | None = None


class DecisionIn(BaseModel):
    approve: bool
    reason: str | None = Field(None, max_length=1000)


class AssignIn(BaseModel):
    assignee: str = Field(min_length=1, max_length=64)
    reason: str | None = Field(None, max_length=1000)


class MergeIn(BaseModel):
    into: str = Field(min_length=1, max_length=24)


class ClassifyIn(BaseModel):
    """What is given is changed."""

    kind: Kind | None = None
    department: str | None = Field(None, min_length=1, max_length=64)
    priority: Priority | None = None
    confidential: bool | None = None


class AccessIn(BaseModel):
    name: str = Field(min_length=1, max_length=64)
    allowed: bool = True


class PressIn(BaseModel):
    text: str | None = Field(None, max_length=1000)


class PresenceIn(BaseModel):
    writing: bool = False
    leaving: bool = False


class PresenceOut(BaseModel):
    others: list[PresentOut]


class RatingIn(BaseModel):
    score: int = Field(ge=1, le=5)
    comment: str | None = Field(None, max_length=1000)


class AbsenceIn(BaseModel):
    """Times without a zone are Asia/Shanghai."""

    name: str | None = Field(None, min_length=1, max_length=64)
    starts_at: str = Field(max_length=40)
    ends_at: str = Field(max_length=40)


class AbsenceOut(BaseModel):
    id: int
    name: str
    starts_at: datetime
    ends_at: datetime
    set_by: str


class AlertLevelIn(BaseModel):
    level: int = Field(ge=0, le=3)


class AlertLevelOut(BaseModel):
    level: int
    name: str
    set_by: str | None
    at: datetime | None


class SupervisionReportOut(BaseModel):
    slot_at: datetime
    level: int
    name: str
    figures: dict[str, Any]
