"""What places speak in."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class OpeningHours(BaseModel):
    """Open on these ISO weekdays (1 Monday .. 7 Sunday), times HH:MM; closing at 24:00 is the end of the day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: list[Annotated[int, Field(ge=1, le=7)]]
    opens: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    closes: str = Field(pattern=r"^([01]\d|2[0-4]):[0-5]\d$")


class PlaceRow(BaseModel):
    """A point of an import; `lat` and `lng` are degrees in the system that the import names."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    id: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=120)
    kind: str = Field(min_length=1, max_length=40)
    address: str = Field("", max_length=200)
    phone: str = Field("", max_length=40)
    lat: float = Field(ge=-90, le=90)
    lng: float = Field(ge=-180, le=180)
    hours: list[OpeningHours] = []
    words: list[str] = []


@dataclass(frozen=True)
class NearPoint:
    """A point and how far it is: `distance` in metres; `lat`, `lng` in degrees, GCJ-02."""

    name: str
    kind: str
    address: str
    phone: str
    lat: float
    lng: float
    distance: int
    hours: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """What an import did; `emptied` are the columns that lost their content, by the id of the point."""

    created: int
    updated: int
    removed: int
    emptied: dict[str, list[str]]


class RowProblem(NamedTuple):
    """A row of a file and what is to be said of it, in Chinese; `sheet` in a workbook."""

    number: int
    reason: str
    sheet: str | None


@dataclass
class PointsRead:
    """The points of a file with the row and sheet that each comes from, and what was refused, reported or left out."""

    rows: list[PlaceRow] = field(default_factory=list)
    origins: list[tuple[int, str | None]] = field(default_factory=list)
    rejected: list[RowProblem] = field(default_factory=list)
    reported: list[RowProblem] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
