"""A citizen who writes to a case that is open: what was said last, since when nobody has read it, and who reads it.

Each word makes the case rise in the list until whoever has it has seen it: its clerk, or while nobody has claimed it
the department that it waits for. A case that goes into other hands takes along what was not read.
"""

from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases import repository, sight
from services.cases.holding import NOT_FOUND
from services.cases.models import OPEN_STATUSES, Case
from services.cases.schemas import NewsOut
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import NotFound
from services.core.permissions import may
from services.sla import service as sla

# As much of the last words as a line of the list shows.
WORDS_LIMIT = 60


def hear(secrets: Secrets, case: Case, words: str, now: datetime) -> None:
    """Note that the citizen wrote to a locked case; `words` carry no identifier in the clear."""
    line = " ".join(words.split())
    case.words += 1
    case.words_at = now
    case.words_encrypted = secrets.encrypt(line if len(line) <= WORDS_LIMIT else line[: WORDS_LIMIT - 1] + "…")
    if case.unread_since is None:
        case.unread_since = now


def citizen_spoke(
    uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, words: str, title: str | None, seq: int, now: datetime
) -> str | None:
    """The citizen wrote `words` (message `seq`) in a conversation: its open case has heard it, or the one that its case
    goes on in. Returns that case's number, None when none is open.

    `title` is the sentence that says what the matter is, for a case that was opened without one.
    """
    found = repository.hearing_case(uow.session, conversation_id)
    case = repository.lock_case(uow.session, found) if found is not None else None
    if case is None or case.status not in OPEN_STATUSES:
        return None
    hear(secrets, case, words, now)
    if title is not None and not case.titled and case.conversation_id == conversation_id:
        name(secrets, case, title, seq)
    return case.case_no


def name(secrets: Secrets, case: Case, title: str, seq: int | None) -> None:
    """Give a locked case its title, which the message `seq` of its conversation says (None: somebody else's words)."""
    case.title_encrypted = secrets.encrypt(title)
    case.titled, case.title_seq = True, seq


def mark_read(uow: UnitOfWork, *, case_no: str, user: StaffUser, upto: int, now: datetime) -> None:
    """`user` has seen the citizen's words up to the number `upto` (`NewsOut.upto`). Only whoever has the case, or may
    take it out of its queue, reads it for good; anybody else's look changes nothing.

    Raises NotFound for a case that `user` may not know of.
    """
    case = repository.find_case(uow.session, case_no)
    if case is None or not sight.is_visible(uow, user, case):
        raise NotFound(NOT_FOUND)
    if case.words_read >= min(upto, case.words) or not _is_for(case, user):
        return
    locked = repository.lock_case(uow.session, case_no)
    if locked is None or not _is_for(locked, user):
        return
    locked.words_read = max(locked.words_read, min(upto, locked.words))
    # What came between the look and this moment is unread from now on.
    locked.unread_since = None if locked.words_read == locked.words else now


def news_of(secrets: Secrets, case: Case) -> NewsOut | None:
    """What the citizen of an open case wrote; None when nothing came since it was opened. For who may see the case."""
    if not case.words or case.words_at is None or case.status not in OPEN_STATUSES:
        return None
    return NewsOut(
        unread=case.words - case.words_read,
        upto=case.words,
        since=case.unread_since,
        at=case.words_at,
        words=secrets.decrypt(case.words_encrypted) if case.words_encrypted is not None else None,
    )


def _is_for(case: Case, user: StaffUser) -> bool:
    """Whether the case is in `user`'s hands, or waits for somebody like them: a supervisor who looks around takes no
    case away from those it waits for."""
    if not may(user, "cases.work"):
        return False
    if case.assignee is not None:
        return case.assignee == user.name
    if case.confidential or user.department == case.department:
        return True
    everybodys = user.department is None or case.department == sla.UNASSIGNED
    return everybodys and not may(user, "cases.take_over")
