"""SQL of the report: counts are aggregated by the database, and a percentile reads four rows per group."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from services.cases.models import Case, CaseClock
from services.cases.overdue import open_at, overdue_at, unanswered_at

By = Literal["department", "month"]
Key = str | None
# What besides the period narrows the cases that a report is about.
Scope = Sequence[sa.ColumnElement[bool]]


def decided(
    session: Session, *, start: datetime | None, end: datetime | None, now: datetime, by: By | None, scope: Scope = ()
) -> dict[Key, dict[str, Any]]:
    """Per group how many first responses are decided as of `now`, and how many of them were in time.

    By department they belong to the one in whose hands it was decided: by an answer in time, or by the limit that was
    missed, whoever has the case now.
    """
    first = aliased(CaseClock)
    answered = _answered(now)
    key = sa.func.coalesce(first.department, Case.department) if by == "department" else _key(by)
    query = (
        sa.select(
            key.label("key"),
            _count(sa.and_(answered, Case.first_response_at <= first.due_at)).label("in_time"),
            # A reply without a known time cannot be shown to have been in time.
            _count(
                sa.and_(first.id.is_not(None), sa.or_(answered, _late(first, now), Case.reply_time_unknown.is_(True)))
            ).label("decided"),
        )
        .select_from(Case)
        .outerjoin(first, _decides(first))
        .where(*_period(start, end, now), *scope)
        .group_by(*([sa.text("key")] if by else []))
    )
    return {row["key"]: dict(row) for row in session.execute(query).mappings()}


def _answered(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Case.first_response_at.is_not(None), Case.first_response_at <= now)


def _decides(first: type[CaseClock]) -> sa.ColumnElement[bool]:
    """The clock of a case's first response that decides about it."""
    return sa.and_(first.case_id == Case.id, first.target == "first_response", first.cycle == Case.deciding_cycle)


def _late(first: type[CaseClock], now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        sa.not_(_answered(now)),
        Case.reply_time_unknown.is_(False),
        first.due_at < now,
        first.state.not_in(("cancelled", "paused")),
    )


def counts(
    session: Session, *, start: datetime | None, end: datetime | None, now: datetime, by: By | None, scope: Scope = ()
) -> dict[Key, dict[str, Any]]:
    """Per group (the only one is None without `by`) the counts as of `now` of the cases created in [start, end)."""
    query = (
        sa.select(
            _key(by).label("key"),
            sa.func.count().label("cases"),
            _count(_answered(now)).label("answered"),
            _count(Case.reply_time_unknown.is_(True)).label("reply_time_unknown"),
            _count(open_at(now)).label("open"),
            _count(overdue_at(now)).label("overdue"),
            _count(Case.reopened_count > 0).label("reopened"),
            sa.func.avg(Case.satisfaction).label("satisfaction"),
            sa.func.count(Case.satisfaction).label("satisfaction_n"),
        )
        .select_from(Case)
        .where(*_period(start, end, now), *scope)
        .group_by(*([_key(by)] if by else []))
    )
    return {row["key"]: dict(row) for row in session.execute(query).mappings()}


def percentiles(
    session: Session,
    column: InstrumentedAttribute[float | None],
    moment: InstrumentedAttribute[datetime | None],
    *,
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    by: By | None,
    scope: Scope = (),
) -> dict[Key, dict[int, float]]:
    """The 50th and 90th percentile (linear interpolation) of a column of minutes, where `moment` is not after `now`."""
    conditions = [*_period(start, end, now), *scope, column.is_not(None), moment <= now]
    return _ranked(session, column, column.asc(), conditions, by)


def backlog_created(
    session: Session, *, start: datetime | None, end: datetime | None, now: datetime, by: By | None, scope: Scope = ()
) -> dict[Key, dict[int, float]]:
    """Percentiles of the age in minutes of the cases that are open at `now`."""
    conditions = [*_period(start, end, now), *scope, open_at(now)]
    # The youngest first: the order of ages.
    found = _ranked_values(session, Case.created_at, Case.created_at.desc(), conditions, by)
    return {
        key: _interpolated({rank: (now - created).total_seconds() / 60 for rank, created in ranks.items()}, total)
        for key, (ranks, total) in found.items()
    }


def backlog(session: Session, now: datetime, scope: Scope = ()) -> dict[str, int]:
    """How many cases of any period are open, how many of them overdue, and how many overdue and still unanswered."""
    counted = {
        "open_cases": open_at(now),
        "overdue_cases": overdue_at(now),
        "unanswered_overdue_cases": unanswered_at(now),
    }
    row = session.execute(
        sa.select(*(_count(condition).label(name) for name, condition in counted.items())).where(
            Case.created_at <= now, *scope
        )
    ).one()
    return {name: int(value) for name, value in row._mapping.items()}


def counted() -> sa.ColumnElement[bool]:
    """A duplicate that was merged is no case of its own, unless it was answered or its limit missed before that."""
    missed = sa.exists().where(CaseClock.case_id == Case.id, CaseClock.state == "breached")
    return sa.or_(Case.status != "merged", Case.first_response_at.is_not(None), missed)


def _key(by: By | None) -> sa.ColumnElement[Any]:
    match by:
        case "department":
            return Case.__table__.c.department
        case "month":
            return Case.__table__.c.created_month
        case None:
            return sa.null()


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _period(start: datetime | None, end: datetime | None, now: datetime) -> list[sa.ColumnElement[bool]]:
    conditions = [Case.created_at <= now]
    if start is not None:
        conditions.append(Case.created_at >= start)
    if end is not None:
        conditions.append(Case.created_at < end)
    return conditions


def _ranked(
    session: Session,
    column: InstrumentedAttribute[float | None],
    order: sa.UnaryExpression[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    by: By | None,
) -> dict[Key, dict[int, float]]:
    found = _ranked_values(session, column, order, conditions, by)
    return {key: _interpolated(ranks, total) for key, (ranks, total) in found.items()}


def _ranked_values(
    session: Session,
    column: InstrumentedAttribute[Any],
    order: sa.UnaryExpression[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    by: By | None,
) -> dict[Key, tuple[dict[int, Any], int]]:
    """Per group the values at the (0-based) ranks that the two percentiles lie between, and the group's size."""
    partition = _key(by) if by else None
    ranked = (
        sa.select(
            _key(by).label("key"),
            column.label("value"),
            (sa.func.row_number().over(order_by=order, partition_by=partition) - 1).label("rank"),
            sa.func.count().over(partition_by=partition).label("total"),
        )
        .where(*conditions)
        .subquery()
    )
    steps = ranked.c.total - 1
    wanted = [sa.or_(ranked.c.rank == floor, ranked.c.rank == floor + 1) for floor in (steps // 2, steps * 9 // 10)]
    result: dict[Key, tuple[dict[int, Any], int]] = defaultdict(lambda: ({}, 0))
    for key, value, rank, total in session.execute(sa.select(ranked).where(sa.or_(*wanted))):
        result[key][0][int(rank)] = value
        result[key] = (result[key][0], int(total))
    return dict(result)


def _interpolated(ranks: dict[int, float], total: int) -> dict[int, float]:
    result: dict[int, float] = {}
    for percent in (50, 90):
        floor, remainder = divmod((total - 1) * percent, 100)
        low = ranks[floor]
        result[percent] = low + (ranks.get(floor + 1, low) - low) * remainder / 100
    return result
