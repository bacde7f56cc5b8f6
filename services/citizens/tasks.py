"""Jobs of the worker."""

from datetime import datetime, timedelta

from services.citizens import repository
from services.citizens.city import load_rules
from services.core.database import Database, UnitOfWork

CODES_KEPT = timedelta(days=1)
SENT_KEPT = timedelta(days=3 * 365)


def tidy(database: Database, now: datetime) -> None:
    """Delete codes after a day, phones after the days they are trusted, notes of what was sent after three years."""

    def step(uow: UnitOfWork) -> None:
        trusted = timedelta(days=load_rules(uow).codes.trusted_days)
        repository.delete_old(uow.session, codes=now - CODES_KEPT, phones=now - trusted, sent=now - SENT_KEPT)

    database.write(step)
