"""What a person may see of cases: one rule, as SQL over `Case`, on one case, and on what was said around it.

A confidential case (举报) exists for named people only: those that the city names for all of them, those named for this
case, and nobody by office, neither supervisor nor administrator. Whatever lists, counts, opens, links or repeats a case
asks here; `tests/unit/cases/test_no_query_without_sight.py` finds a query that does not.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from services.accounts.schemas import StaffUser
from services.cases import repository, sight_repository
from services.cases.models import Case, CaseAccess
from services.core.database import UnitOfWork
from services.core.permissions import may
from services.sla import service as sla

_EVER: Final = datetime.max.replace(tzinfo=UTC)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NUMBER: Final = re.compile(r"GD\d{13,16}")
# What events say of other cases.
_REFERENCES: Final = ("into", "case_no")


@dataclass(frozen=True)
class Sight:
    """What one person may see: `departments` (None: all) and, with `named`, every confidential case."""

    name: str
    departments: tuple[str, ...] | None
    named: bool

    def condition(self) -> sa.ColumnElement[bool]:
        """As SQL over `Case`, for lists and figures."""
        by_department = Case.department.in_(self.departments) if self.departments is not None else sa.true()
        return sa.or_(sa.and_(Case.confidential.is_(False), by_department), self._secret())

    def hidden(self) -> sa.Select[str]:
        """The numbers of the confidential cases that this person may not know of, for what only mentions cases."""
        return sa.select(Case.case_no).where(Case.confidential.is_(True), sa.not_(self._secret()))

    def everywhere(self) -> "Sight":
        """The same person over all departments, as figures are."""
        return Sight(self.name, None, self.named)

    def _secret(self) -> sa.ColumnElement[bool]:
        if self.named:
            return Case.confidential.is_(True)
        granted = sa.exists().where(CaseAccess.case_id == Case.id, CaseAccess.name == self.name)
        return sa.and_(Case.confidential.is_(True), granted)


NOBODY: Final = Sight("", None, named=False)
"""Whoever is not known by name: the command line, a report that many read. What is confidential is in none of it."""


def sight_of(uow: UnitOfWork, user: StaffUser) -> Sight:
    """What `user` may see: somebody of a department its cases and those that nobody has, unless the right says
    everywhere; confidential cases only by name."""
    limited = user.department is not None and not may(user, "cases.read_everywhere")
    departments = (user.department or "", sla.UNASSIGNED) if limited else None
    return Sight(user.name, departments, user.name in sla.desk_rules(uow).named_for_tip_offs)


def is_visible(uow: UnitOfWork, user: StaffUser, case: Case) -> bool:
    """The same rule on one case."""
    seen = sight_of(uow, user)
    if case.confidential:
        return seen.named or sight_repository.has_access(uow.session, case.id, user.name)
    return seen.departments is None or case.department in seen.departments


def may_see(uow: UnitOfWork, user: StaffUser, case_no: str) -> bool:
    """The same rule on a number; False for one that there is not."""
    case = repository.find_case(uow.session, case_no)
    return case is not None and is_visible(uow, user, case)


def visible_among(uow: UnitOfWork, user: StaffUser, numbers: Collection[str]) -> set[str]:
    """The same rule on many numbers."""
    return sight_repository.numbers_among(uow.session, numbers, sight_of(uow, user).condition())


def secrets_in(uow: UnitOfWork, user: StaffUser | None, *texts: str) -> set[str]:
    """The numbers in texts that are of confidential cases which `user` (None: whoever reads it) may not know of."""
    numbers = {number for text in texts for number in _NUMBER.findall(text)}
    if not numbers:
        return set()
    seen = sight_of(uow, user) if user is not None else NOBODY
    return sight_repository.numbers_among(uow.session, numbers, Case.case_no.in_(seen.hidden()))


def without_secrets(uow: UnitOfWork, user: StaffUser, text: str) -> str:
    """A text that somebody wrote, without the numbers of confidential cases that `user` may not know of."""
    for number in secrets_in(uow, user, text):
        text = text.replace(number, "（工单号）")
    return text


def mentioned(uow: UnitOfWork, user: StaffUser, data: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says, without the number of another case that `user` may not know of (one was merged, and became
    confidential afterwards)."""
    return {
        name: value
        for name, value in data.items()
        if name not in _REFERENCES or not isinstance(value, str) or may_see(uow, user, value)
    }


@dataclass(frozen=True)
class Shade:
    """What of a conversation belongs to confidential cases: the times in which they were told of, each from after its
    first moment to its last, and their numbers, which are repeated outside of these times."""

    spans: tuple[tuple[datetime, datetime], ...] = ()
    numbers: frozenset[str] = frozenset()

    def covers(self, at: datetime, said: str = "") -> bool:
        """Whether something said at that moment in these words is hidden."""
        return any(since < at <= until for since, until in self.spans) or any(one in said for one in self.numbers)

    def __bool__(self) -> bool:
        return bool(self.spans)


def shade(
    uow: UnitOfWork, conversation_id: str, *, apart_from: str | None = None, user: StaffUser | None = None
) -> Shade:
    """What of a conversation belongs to confidential cases other than `apart_from`.

    With `user`, only to those that `user` may not know of (what they read of the conversation); without, to any (what
    is kept elsewhere: a title, a draft, a file). A case is told of from the end of the one before it (the words that
    led to it come before its opening) until it ends, one that was merged until the case that it went on as does.
    """
    rows = sight_repository.spans_of_conversation(uow.session, conversation_id)
    spans, numbers = [], set()
    for case in rows:
        if not case.confidential or case.case_no == apart_from:
            continue
        if user is not None and is_visible(uow, user, case):
            continue
        ended = [one.ended_at for one in rows if one.id < case.id and one.ended_at is not None]
        since = max((at for at in ended if at <= case.created_at), default=_NEVER)
        spans.append((since, _end(uow, case)))
        numbers.add(case.case_no)
    return Shade(tuple(spans), frozenset(numbers))


def _end(uow: UnitOfWork, case: Case) -> datetime:
    seen = {case.case_no}
    while case.status == "merged" and case.merged_into is not None and case.merged_into not in seen:
        seen.add(case.merged_into)
        into = repository.find_case(uow.session, case.merged_into)
        if into is None:
            break
        case = into
    return case.ended_at or _EVER


def readable(
    uow: UnitOfWork, user: StaffUser, messages: Sequence[dict[str, Any]], hidden: Shade
) -> list[dict[str, Any]]:
    """Those of a transcript's messages that `user` may read: what is `hidden` is left out, and what repeats the number
    of a confidential case, as buttons and lists of a citizen's own cases do."""
    left = [(one, json.dumps(one, ensure_ascii=False)) for one in messages]
    if hidden:
        left = [(one, text) for one, text in left if not hidden.covers(_moment(one), text)]
    secret = secrets_in(uow, user, *(text for _, text in left))
    return [one for one, text in left if not any(number in text for number in secret)]


def _moment(message: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(message["created_at"]))
