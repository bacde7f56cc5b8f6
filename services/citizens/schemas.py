"""citizens.yaml as it is written, the kinds of reminder, and what came of sending and checking a code."""

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ReminderKind = Literal[
    "inspection",
    "licence",
    "points",
    "violation",
    "plate",
    "appointment",
    "bill",
    "overdue",
    "outage",
    "progress",
]
REMINDER_KINDS: tuple[ReminderKind, ...] = get_args(ReminderKind)
REMINDER_TITLES: dict[ReminderKind, str] = {
    "inspection": "年检到期",
    "licence": "驾驶证换证",
    "points": "记分",
    "violation": "新违章",
    "plate": "号牌到期",
    "appointment": "预约",
    "bill": "新账单",
    "overdue": "欠费",
    "outage": "停水停电",
    "progress": "办件进度",
}

Purpose = Literal["bind", "appointment"]
Checked = Literal["right", "wrong", "expired", "spent"]
"""`spent`: too many tries; `expired` also stands for no code at all."""

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Written(BaseModel):
    """A part of the file: an unknown field is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class CodeRules(_Written):
    """One-time codes. Sends are counted per phone, per citizen and per address (which many citizens may share) in the
    last sixty minutes, over all replicas."""

    minutes: int = Field(5, ge=1, le=30)
    tries: int = Field(5, ge=1, le=10)
    per_phone_hour: int = Field(5, ge=1, le=60)
    per_citizen_hour: int = Field(8, ge=1, le=60)
    per_address_hour: int = Field(60, ge=1, le=10_000)
    again_seconds: int = Field(60, ge=0, le=600)
    trusted_days: int = Field(180, ge=0, le=3650)


class Quiet(_Written):
    """Nothing is sent from `start` until before `end` (Asia/Shanghai); equal times mean never quiet."""

    start: TimeOfDay = "21:00"
    end: TimeOfDay = "08:00"

    def holds(self, local: time) -> bool:
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        if start <= end:
            return start <= local < end
        return local >= start or local < end


class ReminderRules(_Written):
    """How often is looked, and how many days ahead a citizen hears of what ends. `points_from` of twelve."""

    quiet: Quiet = Field(default_factory=Quiet)
    scan_hours: int = Field(6, ge=1, le=168)
    inspection_days: int = Field(30, ge=1, le=180)
    licence_days: int = Field(90, ge=1, le=365)
    plate_days: int = Field(30, ge=1, le=180)
    points_from: int = Field(9, ge=1, le=12)


class BindingRules(_Written):
    """How many a citizen may bind, and after how many days without any use a binding is removed."""

    most: int = Field(20, ge=1, le=200)
    unused_days: int = Field(730, ge=30, le=3650)


class CitizensFile(_Written):
    codes: CodeRules = Field(default_factory=CodeRules)
    reminders: ReminderRules = Field(default_factory=ReminderRules)
    bindings: BindingRules = Field(default_factory=BindingRules)


@dataclass(frozen=True)
class SentCode:
    """A code is on its way to `masked`; it counts for `lasts`."""

    masked: str
    lasts: timedelta


@dataclass(frozen=True)
class VerifiedPhone:
    """A mobile number that this citizen has shown to have at hand."""

    number: str
    masked: str
