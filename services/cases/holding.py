"""Finding and locking a case for an action, and who holds it."""

from services.accounts.schemas import StaffUser
from services.cases import access, repository
from services.cases.models import Case
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable

NOT_FOUND = "没有这个工单"
SUPERVISING = ("supervisor", "admin")


def locked(uow: UnitOfWork, case_no: str, user: StaffUser) -> Case:
    """The case, locked. Raises NotFound also for one that `user` may not know of."""
    case = repository.lock_case(uow.session, case_no)
    if case is None or not access.is_visible(uow, user, case):
        raise NotFound(NOT_FOUND)
    return case


def must_hold(uow: UnitOfWork, secrets: Secrets, case: Case, user: StaffUser) -> None:
    """Raises Conflict when another clerk has the case; supervisors act on every case."""
    if case.assignee not in (None, user.name) and user.role not in SUPERVISING:
        raise held(uow, secrets, case)


def held(uow: UnitOfWork, secrets: Secrets, case: Case) -> Conflict:
    """The refusal that names the holder and shows the answer that was given first."""
    first = repository.first_reply(uow.session, case.id)
    if first is None or first.text_encrypted is None:
        return Conflict(f"工单正由 {case.assignee} 办理", held_by=case.assignee)
    return Conflict(
        f"工单正由 {case.assignee} 办理，{first.actor} 已经答复",
        held_by=case.assignee,
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
