"""What a citizen adds to a case that is open already."""

from datetime import datetime

from services.cases import casefile, hearing
from services.core.crypto import Secrets
from services.core.database import UnitOfWork

LONGEST = 2000


def add_from_citizen(
    uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, text: str, upto: int, now: datetime
) -> str | None:
    """Append the citizen's words to the open case of the conversation; its number, None when no case is open.

    `text` carries no identifier in the clear; `upto` is the message that it came with. No clock starts or stops.
    """
    file = casefile.lock_open(uow, conversation_id)
    if file is None:
        return None
    file.row.transcript_upto = max(file.row.transcript_upto or 0, upto)
    file.append("added", actor="citizen", now=now, text=text.strip()[:LONGEST], secrets=secrets)
    hearing.hear(secrets, file.row, text, now)
    return file.row.case_no
