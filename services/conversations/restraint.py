"""How much comes in from one address in an hour, counted where it is stored; nobody is unheard for it."""

from datetime import datetime

from services.cases import service as cases
from services.conversations.models import Conversation
from services.core import tallies
from services.core.database import UnitOfWork
from services.core.errors import TooManyRequests
from services.core.limits import PerAddress

ADDITIONS_OF_ONE = 40


class Restraint:
    """The limits of what a citizen's conversation brings, by where it is written from (`Conversation.origin`).

    Of an origin that nobody knows, only the limits of each conversation hold.
    """

    def __init__(self, per_address: PerAddress) -> None:
        self._per_address = per_address

    def alarms(self, row: Conversation) -> cases.AlarmsFrom:
        """Where an urgent case comes from, and how many an hour are believed from there."""
        return cases.AlarmsFrom(row.origin, self._per_address.alarms)

    def note_addition(self, uow: UnitOfWork, row: Conversation, now: datetime) -> None:
        """Count something more for a case: words or a file. Raises TooManyRequests, and then nothing is kept of it."""
        if not tallies.take(uow, what="additions", who=row.id, limit=ADDITIONS_OF_ONE, now=now):
            raise TooManyRequests("补充的内容较多，请一小时后再补充")
        limit = self._per_address.additions
        if row.origin and not tallies.take(uow, what="additions", who=row.origin, limit=limit, now=now):
            raise TooManyRequests("您所在的网络补充的内容较多，请一小时后再补充")
