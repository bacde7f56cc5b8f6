"""What the citizen of a case does with it: add, ask for progress, withdraw, confirm, reopen, and rate once."""

from datetime import datetime
from typing import Any

from services.cases import desk, log, repository, timekeeping, views, waiting
from services.cases.events import CaseClosed
from services.cases.holding import NOT_FOUND, written
from services.cases.models import OPEN_STATUSES, Case
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable
from services.sla import clocks as rules
from services.sla import service as sla

ACTOR = "citizen"


def citizen_adds(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    conversation_id: str,
    text: str,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> CaseOut:
    """Add to an open case; one that waited for the citizen goes on. `data` must hold no personal data."""
    case = _own(uow, case_no, conversation_id)
    log.append(uow, case, "added", actor=ACTOR, now=now, text=written(text), secrets=secrets, data=data)
    if case.status == "waiting":
        waiting.go_on(uow, case, actor=ACTOR, now=now)
    timekeeping.inform(uow, case, "case_added", timekeeping.responsible(uow, case, now), now)
    return views.show(uow, secrets, case, now)


def citizen_wrote(uow: UnitOfWork, *, conversation_id: str, now: datetime) -> bool:
    """The citizen wrote in the conversation: what its case waited for may be there. True when it waited."""
    known = repository.open_case_of(uow.session, conversation_id)
    if known is None or known.status != "waiting":
        return False
    case = repository.lock_case(uow.session, known.case_no)
    if case is None or case.status != "waiting":
        return False
    waiting.go_on(uow, case, actor=ACTOR, now=now)
    timekeeping.inform(uow, case, "case_added", timekeeping.responsible(uow, case, now), now)
    return True


def citizen_presses(uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime) -> CaseOut:
    """Ask for progress (催办): whoever has the case and the supervisor hear of it, not more often than the city says.

    Raises Conflict with `press_again_at` when it was pressed a short while ago.
    """
    case = _own(uow, case_no, conversation_id)
    before = repository.last_press(uow.session, case.id, ACTOR)
    if before is not None:
        again = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).press_every, before.at)
        if now < again:
            shown = again.astimezone(SHANGHAI)
            raise Conflict(f"已经为您催办，{shown:%m月%d日 %H:%M} 后可再次催办", press_again_at=again.isoformat())
    log.append(uow, case, "pressed", actor=ACTOR, now=now)
    told = [*timekeeping.responsible(uow, case, now), "role:supervisor"]
    timekeeping.inform(uow, case, "case_pressed", told, now, by=ACTOR)
    return views.show(uow, secrets, case, now)


def citizen_withdraws(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime, reason: str | None = None
) -> CaseOut:
    """Withdraw an open case. A limit that was missed by then stays missed."""
    case = _own(uow, case_no, conversation_id)
    text = reason.strip() if reason and reason.strip() else None
    if case.status in OPEN_STATUSES:
        timekeeping.end_clocks(uow, case, now)
    log.append(uow, case, "withdrawn", actor=ACTOR, now=now, text=text, secrets=secrets)
    case.ended_at, case.hold_until = now, None
    timekeeping.inform(uow, case, "case_withdrawn", timekeeping.responsible(uow, case, now), now)
    uow.collect(CaseClosed(case.case_no, case.conversation_id, ACTOR, now, how="withdrawn"))
    return views.show(uow, secrets, case, now)


def citizen_confirms(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime
) -> CaseOut:
    """Confirm that a settled case is settled; it is closed by that."""
    case = _own(uow, case_no, conversation_id)
    log.append(uow, case, "confirmed", actor=ACTOR, now=now)
    uow.collect(CaseClosed(case.case_no, case.conversation_id, ACTOR, now, how="confirmed"))
    return views.show(uow, secrets, case, now)


def citizen_reopens(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, reason: str, now: datetime
) -> CaseOut:
    """Open a settled case again within the city's limit. Raises Conflict when that has passed."""
    case = _own(uow, case_no, conversation_id)
    if case.ended_at is not None:
        until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).reopen_within, case.ended_at)
        if now > until:
            raise Conflict("已超过重新办理的期限，请重新提交")
    desk.open_again(uow, secrets, case, actor=ACTOR, reason=written(reason), now=now)
    timekeeping.inform(uow, case, "case_reopened", [*timekeeping.responsible(uow, case, now), "role:supervisor"], now)
    return views.show(uow, secrets, case, now)


def citizen_rates(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    conversation_id: str,
    score: int,
    now: datetime,
    comment: str | None = None,
) -> CaseOut:
    """Rate the answer of a settled case from 1 to 5, once. Raises Conflict the second time."""
    case = _own(uow, case_no, conversation_id)
    if not 1 <= score <= 5:
        raise Unprocessable("评分为 1 至 5 分")
    if case.satisfaction is not None:
        raise Conflict("您已经评价过，谢谢", satisfaction=case.satisfaction)
    text = comment.strip() if comment and comment.strip() else None
    log.append(uow, case, "rated", actor=ACTOR, now=now, text=text, secrets=secrets, data={"score": score})
    case.satisfaction = score
    return views.show(uow, secrets, case, now)


def cases_of_citizen(uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, now: datetime) -> list[CaseOut]:
    """The newest fifty cases of a conversation, for its citizen."""
    return views.show_all(uow, secrets, repository.cases_of_conversation(uow.session, conversation_id), now)


def _own(uow: UnitOfWork, case_no: str, conversation_id: str) -> Case:
    case = repository.lock_case(uow.session, case_no)
    if case is None or case.conversation_id != conversation_id:
        raise NotFound(NOT_FOUND)
    return case
