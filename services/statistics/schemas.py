"""Timeliness on the wire (architecture, HTTP: ROW)."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Minutes(BaseModel):
    """Percentiles in minutes: by the wall clock and in working time."""

    p50: float | None
    p90: float | None
    working_p50: float | None
    working_p90: float | None


class Days(BaseModel):
    p50: float | None
    p90: float | None


class Row(BaseModel):
    cases: int
    answered: int
    reply_time_unknown: int
    answer_rate: float | None
    on_time_rate: float | None
    on_time_rate_n: int
    first_response_minutes: Minutes
    resolution_minutes: Minutes
    open: int
    overdue: int
    backlog_age_days: Days
    reopened: int
    satisfaction: float | None
    satisfaction_n: int


class KeyedRow(Row):
    key: str


class Timeliness(BaseModel):
    """`open_cases` and the two after it are of any period: overdue by any limit, and by that of the first response
    without an answer yet."""

    model_config = ConfigDict(populate_by_name=True)

    start: datetime | None = Field(alias="from")
    end: datetime | None = Field(alias="to")
    now: datetime
    by: str | None
    overall: Row
    rows: list[KeyedRow]
    open_cases: int
    overdue_cases: int
    unanswered_overdue_cases: int


class Answers(BaseModel):
    """Answers and lists of candidates given, and what citizens said of answers: `helpful_rate` is helpful of all
    `rated`, `rated_rate` rated of all answers; None without any."""

    answers: int
    candidates: int
    rated: int
    helpful: int
    not_helpful: int
    helpful_rate: float | None
    rated_rate: float | None
