"""Appending to a case: the event, the status that follows from it, and the audit row, always together."""

from datetime import datetime
from typing import Any, cast

from services.cases.models import Case, CaseEvent
from services.cases.states import EventType, next_status
from services.core.audit import record
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.understanding.case_states import Status


def append(
    uow: UnitOfWork,
    case: Case,
    event: EventType,
    *,
    actor: str,
    now: datetime,
    text: str | None = None,
    secrets: Secrets | None = None,
    data: dict[str, Any] | None = None,
) -> CaseEvent:
    """Append an event to a case that is locked or new; `casefile`, which calls this, knows what follows from it.

    Raises Conflict when it does not fit the status.

    `text` needs `secrets`; `data` is stored as it is and must hold no personal data.
    """
    row = append_past(uow, case, event, at=now, actor=actor, text=text, secrets=secrets, data=data)
    record(uow, actor=actor, action=f"case.{event}", subject=case.case_no, detail=data, now=now)
    return row


def append_past(
    uow: UnitOfWork,
    case: Case,
    event: EventType,
    *,
    at: datetime,
    actor: str = "import",
    text: str | None = None,
    secrets: Secrets | None = None,
    data: dict[str, Any] | None = None,
) -> CaseEvent:
    """Append an event that happened elsewhere at `at`: an import leaves one audit row for all of them."""
    # The row of a new case exists, with its first status, before its first event does.
    status = next_status(None if event == "opened" else cast(Status, case.status), event)
    if text is not None and secrets is None:
        raise ValueError("a text is stored encrypted")
    case.status = status
    case.event_seq += 1
    row = CaseEvent(
        case_id=case.id,
        seq=case.event_seq,
        type=event,
        actor=actor,
        at=at,
        text_encrypted=secrets.encrypt(text) if text is not None and secrets is not None else None,
        data=data or {},
    )
    uow.session.add(row)
    return row
