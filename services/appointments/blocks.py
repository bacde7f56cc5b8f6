"""The no-show rule as a pure function."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.appointments.schemas import NoShowRule


def blocked_until(rule: NoShowRule, missed: Iterable[datetime]) -> datetime | None:
    """Until when somebody who missed appointments at these moments cannot book; None without a block.

    After a block the count begins anew, and what is missed while one runs (booked before it) counts again from one.
    """
    until: datetime | None = None
    recent: list[datetime] = []
    for moment in sorted(missed):
        recent = [earlier for earlier in recent if moment - earlier <= timedelta(days=rule.within_days)]
        recent.append(moment)
        if len(recent) >= rule.count:
            until = moment + timedelta(days=rule.block_days)
            recent = []
    return until
