"""What a citizen adds to a case that is open already."""

from datetime import datetime

from services.cases import log, repository
from services.core.crypto import Secrets
from services.core.database import UnitOfWork

LONGEST = 2000


def add_from_citizen(
    uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, text: str, upto: int, now: datetime
) -> str | None:
    """Append the citizen's words to the open case of the conversation; its number, None when no case is open.

    `text` carries no identifier in the clear; `upto` is the message that it came with. No clock starts or stops.
    """
    case = repository.lock_open_case_of(uow.session, conversation_id)
    if case is None:
        return None
    case.transcript_upto = max(case.transcript_upto or 0, upto)
    log.append(uow, case, "added", actor="citizen", now=now, text=text.strip()[:LONGEST], secrets=secrets)
    return case.case_no
