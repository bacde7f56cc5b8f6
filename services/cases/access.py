"""Who may know of which case. A confidential one (举报) exists for named people only: those that the city names for all
of them, those named for this case, and nobody by office, neither supervisor nor administrator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.accounts.schemas import StaffUser
from services.cases import repository
from services.cases.models import Case, CaseAccess
from services.core.database import UnitOfWork
from services.core.permissions import may
from services.notifications import service as notifications
from services.sla import service as sla


@dataclass(frozen=True)
class Sight:
    """What one person may see: `departments` (None: all) and, with `named`, every confidential case."""

    name: str
    departments: tuple[str, ...] | None
    named: bool

    def condition(self) -> sa.ColumnElement[bool]:
        """The same as SQL over `Case`, for lists and figures."""
        by_department = Case.department.in_(self.departments) if self.departments is not None else sa.true()
        granted = sa.exists().where(CaseAccess.case_id == Case.id, CaseAccess.name == self.name)
        open_to_all = sa.and_(Case.confidential.is_(False), by_department)
        secret = Case.confidential.is_(True) if self.named else sa.and_(Case.confidential.is_(True), granted)
        return sa.or_(open_to_all, secret)


def sight(uow: UnitOfWork, user: StaffUser) -> Sight:
    """What `user` may see: somebody of a department its cases and those that nobody has, unless the right says
    everywhere; confidential cases only by name."""
    limited = user.department is not None and not may(user, "cases.read_everywhere")
    departments = (user.department or "", sla.UNASSIGNED) if limited else None
    return Sight(user.name, departments, user.name in sla.desk_rules(uow).confidential_readers)


def is_visible(uow: UnitOfWork, user: StaffUser, case: Case) -> bool:
    seen = sight(uow, user)
    if case.confidential:
        return seen.named or repository.has_access(uow.session, case.id, user.name)
    return seen.departments is None or case.department in seen.departments


def readers(uow: UnitOfWork, case: Case) -> list[str]:
    """The names of those who may open a confidential case, in order."""
    return sorted({*sla.desk_rules(uow).confidential_readers, *repository.access_names(uow.session, case.id)})


def grant(uow: UnitOfWork, case: Case, name: str, *, by: str, now: datetime) -> None:
    """Let `name` know of the case; again is the same as once."""
    repository.insert_access(uow.session, case.id, name, by, now)


def recipients(uow: UnitOfWork, case: Case, otherwise: Sequence[str]) -> list[str]:
    """Who is told: `otherwise`, or for a confidential case its readers by name. One that nobody is named for must not
    be forgotten: the administrators hear its number, and name somebody."""
    if not case.confidential:
        return list(otherwise)
    return [f"user:{name}" for name in readers(uow, case)] or notifications.everybody_who("hears.unnamed_tip_offs")
