"""Messages on the wire, and the values that the rooms above pass around."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from services.bindings.service import Check, Draft, Intent
from services.cases.service import Proposal
from services.menus.service import Account, Command, Place, Reply
from services.sla.policies import Kind
from services.understanding.danger import Heard

Handler = Literal["bot", "human"]
Sender = Literal["citizen", "bot", "clerk", "system"]
# `feedback` is a citizen's rating of an answer: part of the record, no line of the talk.
MessageType = Literal["text", "answer", "candidates", "options", "result", "case", "emergency", "feedback", "file"]


class Option(BaseModel):
    title: str
    payload: str


class Source(BaseModel):
    department: str | None = None
    source: str | None = None
    date: str | None = None
    sample: bool = False


class MessageView(BaseModel):
    """One message as a page shows it; `id` increases within its conversation.

    `helpful` is what the citizen said of an answer, None before anything was said.
    """

    id: int
    sender: Sender
    type: MessageType
    text: str
    options: list[Option] | None = None
    source: Source | None = None
    case_no: str | None = None
    data: dict[str, Any] | None = None
    helpful: bool | None = None
    # Of a clerk's message: department and post at that time.
    spoken_by: str | None = None
    created_at: datetime
    client_message_id: str | None = None


class Location(BaseModel):
    lat: float = Field(ge=-90, le=90)
    lng: float = Field(ge=-180, le=180)
    coordinates: Literal["gcj02", "wgs84"] = "gcj02"


class InboundMessage(BaseModel):
    """Exactly one of text, location and choice."""

    text: str | None = None
    location: Location | None = None
    choice: str | None = Field(default=None, min_length=1, max_length=200)
    client_message_id: str = Field(min_length=1, max_length=64)

    @field_validator("text", "choice")
    @classmethod
    def _without_control_characters(cls, value: str | None) -> str | None:
        """Neither database takes NUL, and no page shows the others."""
        if value is None:
            return None
        return "".join(char for char in value if char in "\n\t" or char.isprintable() or ord(char) > 0x2000)

    @model_validator(mode="after")
    def _exactly_one(self) -> "InboundMessage":
        if sum(part is not None for part in (self.text, self.location, self.choice)) != 1:
            raise ValueError("text、location、choice 须且只须有一个")
        return self


class SendAnswer(BaseModel):
    messages: list[MessageView]
    route: str | None
    confidence: float | None = None
    case_no: str | None = None
    handler: Handler
    pending: bool = False


class OpenRequest(BaseModel):
    """`account` is the key of the platform's account that is talked to; without one it is the default account."""

    account: str | None = Field(default=None, min_length=1, max_length=32)


class NewConversation(BaseModel):
    conversation_id: str
    token: str
    messages: list[MessageView]


class MessagePage(BaseModel):
    """`clerk` is the department and post of whoever holds the conversation."""

    messages: list[MessageView]
    handler: Handler
    clerk: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """Something to say, before it has a place in the conversation."""

    text: str
    type: MessageType = "text"
    sender: Sender = "bot"
    options: tuple[Option, ...] = ()
    source: Source | None = None
    case_no: str | None = None
    data: dict[str, Any] | None = None
    spoken_by: str | None = None
    # Of an answer: its entry. Of an answer or candidates: entries to offer next when it did not help, best first.
    entry_id: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrival:
    """A stored inbound message. `fresh` is False for one that had arrived before, `done` means answered on arrival."""

    seq: int
    fresh: bool
    done: bool = False


@dataclass(frozen=True)
class Rating:
    """What a citizen says of the answer `seq`."""

    seq: int
    helpful: bool


@dataclass(frozen=True)
class RatedAnswer:
    """An answer that this message rates; `before` is an earlier rating, `others` the entries left to offer."""

    seq: int
    helpful: bool
    before: bool | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseAction:
    """What a citizen does with an own case; `text` is what is added, or the score of a rating."""

    what: Literal["list", "press", "withdraw", "add", "confirm", "reopen", "rate"]
    case_no: str
    text: str = ""


@dataclass(frozen=True)
class Shortcuts:
    """What is known for settling a message before the classifier (shortcuts.py).

    `listed` are the payloads of the candidates that were the last thing said, `others` the entries left to offer
    after them (or after the candidate that was tapped); `department` and `region` are the account's scope.
    """

    account: Account | None = None
    place: Place = ()
    command: Command | None = None
    keyword: Reply | None = None
    listed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    rating: RatedAnswer | None = None
    department: str | None = None
    region: str | None = None
    case: CaseAction | Outgoing | None = None
    """What a typed word about an own case comes to."""


@dataclass
class TurnContext:
    """What a turn needs to know, read in one short transaction."""

    conversation_id: str
    seq: int
    kind: Literal["text", "choice"]
    text: str
    entities: list[dict[str, Any]]
    urgent: bool
    handler: Handler
    misses: int
    requested_slot: str | None
    has_consent: bool
    deferred_seq: int | None
    deferred_payloads: list[dict[str, Any]] | None
    case_no: str | None
    shortcuts: Shortcuts = field(default_factory=Shortcuts)
    idle: int = 0
    """Seconds since the citizen's message before this one; 0 for the first."""
    topic: str | None = None
    """The entry that was answered last."""
    at: datetime = datetime.min
    """When the turn was taken."""
    talk: Draft | None = None
    """The open talk about a binding."""
    bound: list[dict[str, str]] = field(default_factory=list)
    """What the citizen has bound, slot by slot, numbers as placeholders."""
    shown: dict[str, str] = field(default_factory=dict)
    """How the placeholders of what is bound are shown."""
    heard: Heard | None = None
    """The embedding of the message as it was written, if it was made on arrival."""
    # For how many days the city keeps identifiers; 0 once the citizen has been told and has agreed.
    retention_days: int = 0


@dataclass(frozen=True)
class Talked:
    """A step of the talk about bindings and reminders, to be taken in the transaction that finishes the turn."""

    intent: Intent
    check: Check | None = None


@dataclass
class TurnOutcome:
    """What a turn decided; stored in one transaction by `service.finish_turn`."""

    replies: list[Outgoing] = field(default_factory=list)
    route: str | None = None
    confidence: float | None = None
    case_kind: Kind | None = None
    proposal: Proposal | None = None
    """What the classifier takes the case for that this turn opens."""
    misses: int = 0
    requested_slot: str | None = None
    text: str | None = None
    entities: list[dict[str, Any]] | None = None
    refuse_consent: bool = False
    deferred_seq: int | None = None
    deferred_payloads: list[dict[str, Any]] | None = None
    # The menu level that was shown ("" is the first); None leaves it where it was.
    menu_place: str | None = None
    rating: Rating | None = None
    topic: str | None = None
    case_action: CaseAction | None = None
    additions: list[str] = field(default_factory=list)
    """What goes into the open case, without identifiers in the clear."""
    talked: Talked | None = None
    closes_talk: bool = False
    """The talk about a binding is over: its phone was verified, and the dialogue went on."""
    after_case: list[Outgoing] = field(default_factory=list)
    """Said after the message about the case that this turn opens."""
