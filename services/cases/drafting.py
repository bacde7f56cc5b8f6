"""Learning from an answer: a settled case becomes a draft of the knowledge base, with nothing personal in it."""

import re
from collections.abc import Callable
from datetime import datetime

from services.accounts.schemas import StaffUser
from services.cases.holding import locked
from services.cases.models import Case
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden
from services.knowledge import service as knowledge
from services.knowledge.schemas import DraftView
from services.sla import service as sla
from services.understanding.masks import MASKED
from services.understanding.person_names import CALLED, NAMED
from services.understanding.placeholders import PLACEHOLDER

SETTLED = ("resolved", "closed")

_CASE_NO = re.compile(r"(?<![A-Za-z0-9])GD\d{13,}")
# A phone number, an identity card, a bank card: with blanks or dashes in it or not.
_LONG_NUMBER = re.compile(r"(?<!\d)1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)|(?<!\d)\d(?:[ -]?\d){13,18}[ -]?[\dXx]?(?![\dXx])")
_E_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_CALLED = re.compile(rf"{CALLED.pattern}(?:先生|女士|小姐|同志)")


def draft(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    case_no: str,
    user: StaffUser,
    now: datetime,
    hide: Callable[[str], str],
    question: str = "",
) -> DraftView:
    """Draft an entry from a settled case and all that its clerks answered; again is the same draft.

    `question` is what the citizen asked, the case's title without one. `hide` takes identifiers out of a text. Raises
    NotFound, Forbidden for a confidential case, Conflict for one that is not settled or has no answer.
    """
    file = locked(uow, case_no, user)
    case = file.row
    if case.confidential:
        raise Forbidden("保密工单不能写入知识库")
    origin = f"case:{case.case_no}"
    known = knowledge.draft_of(uow, origin)
    if known is not None:
        return known
    if case.status not in SETTLED:
        raise Conflict("工单办结后才能写入知识库", case_status=case.status)
    answers = [
        secrets.decrypt(event.text_encrypted)
        for event in file.events
        if event.type == "replied" and event.text_encrypted is not None
    ]
    if not answers:
        raise Conflict("工单还没有答复", case_status=case.status)
    asked = question.strip() or secrets.decrypt(case.title_encrypted)
    made, fresh = knowledge.draft(
        uow,
        origin=origin,
        question=impersonal(asked, hide),
        # In their order; what was said twice, once.
        answer=impersonal("\n\n".join(dict.fromkeys(answers)), hide),
        department=_department(case),
        actor=user.name,
        now=now,
    )
    if fresh:
        file.append("drafted", actor=user.name, now=now, data={"draft": made.id})
    return made


def draft_of(uow: UnitOfWork, case_no: str) -> DraftView | None:
    """The draft that was made of a case."""
    return knowledge.draft_of(uow, f"case:{case_no}")


def impersonal(text: str, hide: Callable[[str], str]) -> str:
    """A text without identifiers, masks, case numbers and names as far as they can be told; an editor reads it anyway.

    >>> impersonal("王先生您好，请带138****6125的回执", lambda text: text)
    '市民您好，请带（号码）的回执'
    """
    text = PLACEHOLDER.sub(r"（\1）", text)
    text = hide(text)
    text = PLACEHOLDER.sub(r"（\1）", text)
    for pattern in (_E_MAIL, MASKED, _CASE_NO, _LONG_NUMBER):
        text = pattern.sub("（号码）", text)
    text = re.sub(r"(?:（号码）){2,}", "（号码）", text)
    text = NAMED.sub(r"\1（姓名）", text)
    return _CALLED.sub("市民", text).strip()


def _department(case: Case) -> str | None:
    return case.department if case.department not in (sla.UNASSIGNED, sla.SEVERAL_DEPARTMENTS) else None
