"""Opening a case, at most one open case per conversation, with a number of its day."""

from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from services.cases import access, assignment, log, proposing, repository, timekeeping, views
from services.cases.events import CaseOpened
from services.cases.models import Case
from services.cases.proposing import Proposal
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.notifications import service as notifications
from services.sla import service as sla
from services.sla.policies import Kind, Priority

TITLE_LIMIT = 100


def open_case(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    kind: Kind,
    title: str,
    channel: str,
    now: datetime,
    department: str | None = None,
    priority: Priority = "normal",
    conversation_id: str | None = None,
    citizen_id: str | None = None,
    transcript_upto: int | None = None,
    actor: str = "citizen",
    proposal: Proposal | None = None,
) -> CaseOut:
    """Open a case and start its clocks. The case of `kind` "urgent" is always of urgent priority.

    A sure `proposal` of the classifier decides kind and department where nobody stated them; an unsure one is kept for
    the clerk who decides (`proposing.choose_kind`).

    A conversation whose case is still open gets that one back (`reused` is True); an urgent request raises it to
    urgent first. An unknown department becomes 未分配: a case is never lost over a name.
    """
    stated = kind
    kind, undecided = proposing.choose_kind(stated, proposal)
    priority = sla.effective_priority(kind, priority)
    if conversation_id is not None:
        existing = repository.lock_open_case_of(uow.session, conversation_id)
        if existing is not None:
            return _ask_again(uow, secrets, existing, stated, priority, transcript_upto, actor, now)
    try:
        # A savepoint, so that a second opener of the same conversation falls back to the first one's case.
        with uow.session.begin_nested():
            case = Case(
                case_no=case_number(uow, now),
                kind=kind,
                department=proposing.choose_department(uow, department, proposal),
                priority=priority,
                status="new",
                channel=channel,
                title_encrypted=secrets.encrypt(title.strip()[:TITLE_LIMIT]),
                conversation_id=conversation_id,
                citizen_id=citizen_id,
                transcript_upto=transcript_upto,
                created_at=now,
                created_month=month_of(now),
                cycle=1,
                event_seq=0,
                reopened_count=0,
                reply_time_unknown=False,
                confidential=kind == "report",
                proposal=proposal.to_dict() if proposal is not None else None,
                undecided=undecided,
            )
            uow.session.add(case)
            uow.session.flush()
    except IntegrityError:
        existing = repository.lock_open_case_of(uow.session, conversation_id) if conversation_id else None
        if existing is None:
            raise
        return _ask_again(uow, secrets, existing, stated, priority, transcript_upto, actor, now)
    data: dict[str, Any] = {"kind": kind, "priority": priority, "department": case.department}
    if proposal is not None:
        data["proposal"] = proposal.to_dict()
    log.append(uow, case, "opened", actor=actor, now=now, data=data)
    timekeeping.start_clocks(uow, case, now, cycle=1)
    if priority == "urgent":
        alert_urgent(uow, case, now)
    uow.collect(CaseOpened(case.case_no, conversation_id, actor, now, priority))
    # The citizen reads number and promise first; who has the case is told when somebody takes it.
    assignment.deal(uow, case, now, tell=False)
    return views.show(uow, secrets, case, now)


def raise_to_urgent(uow: UnitOfWork, case: Case, *, actor: str, now: datetime) -> None:
    """Raise a locked open case to urgent: its clocks get the urgent limit from now on, the roster is alerted."""
    case.priority = "urgent"
    row = log.append(uow, case, "raised", actor=actor, now=now)
    answered = all(
        clock.state != "running"
        for clock in repository.clocks_of(uow.session, [case.id])
        if clock.target == "first_response"
    )
    if case.status == "waiting":
        log.append(uow, case, "resumed", actor=actor, now=now)
        timekeeping.resume_clocks(uow, case, now)
        case.hold_until = None
    changes = timekeeping.recompute(uow, case, now, "raised")
    if changes:
        row.data = {"clocks": changes}
    if answered:
        # An answer that was given before the danger was known does not settle it.
        case.cycle += 1
        timekeeping.start_clocks(uow, case, now, cycle=case.cycle, targets=("first_response",))
    alert_urgent(uow, case, now)


def alert_urgent(uow: UnitOfWork, case: Case, now: datetime) -> None:
    """Tell the supervisors, the departments and people on duty, and whoever has the case in hand."""
    recipients = ["role:supervisor", *(f"department:{name}" for name in sla.duty_departments(uow))]
    recipients += [f"user:{name}" for name in assignment.duty_members(uow, now)]
    recipients += [who for who in timekeeping.responsible(uow, case, now) if who not in recipients]
    for recipient in access.recipients(uow, case, recipients):
        notifications.enqueue(
            uow,
            channel="staff",
            recipient=recipient,
            kind="case_urgent",
            body={**timekeeping.about(case), "conversation_id": case.conversation_id},
            dedupe_key=f"case-urgent:{case.case_no}:{case.event_seq}:{recipient}",
            now=now,
        )


def case_number(uow: UnitOfWork, at: datetime) -> str:
    """GD, the day in Shanghai, and the day's counter with at least five digits."""
    day = at.astimezone(SHANGHAI).strftime("%Y%m%d")
    return number_text(day, repository.take_numbers(uow.session, day))


def number_text(day: str, counter: int) -> str:
    return f"GD{day}{counter:05d}"


def month_of(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m")


def _ask_again(
    uow: UnitOfWork,
    secrets: Secrets,
    case: Case,
    kind: Kind,
    priority: Priority,
    transcript_upto: int | None,
    actor: str,
    now: datetime,
) -> CaseOut:
    if transcript_upto is not None:
        case.transcript_upto = max(case.transcript_upto or 0, transcript_upto)
    if kind == "report" and not case.confidential:
        # A tip-off within a case that was open already: from now on all of it is confidential.
        data = {"kind": [case.kind, kind], "confidential": [False, True]}
        log.append(uow, case, "reclassified", actor=actor, now=now, data=data)
        case.kind, case.confidential = kind, True
        if case.assignee is not None:
            access.grant(uow, case, case.assignee, by=actor, now=now)
        timekeeping.recompute(uow, case, now, "changed")
    if priority == "urgent" and case.priority != "urgent":
        raise_to_urgent(uow, case, actor=actor, now=now)
    else:
        log.append(uow, case, "asked_again", actor=actor, now=now, data={"priority": priority})
        if priority == "urgent":
            alert_urgent(uow, case, now)
    shown = views.show(uow, secrets, case, now)
    shown.reused = True
    return shown
