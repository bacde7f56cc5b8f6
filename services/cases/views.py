"""Cases as plain values, and who may see which."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from services.accounts.schemas import StaffUser
from services.cases import access, casefile, drafting, flooding, hearing, repository, sight
from services.cases.casefile import CaseFile, calendars_or_none
from services.cases.clockwork import Since
from services.cases.holding import NOT_FOUND
from services.cases.models import OPEN_STATUSES, Case, CaseClock, CaseEvent
from services.cases.schemas import (
    CaseDetail,
    CaseList,
    CaseOut,
    ClockOut,
    EventOut,
    ExtensionOut,
    HandOut,
    ProposalOut,
)
from services.cases.states import EVENT_NAMES, EventType
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.sla import clocks as rules
from services.sla import service as sla
from services.sla.clocks import State
from services.sla.policies import Kind, Priority, Target, Unit
from services.understanding.case_states import Status


def get_case(uow: UnitOfWork, secrets: Secrets, *, case_no: str, user: StaffUser, now: datetime) -> CaseDetail:
    """A case with its events, without its transcript. Raises NotFound also for a case that `user` may not see."""
    case = repository.find_case(uow.session, case_no)
    if case is None or not sight.is_visible(uow, user, case):
        raise NotFound(NOT_FOUND)
    (file,) = casefile.load(uow, [case])
    asked = repository.pending_extension(uow.session, case.id) if file.is_open else None
    extension = None
    if asked is not None:
        extension = ExtensionOut(
            target=cast(Target, asked.target),
            days=asked.days,
            reason=secrets.decrypt(asked.reason_encrypted),
            asked_by=asked.asked_by,
            asked_at=asked.asked_at,
        )
    shown = _between_cases(uow, user, show(secrets, file, now))
    shown.news = hearing.news_of(secrets, case)
    return CaseDetail(
        **{name: getattr(shown, name) for name in CaseOut.model_fields},
        events=[_read(uow, user, _show_event(secrets, event)) for event in file.events],
        hands=_show_hands(file, now),
        extension=extension,
        readers=access.readers(uow, case) if case.confidential else [],
        draft=drafting.draft_of(uow, case.case_no),
    )


def _read(uow: UnitOfWork, user: StaffUser, event: EventOut) -> EventOut:
    """An event as `user` may read it."""
    if event.text is not None:
        event.text = sight.without_secrets(uow, user, event.text)
    event.data = sight.mentioned(uow, user, event.data)
    return event


def _show_event(secrets: Secrets, event: CaseEvent) -> EventOut:
    return EventOut(
        seq=event.seq,
        type=event.type,
        name=EVENT_NAMES[cast(EventType, event.type)],
        actor=event.actor,
        at=event.at,
        text=secrets.decrypt(event.text_encrypted) if event.text_encrypted is not None else None,
        data=event.data,
    )


def _show_hands(file: CaseFile, now: datetime) -> list[HandOut]:
    """Which department had the case from when to when, in working time too, and what was missed in its hands."""
    hands, calendars = file.state.hands, file.calendars
    end = now if file.is_open else file.row.ended_at or now
    shown = []
    for position, (since, department) in enumerate(hands):
        until = hands[position + 1][0] if position + 1 < len(hands) else None
        working = calendars.office.minutes_between(since, until or end) if calendars is not None else None
        missed = [
            clock.target
            for clock in file.state.clocks
            if (clock.state == "breached" or clock.missed(now))
            and since <= max(clock.plan.due_at, hands[0][0])
            and (until is None or clock.plan.due_at < until)
        ]
        shown.append(
            HandOut(
                department=department,
                since=since,
                until=until,
                working_minutes=int(working) if working is not None else None,
                missed=missed,
            )
        )
    return shown


def list_cases(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    user: StaffUser,
    now: datetime,
    status: Sequence[Status] | None = None,
    department: str | None = None,
    overdue: bool | None = None,
    unanswered: bool = False,
    mine: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> CaseList:
    """One page of the cases that `user` may see: urgent first, then where a citizen wrote, then what is due next."""
    cases, total, unread = repository.list_cases(
        uow.session,
        now=now,
        visible=sight.sight_of(uow, user).condition(),
        status=status,
        department=department,
        overdue=overdue,
        unanswered=unanswered,
        assignee=user.name if mine else None,
        limit=limit,
        offset=offset,
    )
    shown = [_between_cases(uow, user, case) for case in show_all(uow, secrets, cases, now)]
    for case, out in zip(cases, shown, strict=True):
        out.news = hearing.news_of(secrets, case)
    return CaseList(cases=shown, total=total, unread=unread)


def _between_cases(uow: UnitOfWork, user: StaffUser, case: CaseOut) -> CaseOut:
    """A case without the numbers of others that `user` may not know of: the one that it was merged into, and whatever
    its citizen wrote."""
    case.title = sight.without_secrets(uow, user, case.title)
    if case.merged_into is not None and not sight.may_see(uow, user, case.merged_into):
        case.merged_into = None
    return case


def show(secrets: Secrets, file: CaseFile, now: datetime) -> CaseOut:
    return _show(secrets, file.row, file.clock_rows, file.calendars, now)


def show_all(uow: UnitOfWork, secrets: Secrets, cases: Sequence[Case], now: datetime) -> list[CaseOut]:
    calendars = calendars_or_none(uow)
    clocks: dict[int, list[CaseClock]] = defaultdict(list)
    for clock in repository.clocks_of(uow.session, [case.id for case in cases]):
        clocks[clock.case_id].append(clock)
    return [_show(secrets, case, clocks[case.id], calendars, now) for case in cases]


def _show(
    secrets: Secrets, case: Case, clocks: Sequence[CaseClock], calendars: sla.Calendars | None, now: datetime
) -> CaseOut:
    is_open = case.status in OPEN_STATUSES
    return CaseOut(
        case_no=case.case_no,
        kind=cast(Kind, case.kind),
        department=case.department,
        priority=cast(Priority, case.priority),
        status=cast(Status, case.status),
        title=secrets.decrypt(case.title_encrypted),
        channel=case.channel,
        assignee=case.assignee,
        created_at=case.created_at,
        first_response_at=case.first_response_at,
        resolved_at=case.resolved_at,
        clocks=[_show_clock(clock, calendars, now) for clock in clocks],
        next_due_at=case.next_due_at if is_open else None,
        overdue=is_open and case.next_due_at is not None and case.next_due_at < now,
        reopened_count=case.reopened_count,
        confidential=case.confidential,
        doubtful=flooding.is_doubtful(case),
        merged_into=case.merged_into,
        hold_until=case.hold_until if case.status == "waiting" else None,
        satisfaction=case.satisfaction,
        undecided=case.undecided and is_open,
        proposal=ProposalOut.model_validate(case.proposal) if case.proposal else None,
        conversation_id=case.conversation_id,
        transcript_upto=case.transcript_upto,
        title_seq=case.title_seq,
    )


def _show_clock(clock: CaseClock, calendars: sla.Calendars | None, now: datetime) -> ClockOut:
    remaining = None
    if clock.state in ("running", "paused") and calendars is not None:
        moment = clock.paused_at or now
        calendar = calendars.of(clock.calendar)
        remaining = rules.remaining_minutes(calendar, cast(Unit, clock.unit), clock.due_at, moment)
    return ClockOut(
        target=cast(Target, clock.target),
        cycle=clock.cycle,
        due_at=clock.due_at,
        warning_at=clock.warning_at,
        state=rules.state(cast(State, clock.state), clock.due_at, now),
        provisional=clock.provisional,
        source=clock.source,
        policy=clock.policy,
        remaining_minutes=remaining,
        paused_at=clock.paused_at,
        extended=max(len(promise["extensions"]) for promise in clock.promises),
        counted_from=clock.counted_from,
        counted_why=cast(Since, clock.counted_why),
        department=clock.department,
    )
