"""What lookups speak in: the result a caller gets and the shape each kind of answer is brought to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.core.clock import parse_moment
from services.core.wire import whole
from services.places.schemas import OpeningHours

State = Literal["done", "stale", "pending", "failed", "not_found", "mismatch"]

Resolve = Callable[[str, str], str | None]
"""`(conversation_id, placeholder) -> value | None`; called in a worker thread."""

OriginOf = Callable[[str], str]
"""`(conversation_id) -> origin`: where its citizen writes from, as a keyed hash; empty when nobody knows."""

CaseProgress = Callable[[str, str, str | None], dict[str, Any] | None]
"""`(case_no, conversation_id, phone_tail) -> case | None`; a case of another conversation only with the last four
digits of a number that its citizen left there; called in a worker thread."""


@dataclass(frozen=True)
class LookupResult:
    """`text` for the citizen, identifiers masked; `data` the same facts as JSON-ready values.

    `data["reason"]` says why a lookup failed: unknown_placeholder, invalid, incomplete (`data["slots"]` are missing),
    limited, system_down, system_busy, no_connector. `data["watch"]` is a kind whose return the citizen may ask to be
    told of. A `stale` result is the last known one, of `data["as_of"]`.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    state: State = "done"


@dataclass(frozen=True)
class Detail:
    """What a result says about one thing, and the place in its list (from 0) that was spoken of."""

    text: str
    at: int = 0


def _moment(value: object) -> object:
    return parse_moment(value) if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""An ISO 8601 moment; one without a zone is Asia/Shanghai."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Violation(_Answer):
    at: Moment
    place: str
    behaviour: str
    points: int = Field(ge=0, le=12)
    fine: Decimal = Field(ge=0, description="yuan")
    handled: bool


class ViolationAnswer(_Answer):
    violations: list[Violation]


def _month(value: object) -> object:
    if isinstance(value, str) and len(value) == 6 and whole(value) is not None:
        return f"{value[:4]}-{value[4:]}"
    return value


class BillPeriod(_Answer):
    """`period` is YYYY-MM; YYYYMM is taken too."""

    period: Annotated[str, BeforeValidator(_month), Field(pattern=r"^\d{4}-\d{2}$")]
    usage: Decimal | None = None
    unit: str = ""
    amount: Decimal = Field(description="yuan")
    paid: bool
    due: date | None = None
    tier: int | None = None


class BillAnswer(_Answer):
    balance: Decimal = Field(Decimal(0), description="prepaid balance in yuan")
    periods: list[BillPeriod]


class Stage(_Answer):
    name: str
    at: Moment | None = None


class ProgressAnswer(_Answer):
    title: str
    department: str
    status: str
    stages: list[Stage]


class ServicePoint(_Answer):
    name: str
    kind: str
    address: str
    phone: str = ""
    lat: float
    lng: float
    distance: int = Field(ge=0, description="metres")
    hours: list[OpeningHours] = []


class NearbyAnswer(_Answer):
    points: list[ServicePoint]


class Outage(_Answer):
    """A planned interruption of water, electricity, gas or heating."""

    what: str
    area: str
    starts: Moment
    ends: Moment
    reason: str = ""


class OutageAnswer(_Answer):
    outages: list[Outage]


class Fact(_Answer):
    name: str = Field(min_length=1, max_length=40)
    value: str | int | Decimal


class FactsAnswer(_Answer):
    """The answer of every other kind of lookup: what the citizen reads, line by line."""

    facts: list[Fact]


ANSWERS: dict[str, type[_Answer]] = {
    "violation": ViolationAnswer,
    "bill": BillAnswer,
    "progress": ProgressAnswer,
    "nearby": NearbyAnswer,
    "outage": OutageAnswer,
}
"""The answers of the kinds that have a shape of their own."""


def answer_model(kind: str) -> type[_Answer]:
    """The shape that a connector's `result` has for this kind."""
    return ANSWERS.get(kind, FactsAnswer)
