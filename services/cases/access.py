"""Who is named for a confidential case (`sight` says what that means), and who hears of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.accounts import service as accounts
from services.cases import sight_repository
from services.cases.models import Case
from services.core.database import UnitOfWork
from services.core.permissions import may
from services.notifications import service as notifications
from services.sla import service as sla

NOBODY_NAMED = (
    "尚未指定保密工单（举报）的知悉人员，举报将无人能看到。请管理员在 desk.yaml 的 confidential_readers 中指定。"
)


@dataclass(frozen=True)
class Named:
    """Whom the city names for all tip-offs: `able` can log in and work on cases, `unable` have no such account."""

    able: tuple[str, ...]
    unable: tuple[str, ...]

    @property
    def problem(self) -> str | None:
        """What must be set up before the first tip-off comes, in one line; None when somebody is there to read it."""
        if self.able:
            return None
        if self.unable:
            names = "、".join(self.unable)
            return f"保密工单（举报）的知悉人员 {names} 没有可以办理工单的账号，举报将无人能看到。请管理员创建账号。"
        return NOBODY_NAMED


def named(uow: UnitOfWork) -> Named:
    """Whom the city names for all tip-offs, and whether they can do anything about one."""
    able: list[str] = []
    unable: list[str] = []
    for name in sorted(sla.desk_rules(uow).named_for_tip_offs):
        user = accounts.find_user(uow, name)
        (able if user is not None and may(user, "cases.work") else unable).append(name)
    return Named(tuple(able), tuple(unable))


def readers(uow: UnitOfWork, case: Case) -> list[str]:
    """The names of those who may open a confidential case, in order."""
    return sorted({*sla.desk_rules(uow).named_for_tip_offs, *sight_repository.access_names(uow.session, case.id)})


def grant(uow: UnitOfWork, case: Case, name: str, *, by: str, now: datetime) -> None:
    """Let `name` know of the case; again is the same as once."""
    sight_repository.insert_access(uow.session, case.id, name, by, now)


def recipients(uow: UnitOfWork, case: Case, otherwise: Sequence[str], *, late: bool = False) -> list[str]:
    """Who is told: `otherwise`, or for a confidential case those who work on it, by name, and of a missed limit
    (`late`) the supervisor of tip-offs too; no role and no department.

    One that nobody can read must not be forgotten: the administrators hear its number, and name somebody.
    """
    if not case.confidential:
        return list(otherwise)
    rules = sla.desk_rules(uow)
    told = {*rules.confidential_readers, *sight_repository.access_names(uow.session, case.id)}
    if late or not told:
        told |= set(rules.confidential_supervisors)
    found = [f"user:{name}" for name in sorted(told)]
    if any(accounts.find_user(uow, name) is not None for name in told):
        return found
    return [*found, *notifications.everybody_who("hears.unnamed_tip_offs")]
