"""What supervisors and managers do beyond single cases: press, set an alert level, read its regular reports."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from services.accounts.schemas import StaffUser
from services.cases import alarms, repository, views
from services.cases.holding import locked, stripped
from services.cases.models import AlertLevel
from services.cases.reporting import report
from services.cases.schemas import AlertLevelOut, CaseOut, SupervisionReportOut
from services.core.audit import record
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.errors import BadRequest
from services.core.permissions import must
from services.notifications import service as notifications
from services.sla import service as sla

# How often reports come (危机三级响应): on level one twice a day, on two once, on three every other day.
DAYS_BETWEEN = {1: 1, 2: 1, 3: 2}
LEVEL_NAMES = {0: "未启动", 1: "一级（每日两报）", 2: "二级（每日一报）", 3: "三级（两日一报）"}
# Slots of one round: a worker that was away for long writes what it missed over several, the oldest first.
PER_ROUND = 30


def press(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime, text: str | None = None
) -> CaseOut:
    """A supervisor or manager presses (催办): whoever has the case in hand is told."""
    must(user, "cases.press")
    file = locked(uow, case_no, user)
    file.append("pressed", actor=user.name, now=now, text=stripped(text), secrets=secrets)
    alarms.inform(uow, file.row, "case_pressed", alarms.responsible(uow, file.row, now), now, by=user.name)
    return views.show(secrets, file, now)


def set_alert_level(uow: UnitOfWork, *, user: StaffUser, level: int, now: datetime) -> AlertLevelOut:
    """Put an alert level in force; its reports begin with the next slot. Raises BadRequest for an unknown level."""
    if level not in LEVEL_NAMES:
        raise BadRequest("预警级别为 0 至 3")
    row = AlertLevel(level=level, set_by=user.name, at=now)
    uow.session.add(row)
    record(uow, actor=user.name, action="alert_level.set", subject="alert_level", now=now, detail={"level": level})
    for recipient in notifications.everybody_who("hears.supervision"):
        notifications.tell_staff(
            uow,
            recipient=recipient,
            kind="alert_level",
            body={"level": level, "name": LEVEL_NAMES[level]},
            dedupe_key=f"alert-level:{now.isoformat()}:{recipient}",
            now=now,
        )
    return _shown(row)


def alert_level(uow: UnitOfWork) -> AlertLevelOut:
    rows = repository.alert_levels(uow.session, 1)
    return _shown(rows[0]) if rows else AlertLevelOut(level=0, name=LEVEL_NAMES[0], set_by=None, at=None)


def reports(uow: UnitOfWork, *, limit: int = 20) -> list[SupervisionReportOut]:
    """The newest reports, the newest first."""
    return [
        SupervisionReportOut(slot_at=row.slot_at, level=row.level, name=LEVEL_NAMES[row.level], figures=row.figures)
        for row in repository.supervision_reports(uow.session, limit)
    ]


def slots(level: int, since: datetime, until: datetime, minutes: Sequence[int]) -> Iterator[datetime]:
    """The moments after `since` and not after `until` at which a level's reports are due, in order.

    `minutes` are those of the day (Asia/Shanghai): level one takes them all, the others the first.
    """
    step = DAYS_BETWEEN.get(level)
    if step is None:
        return
    day: date = since.astimezone(SHANGHAI).date()
    times = minutes if level == 1 else minutes[:1]
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        if midnight > until:
            return
        for minute in times:
            moment = midnight + timedelta(minutes=minute)
            if since < moment <= until:
                yield moment
        day += timedelta(days=step)


def write_due_reports(database: Database, now: datetime) -> int:
    """Write the reports whose slot has come, in order, each once however many workers try; returns how many."""
    with database.unit_of_work(read_only=True) as uow:
        minutes = sla.desk_rules(uow).report_minutes
        levels = list(reversed(repository.alert_levels(uow.session, 50)))
        newest = repository.supervision_reports(uow.session, 1)
    # Each level is in force until the next one is set, the last until now.
    ends = [*(row.at for row in levels[1:]), now] if levels else []
    due = [
        (row.level, moment)
        for row, end in zip(levels, ends, strict=True)
        for moment in slots(row.level, row.at, min(end, now), minutes)
        if not newest or moment > newest[0].slot_at
    ]
    return sum(_write(database, level, moment, now) for level, moment in due[:PER_ROUND])


def _write(database: Database, level: int, slot: datetime, now: datetime) -> bool:
    with database.unit_of_work() as uow:
        start = slot - timedelta(days=DAYS_BETWEEN[level])
        # Without a reader: many read it, so nothing confidential is in it.
        figures = report(uow, start=start, end=slot, now=slot)
        kept = {name: figures[name] for name in ("overall", "open_cases", "overdue_cases")}
        values = {"slot_at": slot, "level": level, "figures": kept, "written_at": now}
        if not repository.insert_report(uow.session, values):
            return False
        for recipient in notifications.everybody_who("hears.supervision"):
            notifications.tell_staff(
                uow,
                recipient=recipient,
                kind="supervision_report",
                body={
                    "slot_at": slot.isoformat(),
                    "level": level,
                    "open_cases": figures["open_cases"],
                    "overdue_cases": figures["overdue_cases"],
                },
                dedupe_key=f"supervision-report:{slot.isoformat()}:{recipient}",
                now=now,
            )
        uow.commit()
    return True


def _shown(row: AlertLevel) -> AlertLevelOut:
    return AlertLevelOut(level=row.level, name=LEVEL_NAMES[row.level], set_by=row.set_by, at=row.at)
