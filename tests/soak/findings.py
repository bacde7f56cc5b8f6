"""What must be true once everything has come to rest, read from the database alone."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.cases.models import Case, CaseAlert, CaseClock, CaseEvent, SupervisionReport
from services.cases.supervision import slots
from services.conversations.models import Message
from services.core.database import Database, UnitOfWork
from services.notifications.models import OutboxRow, StaffNotice
from services.notifications.schemas import STAFF_KINDS
from services.sla import service as sla
from services.sla.clocks import LEVELS, Level
from tests.soak.town import DEALT, Town

EVENT_OF: dict[Level, str] = {"warning": "warned", "breach": "breached", "escalation": "escalated"}
READER_OF: dict[Level, str] = {"breach": "role:supervisor", "escalation": "role:manager"}


@dataclass
class Findings:
    """Counts of one part, and the mistakes found: each is one line, and there may be none."""

    part: str
    seconds: float = 0.0
    cases: int = 0
    acts: int = 0
    faults: int = 0
    due: int = 0
    raised: int = 0
    delivered: int = 0
    taken_again: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def mistakes(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.wrong]

    def row(self) -> str:
        counts = (self.cases, self.acts, self.faults, self.due, self.raised, self.delivered, self.taken_again)
        ends = (len(self.lost), len(self.doubled), len(self.wrong))
        return f"{self.part:<10}{self.seconds:>8.0f}" + "".join(f"{count:>12}" for count in (*counts, *ends))

    @staticmethod
    def head() -> str:
        names = ("cases", "acts", "faults", "due", "raised", "delivered", "taken again", "lost", "doubled", "wrong")
        return f"{'part':<10}{'seconds':>8}" + "".join(f"{name:>12}" for name in names)


def waiting_work(database: Database, now: datetime, *, dealing: bool = True) -> int:
    """How much is left for the workers at `now`; without `dealing`, beside the queues."""
    with database.unit_of_work(read_only=True) as uow:
        counts = [
            sa.select(sa.func.count()).where(CaseClock.next_check_at < now),
            sa.select(sa.func.count()).where(OutboxRow.done_at.is_(None)),
            sa.select(sa.func.count()).where(Case.status == "waiting", Case.hold_until < now),
        ]
        if dealing:
            counts.append(sa.select(sa.func.count()).where(_undealt()))
        return sum(uow.session.scalar(count) or 0 for count in counts)


def look(town: Town, findings: Findings, *, straight: bool = True) -> Findings:
    """Fill in the findings. `straight` says that the clock never went back."""
    with town.database.unit_of_work(read_only=True) as uow:
        session = uow.session
        findings.cases = session.scalar(sa.select(sa.func.count()).select_from(Case)) or 0
        findings.acts = town.acts
        _levels(session, findings, town.clock.highest, straight=straight)
        _told_once(session, findings)
        _outbox(session, findings)
        _waits_and_queues(session, findings)
    with town.database.unit_of_work(read_only=True) as uow:
        written, expected = _written(uow.session), _expected(town, uow)
        findings.lost += [f"report of {slot.isoformat()} was never written" for slot in expected if slot not in written]
        unasked = [slot for slot in written if slot not in expected]
        findings.doubled += [f"report of {slot.isoformat()} was not asked for" for slot in unasked]
    return findings


def missing_reports(town: Town) -> int:
    """How many reports of the alert level are yet to be written."""
    with town.database.unit_of_work(read_only=True) as uow:
        return len(set(_expected(town, uow)) - set(_written(uow.session)))


def _expected(town: Town, uow: UnitOfWork) -> list[datetime]:
    if town.alert_from is None or town.alert_to is None:
        return []
    return list(slots(1, town.alert_from, town.alert_to, sla.desk_rules(uow).report_minutes))


def _written(session: Session) -> list[datetime]:
    return list(session.scalars(sa.select(SupervisionReport.slot_at).order_by(SupervisionReport.id)))


def _levels(session: Session, findings: Findings, now: datetime, *, straight: bool) -> None:
    """Each level whose moment came while its clock ran was raised, and none before its moment or after its stop."""
    acted = set(session.execute(sa.select(CaseEvent.case_id, CaseEvent.at).where(CaseEvent.actor != "system")).tuples())
    raised: dict[int, dict[str, CaseAlert]] = {}
    for alert in session.scalars(sa.select(CaseAlert)):
        raised.setdefault(alert.clock_id, {})[alert.level] = alert
        findings.raised += 1
    for clock in session.scalars(sa.select(CaseClock)):
        moments: dict[Level, datetime] = {
            "warning": clock.warning_at,
            "breach": clock.due_at,
            "escalation": clock.escalate_at,
        }
        if clock.state == "paused":
            findings.wrong.append(f"clock {clock.id}: still paused")
        for level in LEVELS:
            due = moments[level] < (clock.stopped_at or now)
            if level == "warning" and (clock.stopped_at is not None or _by_hand(raised.get(clock.id, {}), acted)):
                # Overtaken by the answer, or by a breach that somebody's own act brought to light.
                due = False
            findings.due += due
            alert = raised.get(clock.id, {}).get(level)
            if alert is None:
                if due:
                    findings.lost.append(f"clock {clock.id} ({clock.state}): {level} was never raised")
                continue
            if alert.raised_at <= alert.planned_at:
                findings.wrong.append(f"clock {clock.id}: {level} was raised before its moment")
            if straight and clock.stopped_at is not None and alert.raised_at > clock.stopped_at:
                findings.wrong.append(f"clock {clock.id}: {level} was raised after the clock had stopped")


def _by_hand(levels: dict[str, CaseAlert], acted: set[tuple[int, datetime]]) -> bool:
    breach = levels.get("breach")
    return breach is not None and (breach.case_id, breach.raised_at) in acted


def _told_once(session: Session, findings: Findings) -> None:
    """One event and one notice for each level that was raised."""
    target_of = {clock_id: target for clock_id, target in session.execute(sa.select(CaseClock.id, CaseClock.target))}
    number_of = {case_id: number for case_id, number in session.execute(sa.select(Case.id, Case.case_no))}
    raised: Counter[tuple[str, str, str]] = Counter()
    for alert in session.scalars(sa.select(CaseAlert)):
        raised[number_of[alert.case_id], target_of[alert.clock_id], alert.level] += 1
    events: Counter[tuple[str, str, str]] = Counter()
    level_of = {event: level for level, event in EVENT_OF.items()}
    for event in session.scalars(sa.select(CaseEvent).where(CaseEvent.type.in_(list(level_of)))):
        events[number_of[event.case_id], event.data["target"], level_of[event.type]] += 1
    notices: Counter[tuple[str, str, str]] = Counter()
    for notice in session.scalars(
        sa.select(StaffNotice).where(StaffNotice.kind.in_(("case_breach", "case_escalation")))
    ):
        level = notice.kind.removeprefix("case_")
        if notice.recipient == READER_OF[level]:  # type: ignore[index]
            notices[notice.body["case_no"], notice.body["target"], level] += 1
    for name, told, wanted in (
        ("events", events, raised),
        ("notices", notices, Counter({key: count for key, count in raised.items() if key[2] != "warning"})),
    ):
        findings.lost += [f"{key}: {name} missing" for key in (wanted - told)]
        findings.doubled += [f"{key}: more {name} than levels" for key in (told - wanted)]
    for case_id, seq, count in session.execute(
        sa.select(CaseEvent.case_id, sa.func.max(CaseEvent.seq), sa.func.count()).group_by(CaseEvent.case_id)
    ):
        if seq != count:
            findings.lost.append(f"case {case_id}: {count} events, the last is number {seq}")


def _outbox(session: Session, findings: Findings) -> None:
    """Everything that goes through systems of others was sent, however often it was tried."""
    rows = session.execute(sa.select(OutboxRow.id, OutboxRow.dead, OutboxRow.done_at, OutboxRow.attempts))
    for row_id, dead, done_at, attempts in rows:
        findings.taken_again += attempts > 1
        if dead or done_at is None:
            findings.lost.append(f"outbox row {row_id}: {'given up' if dead else 'never sent'}")
    findings.delivered = session.scalar(sa.select(sa.func.count()).select_from(StaffNotice)) or 0


def not_taken(database: Database, contents: list[str]) -> list[str]:
    """What went to the group by the outbox and is not among what the platform took; it may have been taken twice when a
    worker was killed in between."""
    with database.unit_of_work(read_only=True) as uow:
        rows = list(uow.session.execute(sa.select(OutboxRow.kind, OutboxRow.body)).tuples())
    taken = Counter(content.splitlines()[0] + content.splitlines()[1] for content in contents)
    sent = Counter(f"{STAFF_KINDS[kind]}工单：{body['case_no']}" for kind, body in rows)
    return [f"{what}: sent {count} times more than taken" for what, count in (sent - taken).items()]


def _waits_and_queues(session: Session, findings: Findings) -> None:
    """A wait ends once, a case is dealt out once and its citizen told once."""
    findings.lost += [
        f"case {number}: still waits"
        for number in session.scalars(sa.select(Case.case_no).where(Case.status == "waiting"))
    ]
    findings.lost += [
        f"case {number}: never dealt out" for number in session.scalars(sa.select(Case.case_no).where(_undealt()))
    ]
    waits: Counter[int] = Counter()
    dealt: Counter[int] = Counter()
    later: Counter[int] = Counter()
    began = {case_id: at for case_id, at in session.execute(sa.select(Case.id, Case.created_at))}
    wanted = CaseEvent.type.in_(("held", "resumed", "assigned"))
    for event in session.scalars(sa.select(CaseEvent).where(wanted).order_by(CaseEvent.case_id, CaseEvent.seq)):
        if event.type == "assigned":
            dealt[event.case_id] += 1
            later[event.case_id] += event.at != began[event.case_id]
            continue
        waits[event.case_id] = waits[event.case_id] + 1 if event.type == "held" else waits[event.case_id] - 1
        if waits[event.case_id] < 0:
            findings.doubled.append(f"case {event.case_id}: a wait ended twice")
    findings.doubled += [f"case {case_id}: dealt out {count} times" for case_id, count in dealt.items() if count > 1]
    told: Counter[str] = Counter()
    for key in session.scalars(sa.select(Message.dedupe_key).where(Message.dedupe_key.is_not(None))):
        number, what = key.split(":")[:2]
        told[number] += what == "assigned"
    for case_id, number in session.execute(sa.select(Case.id, Case.case_no).where(Case.conversation_id.is_not(None))):
        if told[number] != later[case_id]:
            findings.wrong.append(f"case {number}: dealt out {later[case_id]} times, told {told[number]} times")


def in_order(database: Database) -> list[str]:
    """Levels of each clock come in their order, and so do the reports."""
    with database.unit_of_work(read_only=True) as uow:
        alerts = uow.session.scalars(sa.select(CaseAlert).order_by(CaseAlert.id)).all()
        reports = uow.session.scalars(sa.select(SupervisionReport.slot_at).order_by(SupervisionReport.id)).all()
    of_clock: dict[int, list[str]] = {}
    for alert in alerts:
        of_clock.setdefault(alert.clock_id, []).append(alert.level)
    mistakes = [
        f"clock {clock_id}: raised in the order {levels}"
        for clock_id, levels in of_clock.items()
        if levels != [level for level in LEVELS if level in levels]
    ]
    if list(reports) != sorted(reports):
        mistakes.append("reports were not written in order")
    return mistakes


def newest_alert(database: Database) -> int:
    with database.unit_of_work(read_only=True) as uow:
        return uow.session.scalar(sa.select(sa.func.max(CaseAlert.id))) or 0


def out_of_order(database: Database, after: int) -> list[str]:
    """What one worker caught up since the alert `after`: by each clock's first missed moment. A clock that had stood
    still is left out: that its wait is over may be found out later."""
    with database.unit_of_work(read_only=True) as uow:
        found = uow.session.execute(
            sa.select(CaseAlert, CaseClock.promises)
            .join(CaseClock, CaseClock.id == CaseAlert.clock_id)
            .where(CaseAlert.id > after)
            .order_by(CaseAlert.id)
        ).all()
    firsts: dict[int, datetime] = {}
    for alert, promises in found:
        if not any(promise["pauses"] for promise in promises):
            firsts.setdefault(alert.clock_id, alert.planned_at)
    moments = list(firsts.values())
    return [] if moments == sorted(moments) else [f"{len(moments)} clocks were not caught up in order"]


def _undealt() -> sa.ColumnElement[bool]:
    return sa.and_(Case.department == DEALT, Case.assignee.is_(None), Case.status.in_(("new", "transferred")))
