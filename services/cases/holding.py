"""Finding and locking a case for an action, and who holds it."""

from services.accounts.schemas import StaffUser
from services.cases import casefile, sight
from services.cases.casefile import CaseFile
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable
from services.core.permissions import may

NOT_FOUND = "没有这个工单"


def locked(uow: UnitOfWork, case_no: str, user: StaffUser) -> CaseFile:
    """The case, locked. Raises NotFound also for one that `user` may not know of."""
    file = casefile.lock(uow, case_no)
    if file is None or not sight.is_visible(uow, user, file.row):
        raise NotFound(NOT_FOUND)
    return file


def must_hold(secrets: Secrets, file: CaseFile, user: StaffUser) -> None:
    """Raises Conflict when another clerk has the case, but for who may take it over."""
    if file.row.assignee not in (None, user.name) and not may(user, "cases.take_over"):
        raise held(secrets, file)


def held(secrets: Secrets, file: CaseFile) -> Conflict:
    """The refusal that names the holder and shows the answer that was given first."""
    holder = file.row.assignee
    first = next((event for event in file.events if event.type == "replied"), None)
    if first is None or first.text_encrypted is None:
        return Conflict(f"工单正由 {holder} 办理", held_by=holder)
    return Conflict(
        f"工单正由 {holder} 办理，{first.actor} 已经答复",
        held_by=holder,
        first_reply=secrets.decrypt(first.text_encrypted),
        first_replied_by=first.actor,
        first_replied_at=first.at.isoformat(),
    )


def written(text: str) -> str:
    """Raises Unprocessable for a text without content."""
    stripped = text.strip()
    if not stripped:
        raise Unprocessable("内容不能为空")
    return stripped


def stripped(text: str | None) -> str | None:
    """A text that may be missing; None also for one without content."""
    return text.strip() or None if text else None
