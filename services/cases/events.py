"""News of the case desk, for the rooms above it (architecture, Cases upward)."""

from dataclasses import dataclass, field
from datetime import datetime

from services.core.events import Event


@dataclass(frozen=True)
class CaseNews(Event):
    """What every news carries; `actor` is a staff member's name, or "citizen" or "bot".

    For the citizen of a case that was merged into another, `case_no` is that citizen's own and `through` the other.
    """

    case_no: str
    conversation_id: str | None
    actor: str
    at: datetime
    through: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class CaseOpened(CaseNews):
    priority: str = "normal"


@dataclass(frozen=True)
class CaseClaimed(CaseNews):
    """The actor holds the case, and from now on the conversation; told again when the holder claims once more."""


@dataclass(frozen=True)
class CaseAcknowledged(CaseNews):
    """Somebody on the staff has said 已收到 to the danger in the case; `who` is their department and post."""

    who: str = ""


@dataclass(frozen=True)
class CaseReplied(CaseNews):
    """`seq` is the event's number in the case: together with case_no it names this reply."""

    text: str = ""
    clerk: str = ""
    seq: int = 0


@dataclass(frozen=True)
class CaseAssigned(CaseNews):
    """The case waits for `assignee` (None: for whoever of the queue comes first) of `department`."""

    department: str = ""
    assignee: str | None = None


@dataclass(frozen=True)
class CaseHeld(CaseNews):
    """The citizen is asked (`text`) for something by `until`; the clocks stand still."""

    text: str = ""
    clerk: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class CaseExtended(CaseNews):
    """A limit was extended with approval; `reason` is for the citizen."""

    due_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class CaseMerged(CaseNews):
    """The case goes on as `into`."""

    into: str = ""


@dataclass(frozen=True)
class CaseResolved(CaseNews):
    pass


@dataclass(frozen=True)
class CaseClosed(CaseNews):
    """`withdrawn` by the citizen, `confirmed` by the citizen, or closed by the staff."""

    how: str = "closed"


@dataclass(frozen=True)
class CaseReopened(CaseNews):
    pass


@dataclass(frozen=True)
class CaseTransferred(CaseNews):
    department: str = ""
