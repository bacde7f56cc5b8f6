"""Danger to life that somebody must say 已收到 to (docs/cases.md, Danger).

When the danger is found the first on duty, the departments on duty, the supervisors and the clerk in charge are
alarmed; then, for as long as nobody has acknowledged it, the next on duty and the supervisors, every so many minutes
and so many times as the city's roster says. The levels of the time limits (`alarms`) are another thing, and run beside
it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.accounts import service as accounts
from services.accounts.schemas import StaffUser
from services.cases import access, alarms, assignment, flooding, repository, sight, views
from services.cases import urgent_repository as stored
from services.cases.casefile import CaseFile
from services.cases.events import CaseAcknowledged
from services.cases.holding import locked
from services.cases.models import OPEN_STATUSES, Case, UrgentAlarm, UrgentStep
from services.cases.schemas import AlarmOut, CaseOut, Watch
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.notifications import service as notifications
from services.sla import service as sla

# Alarms that are looked through for one person.
RINGING_LIMIT: Final = 200
DUTY_POST: Final = "值班人员"


def raise_alarm(uow: UnitOfWork, case: Case, now: datetime, *, before: int = 0) -> None:
    """Tell of danger in a locked or new case: an alarm begins, unless one rings already.

    `before`: so often its citizen has told of danger in this case, which was urgent already. It is told again (many of
    them together), but an alarm that was acknowledged in this round of the case stays acknowledged. Doubtful cases
    (`flooding`) are told of together, and none of them rings. Those on duty are named for a confidential case: nobody
    is left alone for the sake of secrecy.
    """
    on_duty = assignment.duty_members(uow, now)
    if case.confidential:
        for name in on_duty:
            access.grant(uow, case, name, by="system", now=now)
    alarm = stored.newest_alarm(uow.session, case.id)
    goes_on = before > 0 and alarm is not None and alarm.round == case.reopened_count
    if alarm is not None and alarm.ended_at is None and not goes_on:
        # Left from before the case was settled, or made a normal one.
        _end(alarm, now)
        uow.session.flush()
    first = next(iter(on_duty), None)
    told = access.recipients(uow, case, _first_told(uow, case, first, now))
    doubtful = flooding.is_doubtful(case)
    about = alarms.about(case) | ({"doubtful": True} if doubtful else {})
    key = flooding.alarm_key(case, now, before)
    for recipient in told:
        notifications.tell_staff(
            uow,
            recipient=recipient,
            kind="case_urgent",
            body={**about, "conversation_id": case.conversation_id},
            dedupe_key=f"case-urgent:{key}:{recipient}",
            now=now,
        )
    if goes_on or doubtful:
        return
    rules = sla.roster(uow).alarm
    alarm = UrgentAlarm(
        case_id=case.id,
        event_seq=case.event_seq,
        round=case.reopened_count,
        raised_at=now,
        within_minutes=rules.acknowledge_within,
        source=rules.source,
        next_step_at=now + timedelta(minutes=rules.acknowledge_within),
    )
    uow.session.add(alarm)
    uow.session.flush()
    called = first if f"user:{first}" in told else None
    stored.insert_step(uow.session, {"alarm_id": alarm.id, "step": 0, "at": now, "called": called, "told": told})


def _first_told(uow: UnitOfWork, case: Case, first: str | None, now: datetime) -> list[str]:
    told = notifications.everybody_who("hears.urgent")
    told += [f"department:{name}" for name in sla.duty_departments(uow)]
    told += [f"user:{first}"] if first is not None else []
    return list(dict.fromkeys([*told, *alarms.responsible(uow, case, now)]))


def call_next(uow: UnitOfWork, file: CaseFile, now: datetime) -> bool:
    """Call the next on duty and the supervisors to the alarm of a locked case, if its time has come; whether it had.

    The last step reaches those who hear of escalations too. An alarm whose case asks for nobody any more ends.
    """
    case = file.row
    alarm = stored.newest_alarm(uow.session, case.id)
    if alarm is None or alarm.ended_at is not None or alarm.next_step_at is None or alarm.next_step_at > now:
        return False
    if not file.is_open or case.priority != "urgent":
        _end(alarm, now)
        return False
    rules = sla.roster(uow).alarm
    before = stored.steps_of(uow.session, alarm.id)
    step = before[-1].step + 1 if before else 0
    is_last = step >= rules.steps
    called = _next_on_duty(assignment.duty_members(uow, now), before)
    told = notifications.everybody_who("hears.urgent")
    told += notifications.everybody_who("hears.escalations") if is_last else []
    told = access.recipients(uow, case, [*([f"user:{called}"] if called is not None else []), *told])
    called = called if f"user:{called}" in told else None
    if not stored.insert_step(
        uow.session, {"alarm_id": alarm.id, "step": step, "at": now, "called": called, "told": told}
    ):
        return False
    file.append("alarmed", actor="system", now=now, data={"step": step, **({"to": called} if called else {})})
    for recipient in told:
        notifications.tell_staff(
            uow,
            recipient=recipient,
            kind="case_unheard",
            body={**alarms.about(case), "since": alarm.raised_at.isoformat()},
            dedupe_key=f"case-unheard:{case.case_no}:{alarm.id}:{step}:{recipient}",
            now=now,
        )
    # Counted from now: a worker that was away calls one after the other, and not all at once.
    alarm.next_step_at = None if is_last else now + timedelta(minutes=alarm.within_minutes)
    return True


def _next_on_duty(names: Sequence[str], before: Sequence[UrgentStep]) -> str | None:
    """The first on duty who has not been called, when all have whose call is longest ago; None with nobody there."""
    calls = {step.called: step.step for step in before if step.called is not None}
    return min(names, key=lambda name: calls.get(name, -1), default=None)


def acknowledge(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseOut:
    """Say 已收到: everybody who was alarmed, and the citizen, hear of it. Saying it twice is the same as once.

    Raises Conflict when a colleague has said it before (`acknowledged_by`, `acknowledged_at`), and for a case without
    an alarm.
    """
    file = locked(uow, case_no, user)
    alarm = stored.newest_alarm(uow.session, file.row.id)
    if alarm is None or (alarm.ended_at is not None and alarm.acknowledged_by is None):
        raise Conflict("这个工单没有等待接收的警报")
    if alarm.acknowledged_by not in (None, user.name):
        at = alarm.acknowledged_at or now
        raise Conflict(
            f"{alarm.acknowledged_by} 已于 {at.astimezone(SHANGHAI):%H:%M} 收到",
            acknowledged_by=alarm.acknowledged_by,
            acknowledged_at=at.isoformat(),
        )
    if alarm.acknowledged_by is None:
        _acknowledged(uow, file, alarm, user, now)
        case = file.row
        news = CaseAcknowledged(
            case.case_no, case.conversation_id, user.name, now, who=alarm.acknowledged_as or DUTY_POST
        )
        uow.collect(news)
    return views.show(secrets, file, now)


def taken(uow: UnitOfWork, file: CaseFile, user: StaffUser, now: datetime) -> None:
    """Somebody claims or answers a locked case, and so has received its alarm; the citizen hears of that by itself."""
    alarm = stored.newest_alarm(uow.session, file.row.id) if file.row.priority == "urgent" else None
    if alarm is not None and alarm.ended_at is None:
        _acknowledged(uow, file, alarm, user, now)


def _acknowledged(uow: UnitOfWork, file: CaseFile, alarm: UrgentAlarm, user: StaffUser, now: datetime) -> None:
    case = file.row
    alarm.acknowledged_by, alarm.acknowledged_at = user.name, now
    alarm.acknowledged_as = accounts.shown_to_citizens(uow, user.name)
    _end(alarm, now)
    seconds = int((now - alarm.raised_at).total_seconds())
    file.append("acknowledged", actor=user.name, now=now, data={"seconds": seconds})
    told = dict.fromkeys(who for step in stored.steps_of(uow.session, alarm.id) for who in step.told)
    alarms.inform(uow, case, "case_acknowledged", list(told), now, by=user.name)


def _end(alarm: UrgentAlarm, now: datetime) -> None:
    alarm.ended_at, alarm.next_step_at = now, None


def watch_over(uow: UnitOfWork, case_no: str) -> Watch:
    """What is so of a case in danger: who of those on duty was called, and who has said 已收到."""
    case = repository.find_case(uow.session, case_no)
    alarm = stored.newest_alarm(uow.session, case.id) if case is not None else None
    if alarm is None:
        return Watch(called=False, who=None)
    called = any(step.called is not None for step in stored.steps_of(uow.session, alarm.id))
    return Watch(called=called, who=alarm.acknowledged_as)


def alarm_of(uow: UnitOfWork, case_no: str) -> AlarmOut | None:
    """The newest alarm of a case that the reader may see, for its page; None when nothing is to be said of it."""
    case = repository.find_case(uow.session, case_no)
    alarm = stored.newest_alarm(uow.session, case.id) if case is not None else None
    if case is None or alarm is None or (alarm.ended_at is not None and alarm.acknowledged_by is None):
        return None
    if alarm.ended_at is None and (case.status not in OPEN_STATUSES or case.priority != "urgent"):
        return None
    return _shown(alarm, case, stored.steps_of(uow.session, alarm.id))


def ringing_for(uow: UnitOfWork, user: StaffUser) -> list[AlarmOut]:
    """The alarms that `user` was told of and may see, which nobody has acknowledged; the oldest first."""
    recipients = set(notifications.recipients_of(user))
    found = stored.ringing(uow.session, sight.sight_of(uow, user).condition(), RINGING_LIMIT)
    steps = stored.steps_of_all(uow.session, [alarm.id for alarm, _ in found])
    return [
        _shown(alarm, case, steps[alarm.id])
        for alarm, case in found
        if any(recipients.intersection(step.told) for step in steps[alarm.id])
    ]


def _shown(alarm: UrgentAlarm, case: Case, steps: Sequence[UrgentStep]) -> AlarmOut:
    return AlarmOut(
        case_no=case.case_no,
        department=None if case.confidential else case.department,
        raised_at=alarm.raised_at,
        within_minutes=alarm.within_minutes,
        next_step_at=alarm.next_step_at,
        called=[step.called for step in steps if step.called is not None],
        acknowledged_at=alarm.acknowledged_at,
        acknowledged_by=alarm.acknowledged_by,
        source=alarm.source,
    )
