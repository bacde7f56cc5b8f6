"""Opening a case, at most one open case per conversation, with a number of its day."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from services.cases import (
    alarms,
    assignment,
    casefile,
    confiding,
    flooding,
    hearing,
    proposing,
    repository,
    urgent,
    views,
)
from services.cases.casefile import CaseFile
from services.cases.events import CaseOpened
from services.cases.flooding import AlarmsFrom
from services.cases.models import Case
from services.cases.proposing import Proposal
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.sla import service as sla
from services.sla.policies import Kind, Priority

TITLE_LIMIT = 100
ASKED_AGAIN = "（再次请求人工）"
# Numbers of seven digits, from 5,000,000 on: more than a day of others has.
SECRET_NUMBERS = 5_000_000
SECRET_DRAWS = 50


@dataclass(frozen=True)
class NewCase:
    """What is known of a case when it is opened. The one of `kind` "urgent" is always of urgent priority.

    A sure `proposal` of the classifier decides kind and department where nobody stated them; an unsure one is kept for
    the clerk who decides (`proposing.choose_kind`). `actor` is who opens it. `title_seq` is the message of the
    conversation that the title comes from; a case that is not `titled` takes its title from what the citizen writes
    next. `words` are what was said now, for a case that is open already. Neither carries an identifier in the clear.
    `alarms` is where it comes from; an urgent one past what is believed of there is doubtful (`flooding`).
    """

    kind: Kind
    title: str
    channel: str
    department: str | None = None
    priority: Priority = "normal"
    conversation_id: str | None = None
    citizen_id: str | None = None
    transcript_upto: int | None = None
    actor: str = "citizen"
    proposal: Proposal | None = None
    titled: bool = True
    title_seq: int | None = None
    words: str = ""
    alarms: AlarmsFrom | None = None


def open_case(uow: UnitOfWork, secrets: Secrets, new: NewCase, *, now: datetime) -> CaseOut:
    """Open a case and start its clocks.

    A conversation whose case is still open gets that one back (`reused` is True); an urgent request raises it to
    urgent first. An unknown department becomes 未分配: a case is never lost over a name.
    """
    if new.conversation_id is not None:
        existing = casefile.lock_open(uow, new.conversation_id)
        if existing is not None:
            return _ask_again(uow, secrets, existing, new, now)
    try:
        # A savepoint, so that a second opener of the same conversation falls back to the first one's case.
        with uow.session.begin_nested():
            row = _row(uow, secrets, new, now)
            uow.session.add(row)
            uow.session.flush()
    except IntegrityError:
        existing = casefile.lock_open(uow, new.conversation_id) if new.conversation_id else None
        if existing is None:
            raise
        return _ask_again(uow, secrets, existing, new, now)
    file = CaseFile(uow, row)
    if row.priority == "urgent":
        row.doubtful = not flooding.is_believed(uow, new.alarms, now)
    data: dict[str, Any] = {"kind": row.kind, "priority": row.priority, "department": row.department}
    if row.doubtful:
        data["doubtful"] = True
    if row.proposal is not None:
        data["proposal"] = row.proposal
    file.append("opened", actor=new.actor, now=now, data=data)
    if row.confidential:
        alarms.tell_named(uow, row, now)
    if row.priority == "urgent":
        urgent.raise_alarm(uow, row, now)
    uow.collect(CaseOpened(row.case_no, new.conversation_id, new.actor, now, _priority(row)))
    # The citizen reads number and promise first; who has the case is told when somebody takes it.
    assignment.deal(uow, file, now, tell=False)
    return views.show(secrets, file, now)


def _row(uow: UnitOfWork, secrets: Secrets, new: NewCase, now: datetime) -> Case:
    kind, undecided = proposing.choose_kind(new.kind, new.proposal)
    number = secret_number(uow, secrets, now) if kind == confiding.KIND else case_number(uow, now)
    return Case(
        case_no=number,
        kind=kind,
        department=proposing.choose_department(uow, new.department, new.proposal),
        priority=sla.effective_priority(kind, new.priority),
        status="new",
        channel=new.channel,
        title_encrypted=secrets.encrypt(new.title.strip()[:TITLE_LIMIT]),
        titled=new.titled,
        title_seq=new.title_seq,
        words=0,
        words_read=0,
        conversation_id=new.conversation_id,
        citizen_id=new.citizen_id,
        transcript_upto=new.transcript_upto,
        created_at=now,
        created_month=month_of(now),
        counted_from=now,
        cycle=1,
        deciding_cycle=1,
        event_seq=0,
        reopened_count=0,
        reply_time_unknown=False,
        confidential=kind == confiding.KIND,
        proposal=new.proposal.to_dict() if new.proposal is not None else None,
        undecided=undecided,
    )


def raise_to_urgent(uow: UnitOfWork, file: CaseFile, *, actor: str, now: datetime) -> None:
    """Raise a locked open case to urgent: its clocks get the urgent limit from now on, the roster is alerted."""
    file.append("raised", actor=actor, now=now)
    urgent.raise_alarm(uow, file.row, now)


def case_number(uow: UnitOfWork, at: datetime) -> str:
    """GD, the day in Shanghai, and the day's counter with at least five digits."""
    day = at.astimezone(SHANGHAI).strftime("%Y%m%d")
    return number_text(day, repository.take_numbers(uow.session, day))


def secret_number(uow: UnitOfWork, secrets: Secrets, at: datetime) -> str:
    """A number that is in no row of others: a gap among those of a day would tell of a tip-off, and its place
    among other tip-offs how many. It is the day and seven digits, drawn from a keyed hash of a counter of their own."""
    day = at.astimezone(SHANGHAI).strftime("%Y%m%d")
    for _ in range(SECRET_DRAWS):
        counter = repository.take_numbers(uow.session, f"S{day[2:]}")
        drawn = int(secrets.keyed_hash(f"case number {day} {counter}"), 16) % SECRET_NUMBERS
        number = number_text(day, SECRET_NUMBERS + drawn)
        if repository.find_case(uow.session, number) is None:
            return number
    raise RuntimeError("no free number for a confidential case")


def number_text(day: str, counter: int) -> str:
    return f"GD{day}{counter:05d}"


def month_of(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m")


def _priority(row: Case) -> Priority:
    return "urgent" if row.priority == "urgent" else "normal"


def _ask_again(uow: UnitOfWork, secrets: Secrets, file: CaseFile, new: NewCase, now: datetime) -> CaseOut:
    case = file.row
    kind, _ = proposing.choose_kind(new.kind, new.proposal)
    priority = sla.effective_priority(kind, new.priority)
    if new.transcript_upto is not None:
        case.transcript_upto = max(case.transcript_upto or 0, new.transcript_upto)
    if kind == confiding.KIND:
        # A tip-off within a case that was open already: from now on all of it is confidential.
        confiding.confide(uow, secrets, file, actor=new.actor, now=now)
    if priority == "urgent" and case.priority != "urgent":
        case.doubtful = not flooding.is_believed(uow, new.alarms, now)
        raise_to_urgent(uow, file, actor=new.actor, now=now)
    else:
        file.append("asked_again", actor=new.actor, now=now, data={"priority": priority})
        if priority == "urgent":
            before = sum(event.type == "asked_again" for event in file.events)
            urgent.raise_alarm(uow, case, now, before=before)
    hearing.hear(secrets, case, new.words or ASKED_AGAIN, now)
    if new.titled and not case.titled:
        hearing.name(secrets, case, new.title, new.title_seq)
    shown = views.show(secrets, file, now)
    shown.reused = True
    return shown
