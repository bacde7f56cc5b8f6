"""Time comes in as an argument: production passes `SystemClock`, tests pass `FixedClock`."""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

# Days outside of these are slips of the hand or tricks: nothing of a city's begins before or ends after them, and
# within them every sum of a moment and a limit is a moment that both databases take.
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
# The clocks of the earth (tz database): from Baker Island to the Line Islands.
WESTMOST, EASTMOST = timedelta(hours=-12), timedelta(hours=14)


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the current moment as an aware datetime in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved.

    >>> clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(minutes=5))
    >>> clock.now().minute
    5
    """

    def __init__(self, moment: datetime) -> None:
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        return self._moment

    def set(self, moment: datetime) -> None:
        self._moment = moment.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        self._moment += by


def day_in_reach(day: date) -> date:
    """The same day. Raises ValueError for one before 1900 or after 2199."""
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"a day between {EARLIEST} and {LATEST} is expected")
    return day


def moment_in_reach(moment: datetime) -> datetime:
    """The same moment in UTC; one without a zone is Asia/Shanghai.

    Raises ValueError for a day out of reach (`day_in_reach`) and for an offset that no clock on earth has.
    """
    day_in_reach(moment.date())
    if moment.tzinfo is None:
        return moment.replace(tzinfo=SHANGHAI).astimezone(UTC)
    offset = moment.utcoffset() or timedelta()
    if not WESTMOST <= offset <= EASTMOST or offset % timedelta(minutes=1):
        raise ValueError("a zone between -12:00 and +14:00 is expected, in hours and minutes")
    return moment.astimezone(UTC)


def parse_moment(text: str) -> datetime:
    """Parse an ISO 8601 moment; one without a zone is Asia/Shanghai (DESIGN, command line). Returns UTC.

    Raises ValueError when the text is no ISO 8601 date or date-time, or out of reach (`moment_in_reach`).
    """
    return moment_in_reach(datetime.fromisoformat(text))


def parse_day(text: str) -> date:
    """Parse a day as `2026-09-30`. Raises ValueError for anything else, and for a day out of reach."""
    return day_in_reach(date.fromisoformat(text))
