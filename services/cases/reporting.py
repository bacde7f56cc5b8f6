"""The report on timeliness: for the command line and, through services/statistics, for the manager's page."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from services.accounts.schemas import StaffUser
from services.cases import report_repository as figures
from services.cases import sight
from services.cases.models import Case
from services.cases.report_repository import By, Key
from services.core.clock import SHANGHAI, parse_moment
from services.core.database import UnitOfWork
from services.core.errors import BadRequest

MINUTES_OF_DAY = 24 * 60


def period(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """The half-open period of two written dates or moments (Asia/Shanghai without a zone); an end date is included.

    Raises BadRequest for text that is no ISO 8601 date or moment, and when the period is empty.
    """
    try:
        begin = parse_moment(start) if start else None
        until = parse_moment(end) if end else None
    except ValueError:
        raise BadRequest("日期应写作 2026-09-30 或 2026-09-30T16:30") from None
    if end and until is not None and _is_date(end):
        until += timedelta(days=1)
    if begin is not None and until is not None and begin >= until:
        raise BadRequest("起始日期应早于截止日期")
    return begin, until


def report(
    uow: UnitOfWork,
    *,
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    by: By | None = None,
    reader: StaffUser | None = None,
) -> dict[str, Any]:
    """Figures of the cases created in [start, end), as they stood at `now`: `overall` and, with `by`, `rows`.

    answered: a first response with a known time. on_time_rate: first responses in time / (answered + unanswered and
    overdue at `now`; DESIGN, Time limits); a reply whose time was not recorded (`reply_time_unknown`) counts there as
    not in time. A case without a limit is in neither. Times are minutes from opening, by the wall clock (p50, p90) and
    in working time (working_p50, working_p90); percentiles are interpolated. backlog_age_days counts calendar days.
    A rate or percentile of nothing is null. A missed limit counts where it happened: for the department that had the
    case in hand then, whoever has it now. Of a reopened case the first round decides that saw an answer or a missed
    limit. A merged duplicate counts only when it was answered, or its limit missed, before. Confidential cases that
    `reader` may not know of are in no figure; without a reader (the command line, a report that many read) none is, so
    that nobody learns by comparing two figures how many there are.
    """
    # Statistics are for all departments: only confidentiality narrows them.
    seen = sight.sight_of(uow, reader).everywhere() if reader is not None else sight.NOBODY
    within = [figures.counted(), seen.condition()]
    overall = _rows(uow, start, end, now, None, within).get(None) or _row({}, {}, None)
    keyed = _rows(uow, start, end, now, by, within) if by else {}
    rows = [{"key": key, **row} for key, row in sorted(keyed.items(), key=lambda item: item[0] or "")]
    return {
        "from": _shanghai(start),
        "to": _shanghai(end),
        "now": _shanghai(now),
        "by": by,
        "overall": overall,
        "rows": rows,
        **figures.backlog(uow.session, now, within),
    }


def _rows(
    uow: UnitOfWork,
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    by: By | None,
    scope: figures.Scope,
) -> dict[Key, dict[str, Any]]:
    session = uow.session
    measured = {
        name: figures.percentiles(session, column, moment, start=start, end=end, now=now, by=by, scope=scope)
        for name, column, moment in (
            ("first_response", Case.first_response_minutes, Case.first_response_at),
            ("first_response_working", Case.first_response_working_minutes, Case.first_response_at),
            ("resolution", Case.resolution_minutes, Case.resolved_at),
            ("resolution_working", Case.resolution_working_minutes, Case.resolved_at),
        )
    }
    measured["backlog"] = figures.backlog_created(session, start=start, end=end, now=now, by=by, scope=scope)
    counts = figures.counts(session, start=start, end=end, now=now, by=by, scope=scope)
    decided = figures.decided(session, start=start, end=end, now=now, by=by, scope=scope)
    # A department that has no case of its own any more may have missed one while it had it.
    keys = [*counts, *(key for key, row in decided.items() if key not in counts and row["decided"])]
    return {key: _row({**counts.get(key, {}), **decided.get(key, {})}, measured, key) for key in keys}


def _row(
    count: Mapping[str, Any], measured: Mapping[str, Mapping[Key, Mapping[int, float]]], key: Key
) -> dict[str, Any]:
    def number(name: str) -> int:
        return int(count.get(name) or 0)

    def percentile(name: str, percent: int, divisor: float = 1) -> float | None:
        values = measured.get(name, {}).get(key)
        return round(values[percent] / divisor, 2) if values else None

    def minutes(name: str) -> dict[str, float | None]:
        return {
            "p50": percentile(name, 50),
            "p90": percentile(name, 90),
            "working_p50": percentile(f"{name}_working", 50),
            "working_p90": percentile(f"{name}_working", 90),
        }

    average = count.get("satisfaction")
    return {
        "cases": number("cases"),
        "answered": number("answered"),
        "reply_time_unknown": number("reply_time_unknown"),
        "answer_rate": _share(number("answered"), number("cases")),
        "on_time_rate": _share(number("in_time"), number("decided")),
        "on_time_rate_n": number("decided"),
        "first_response_minutes": minutes("first_response"),
        "resolution_minutes": minutes("resolution"),
        "open": number("open"),
        "overdue": number("overdue"),
        "backlog_age_days": {
            "p50": percentile("backlog", 50, MINUTES_OF_DAY),
            "p90": percentile("backlog", 90, MINUTES_OF_DAY),
        },
        "reopened": number("reopened"),
        "satisfaction": round(float(average), 2) if average is not None else None,
        "satisfaction_n": number("satisfaction_n"),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shanghai(moment: datetime | None) -> str | None:
    return moment.astimezone(SHANGHAI).isoformat() if moment is not None else None
