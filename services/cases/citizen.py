"""What the citizen of a case does with it: add, ask for progress, withdraw, confirm, reopen, and rate once."""

from datetime import datetime
from typing import Any

from services.cases import alarms, casefile, confiding, desk, hearing, repository, views
from services.cases.casefile import CaseFile
from services.cases.events import CaseClosed
from services.cases.holding import NOT_FOUND, stripped, written
from services.cases.schemas import CaseOut
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable
from services.notifications import service as notifications
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
    file = _own(uow, case_no, conversation_id)
    file.append("added", actor=ACTOR, now=now, text=written(text), secrets=secrets, data=data)
    confiding.heed(uow, secrets, file, text, actor=ACTOR, now=now)
    if file.row.status == "waiting":
        file.append("resumed", actor=ACTOR, now=now)
    hearing.hear(secrets, file.row, text, now)
    alarms.inform(uow, file.row, "case_added", alarms.responsible(uow, file.row, now), now)
    return views.show(secrets, file, now)


def citizen_wrote(uow: UnitOfWork, *, conversation_id: str, now: datetime) -> bool:
    """The citizen wrote in the conversation: what its case waited for may be there. True when it waited.

    Whoever has the case in hand hears of it, once until something else happens to the case.
    """
    known = repository.open_case_of(uow.session, conversation_id)
    if known is not None and known.status != "waiting" and known.assignee is not None:
        alarms.inform(uow, known, "case_added", alarms.responsible(uow, known, now), now)
    if known is None or known.status != "waiting":
        return False
    file = casefile.lock(uow, known.case_no)
    if file is None or file.row.status != "waiting":
        return False
    file.append("resumed", actor=ACTOR, now=now)
    alarms.inform(uow, file.row, "case_added", alarms.responsible(uow, file.row, now), now)
    return True


def citizen_presses(uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime) -> CaseOut:
    """Ask for progress (催办): whoever has the case and the supervisor hear of it, not more often than the city says.

    Raises Conflict with `press_again_at` when it was pressed a short while ago.
    """
    file = _own(uow, case_no, conversation_id)
    before = file.last("pressed", actor=ACTOR)
    if before is not None:
        again = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).press_every, before.at)
        if now < again:
            shown = again.astimezone(SHANGHAI)
            raise Conflict(f"已经为您催办，{shown:%m月%d日 %H:%M} 后可再次催办", press_again_at=again.isoformat())
    file.append("pressed", actor=ACTOR, now=now)
    hearing.hear(secrets, file.row, "（催办）", now)
    told = [*alarms.responsible(uow, file.row, now), *notifications.everybody_who("hears.citizens")]
    alarms.inform(uow, file.row, "case_pressed", told, now, by=ACTOR)
    return views.show(secrets, file, now)


def citizen_withdraws(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime, reason: str | None = None
) -> CaseOut:
    """Withdraw an open case. A limit that was missed by then stays missed."""
    file = _own(uow, case_no, conversation_id)
    case = file.row
    file.append("withdrawn", actor=ACTOR, now=now, text=stripped(reason), secrets=secrets)
    case.ended_at = now
    confiding.heed(uow, secrets, file, reason, actor=ACTOR, now=now)
    alarms.inform(uow, case, "case_withdrawn", alarms.responsible(uow, case, now), now)
    file.tell(CaseClosed(case.case_no, case.conversation_id, ACTOR, now, how="withdrawn"))
    return views.show(secrets, file, now)


def citizen_confirms(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, now: datetime
) -> CaseOut:
    """Confirm that a settled case is settled; it is closed by that."""
    file = _own(uow, case_no, conversation_id)
    file.append("confirmed", actor=ACTOR, now=now)
    uow.collect(CaseClosed(case_no, conversation_id, ACTOR, now, how="confirmed"))
    return views.show(secrets, file, now)


def citizen_reopens(
    uow: UnitOfWork, secrets: Secrets, *, case_no: str, conversation_id: str, reason: str, now: datetime
) -> CaseOut:
    """Open a settled case again within the city's limit. Raises Conflict when that has passed."""
    file = _own(uow, case_no, conversation_id)
    if file.row.ended_at is not None:
        until = rules.due_at(sla.load_calendar(uow), sla.desk_rules(uow).reopen_within, file.row.ended_at)
        if now > until:
            raise Conflict("已超过重新办理的期限，请重新提交")
    desk.open_again(uow, secrets, file, actor=ACTOR, reason=written(reason), now=now)
    confiding.heed(uow, secrets, file, reason, actor=ACTOR, now=now)
    hearing.hear(secrets, file.row, reason, now)
    told = [*alarms.responsible(uow, file.row, now), *notifications.everybody_who("hears.citizens")]
    alarms.inform(uow, file.row, "case_reopened", told, now)
    return views.show(secrets, file, now)


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
    file = _own(uow, case_no, conversation_id)
    if not 1 <= score <= 5:
        raise Unprocessable("评分为 1 至 5 分")
    if file.row.satisfaction is not None:
        raise Conflict("您已经评价过，谢谢", satisfaction=file.row.satisfaction)
    data = {"score": score}
    file.append("rated", actor=ACTOR, now=now, text=stripped(comment), secrets=secrets, data=data)
    file.row.satisfaction = score
    confiding.heed(uow, secrets, file, comment, actor=ACTOR, now=now)
    return views.show(secrets, file, now)


def cases_of_citizen(uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, now: datetime) -> list[CaseOut]:
    """The newest fifty cases of a conversation, for its citizen."""
    return views.show_all(uow, secrets, repository.cases_of_conversation(uow.session, conversation_id), now)


def _own(uow: UnitOfWork, case_no: str, conversation_id: str) -> CaseFile:
    file = casefile.lock(uow, case_no)
    if file is None or file.row.conversation_id != conversation_id:
        raise NotFound(NOT_FOUND)
    return file
