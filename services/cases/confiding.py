"""A case that turns out to be a tip-off: from this moment on it exists for named people only, all of it.

What was known of it before is taken back where that can be done: its clerk's hands, drafts made of it, and ordinary
cases that had been merged into it, which go on by themselves again.
"""

from datetime import datetime
from typing import Any, Final

from services.cases import access, alarms, assignment, casefile, desk, moving, sight_repository
from services.cases.casefile import CaseFile
from services.cases.models import QUEUED_STATUSES
from services.cases.tip_offs import is_tip_off
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict
from services.knowledge import service as knowledge

KIND: Final = "report"
BECAME_SECRET = "转为保密工单"
GOES_ON_ALONE = "恢复单独办理"


def heed(uow: UnitOfWork, secrets: Secrets, file: CaseFile, text: str | None, *, actor: str, now: datetime) -> bool:
    """Make a locked case confidential when these words of its citizen are a tip-off; whether they did."""
    if not text or file.row.confidential or not is_tip_off(text, telling=True):
        return False
    confide(uow, secrets, file, actor=actor, now=now)
    return True


def confide(uow: UnitOfWork, secrets: Secrets, file: CaseFile, *, actor: str, now: datetime) -> None:
    """Make a locked case a confidential report, whatever it was; one that is confidential already stays as it is.

    Danger to life keeps its kind: it has the shortest limit.
    """
    case = file.row
    if case.confidential:
        return
    case.confidential = True
    data: dict[str, Any] = {"confidential": [False, True]}
    if file.is_open:
        kind = case.kind if case.kind == "urgent" else KIND
        if kind != case.kind:
            data["kind"] = [case.kind, kind]
        case.undecided = False
        file.append("reclassified", actor=actor, now=now, data=data, kind=kind)
    else:
        file.append("access_changed", actor=actor, now=now, data=data)
    keep_among_the_named(uow, secrets, file, actor=actor, now=now)


def keep_among_the_named(uow: UnitOfWork, secrets: Secrets, file: CaseFile, *, actor: str, now: datetime) -> None:
    """Take a case that has just become confidential from everybody who is not named, and tell those who are.

    Whoever is at work on danger to life is named for it: nobody is left alone for the sake of secrecy.
    """
    case = file.row
    if case.priority == "urgent" and file.is_open:
        for name in {*assignment.duty_members(uow, now), *([case.assignee] if case.assignee else [])}:
            access.grant(uow, case, name, by=actor, now=now)
    knowledge.forget_drafts(uow, f"case:{case.case_no}", actor=actor, now=now)
    _set_free(uow, secrets, case.case_no, now)
    alarms.tell_named(uow, case, now)
    if case.assignee is not None and case.assignee not in access.readers(uow, case):
        if file.is_open:
            moving.put_back(uow, secrets, file, actor=actor, reason=BECAME_SECRET, now=now)
        else:
            case.assignee = None
    elif case.assignee is None and case.status in QUEUED_STATUSES:
        assignment.deal(uow, file, now)


def _set_free(uow: UnitOfWork, secrets: Secrets, case_no: str, now: datetime) -> None:
    """Ordinary cases that were merged into this one are nobody's secret, and must not be answered out of one."""
    for number in sight_repository.ordinary_cases_merged_into(uow.session, case_no):
        file = casefile.lock(uow, number)
        if file is None or file.row.status != "merged":
            continue
        try:
            with uow.session.begin_nested():
                desk.open_again(uow, secrets, file, actor="system", reason=GOES_ON_ALONE, now=now)
        except Conflict:
            # Its citizen has another open case by now, in which the words can be said.
            continue
        if file.row.assignee is None:
            moving.put_back(uow, secrets, file, actor="system", reason=GOES_ON_ALONE, now=now)
        else:
            alarms.inform(uow, file.row, "case_reopened", alarms.responsible(uow, file.row, now), now)
