"""A city of one hall whose hours, places and calendar days a test changes at will."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from services.appointments.booking import Refused
from tests.integration.appointments.conftest import DEMO_CITY

USUAL = [("09:00", "12:00"), ("13:30", "17:00")]


def spans(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"start": start, "end": end} for start, end in pairs]


def city(
    folder: Path,
    hours: list[tuple[str, str]] | None = None,
    *,
    count: int = 1,
    per_hour: int = 4,
    days: dict[str, Any] | None = None,
    **windows: Any,
) -> Path:
    """A city directory: one service in one group of windows with these hours (None: the calendar's). `days` are those
    of the calendar: False is closed, True open, pairs are the day's own hours."""
    folder.mkdir(exist_ok=True)
    for name in ("departments", "policies"):
        shutil.copy(DEMO_CITY / f"{name}.yaml", folder)
    listed = [
        {
            "day": day,
            "working": bool(said),
            "source": "示范通知",
            **({"hours": spans(said)} if isinstance(said, list) else {}),
        }
        for day, said in (days or {}).items()
    ]
    calendar = {"source": "示范", "hours": spans(USUAL), "days": listed}
    (folder / "calendar.yaml").write_text(yaml.safe_dump(calendar, allow_unicode=True), encoding="utf-8")
    group = {"code": "a", "name": "1号窗口", "services": ["marriage"], "count": count, "per_hour": per_hour, **windows}
    hall: dict[str, Any] = {"code": "civil", "name": "婚姻登记处"}
    hall |= {key: group.pop(key) for key in ("closed_days", "extra_days") if key in group}
    if hours is not None:
        group["hours"] = spans(hours)
    rules = {
        "rules": {"earliest_days": 5, "latest_minutes": 0, "per_conversation": 50, "waiting_notice_minutes": 0},
        "services": [{"code": "marriage", "name": "结婚登记"}],
        "halls": [{**hall, "windows": [group]}],
    }
    (folder / "appointments.yaml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    return folder


def outcome(action: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The number of the appointment, or why it was refused."""
    try:
        made = action(*arguments, **named)
    except Refused as refused:
        return refused.reason
    return str(getattr(made, "no", ""))
