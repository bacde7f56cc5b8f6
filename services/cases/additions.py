"""What a citizen adds to a case that is open already."""

from datetime import datetime

from services.cases import casefile, confiding, hearing
from services.cases.proposing import Proposal
from services.core.crypto import Secrets
from services.core.database import UnitOfWork

LONGEST = 2000


def add_from_citizen(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    conversation_id: str,
    text: str,
    upto: int,
    now: datetime,
    proposal: Proposal | None = None,
) -> str | None:
    """Append the citizen's words to the open case of the conversation; its number, None when no case is open.

    Words that are a tip-off, by themselves or as the classifier (`proposal`) surely sees them, make the case
    confidential at once. `text` carries no identifier in the clear; `upto` is the message that it came with. No clock
    starts or stops.
    """
    file = casefile.lock_open(uow, conversation_id)
    if file is None:
        return None
    file.row.transcript_upto = max(file.row.transcript_upto or 0, upto)
    file.append("added", actor="citizen", now=now, text=text.strip()[:LONGEST], secrets=secrets)
    if proposal is not None and proposal.kind == confiding.KIND and proposal.sure_of_kind:
        confiding.confide(uow, secrets, file, actor="citizen", now=now)
    else:
        confiding.heed(uow, secrets, file, text, actor="citizen", now=now)
    hearing.hear(secrets, file.row, text, now)
    return file.row.case_no
