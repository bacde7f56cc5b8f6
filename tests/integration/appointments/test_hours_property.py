"""Random changes of hours and calendar between random bookings: what is shown, what is got, and who keeps a place."""

import itertools
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from services.appointments import service as appointments
from services.appointments.models import Appointment
from services.core.clock import SHANGHAI
from services.core.database import Base
from tests.integration.appointments.changing import USUAL, city, outcome
from tests.integration.appointments.conftest import FRIDAY

DAYS = (date(2026, 11, 23), date(2026, 11, 24))
QUARTER = timedelta(minutes=15)
Minutes = set[int]


def clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[str, str]]:
    edges = sorted(draw(st.lists(st.integers(30, 76), min_size=2, max_size=4, unique=True)))
    return [(clock(start), clock(end)) for start, end in zip(edges[::2], edges[1::2], strict=False)]


cities = st.fixed_dictionaries(
    {
        "hours": st.none() | spans(),
        "count": st.integers(1, 2),
        "per_hour": st.integers(1, 4),
        "days": st.dictionaries(st.sampled_from([day.isoformat() for day in DAYS]), st.booleans() | spans()),
        "closed_days": st.sampled_from([[], [DAYS[0].isoformat()]]),
        "half_days": st.sampled_from(["city", "own"]),
        "code": st.sampled_from(["a", "a", "b"]),
    }
)
steps = st.lists(
    st.tuples(st.just("apply"), cities)
    | st.tuples(st.sampled_from(["book", "book", "fill", "move", "cancel", "wait", "sweep"]), st.integers(0, 999)),
    min_size=4,
    max_size=14,
)


def minutes_of(pairs: list[tuple[str, str]]) -> Minutes:
    return {one for start, end in pairs for one in range(minute(start), minute(end))}


def minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def open_minutes(made: dict[str, Any], day: date) -> Minutes:
    """When the windows serve on a day, minute by minute, from what the city wrote; pieces of an hour in which not one
    person can be served are left out."""
    said = made["days"].get(day.isoformat())
    if day.isoformat() in made["closed_days"] or said is False:
        return set()
    given = minutes_of(said) if isinstance(said, list) else None
    if made["hours"] is None:
        found = given or minutes_of(USUAL)
    else:
        found = minutes_of(made["hours"])
        if given is not None and made["half_days"] == "city":
            found &= given
    return {one for piece in pieces(found) if places(made, piece) for one in piece}


def pieces(found: Minutes) -> list[range]:
    """Runs of open minutes that no full hour of the clock lies between."""
    starts = [one for one in sorted(found) if one - 1 not in found or one % 60 == 0]
    ends = {start: next(m for m in itertools.count(start + 1) if m not in found or m % 60 == 0) for start in starts}
    return [range(start, ends[start]) for start in starts]


def places(made: dict[str, Any], piece: range) -> int:
    return int(made["count"] * made["per_hour"] * len(piece)) // 60


def local_minute(moment: datetime) -> int:
    local = moment.astimezone(SHANGHAI)
    return local.hour * 60 + local.minute


class Town:
    """The desk, what the city wrote last, and everybody who books."""

    def __init__(self, desk: Any, folder: Path) -> None:
        self.desk = desk
        self.folder = folder
        self.made: dict[str, Any] = {}
        self.people = itertools.count(1)
        self.cities = itertools.count()

    def apply(self, made: dict[str, Any]) -> None:
        """Apply new hours, and compare what became of each appointment with the minutes that are open now."""
        before = self.live()
        self.made = made
        self.desk.news.clear()
        self.desk.clock.set(self.desk.clock.now() + timedelta(seconds=1))
        self.desk.apply(city(self.folder / str(next(self.cities)), **made))
        told = [(one.data["no"], one.data["status"]) for one in self.desk.news]
        assert len(told) == len(set(told))
        after = self.live()
        assert after.keys() == before.keys(), "nobody is cancelled"
        for no, (start, end, displaced) in before.items():
            day = start.astimezone(SHANGHAI).date()
            first, last = local_minute(start), local_minute(end - timedelta(minutes=1))
            usable = [one for one in sorted(open_minutes(made, day)) if first <= one <= last]
            now_start, _, now_displaced = after[no]
            what = {status for number, status in told if number == no}
            note(f"{no} {first}-{last} usable {usable[:1]} told {what}")
            if usable and usable[0] == first:
                assert (now_start, now_displaced) == (start, False), "who still fits is not moved"
                assert what <= ({"reopened"} if displaced else {"changed"})
            elif usable:
                assert (local_minute(now_start), now_displaced) == (usable[0], False)
                assert what == ({"reopened"} if displaced else {"changed"})
            else:
                assert (now_start, now_displaced) == (start, True)
                assert what == (set() if displaced else {"closed"})

    def live(self) -> dict[str, tuple[datetime, datetime, bool]]:
        with self.desk.database.unit_of_work(read_only=True) as uow:
            rows = uow.session.scalars(sa.select(Appointment).where(Appointment.status == "booked")).all()
            found = [
                one
                for number in {row.conversation_id for row in rows}
                for one in appointments.of_conversation(uow, self.desk.secrets, number)
            ]
        return {one.no: (one.start_at, one.end_at, one.displaced) for one in found}

    def shown(self) -> dict[datetime, int]:
        with self.desk.database.unit_of_work(read_only=True) as uow:
            found = appointments.openings(uow, service="marriage", hall="civil", now=self.desk.clock.now())
        hours = {one.start_at: one.free for one in found if one.start_at.astimezone(SHANGHAI).date() in DAYS}
        for day in DAYS:
            starts = {local_minute(start) for start in hours if start.astimezone(SHANGHAI).date() == day}
            assert starts == {piece[0] for piece in pieces(open_minutes(self.made, day))}
        return hours

    def try_to_book(self, start: datetime) -> str:
        return outcome(self.desk.book, next(self.people), start.isoformat())

    def fill(self, start: datetime) -> int:
        """Book an hour until it is refused; how many got a place."""
        for number in itertools.count():
            result = self.try_to_book(start)
            if not result.startswith("YY"):
                assert result == "full"
                return number
        raise AssertionError("unreachable")

    def step(self, what: str, chance: random.Random) -> None:
        hours = self.shown()
        starts = sorted(hours)
        live = sorted(self.live())
        if what == "sweep":
            self.desk.sweep()
        elif what == "cancel" and live:
            self.desk.cancel(chance.choice(live))
        elif what == "wait":
            self.wait(chance)
        elif what == "move" and live and starts:
            self.move(chance.choice(live), chance.choice(starts), hours)
        elif what == "book" and starts:
            start = chance.choice(starts)
            assert (self.try_to_book(start) == "full") is (hours[start] == 0)
        elif what == "fill" and starts:
            start = chance.choice(starts)
            assert self.fill(start) == hours[start]

    def move(self, no: str, start: datetime, hours: dict[datetime, int]) -> None:
        if self.live()[no][0] == start:
            return
        assert outcome(self.desk.move, no, start.isoformat()) == (no if hours[start] else "full")

    def wait(self, chance: random.Random) -> None:
        first = datetime(*DAYS[0].timetuple()[:3], tzinfo=SHANGHAI) + timedelta(hours=chance.randrange(7, 40))
        last = first + timedelta(hours=3)
        assert outcome(self.desk.wait, next(self.people), first.isoformat(), last.isoformat()) in ("", "late")

    def check(self) -> None:
        """What nobody is shown cannot be had, and what is shown is got to the last place."""
        hours = self.shown()
        for day in DAYS:
            midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
            for quarter in range(26, 80, 3):
                start = midnight + quarter * QUARTER
                if start not in hours:
                    assert self.try_to_book(start) == "closed"
        for start, free in hours.items():
            assert self.fill(start) == free
        assert set(self.shown().values()) <= {0}
        assert self.desk.counted()


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(first=cities, changes=steps)
def test_what_is_shown_free_is_got_and_who_still_fits_stays_whatever_the_city_changes(
    desk: Any, tmp_path_factory: Any, first: dict[str, Any], changes: list[Any]
) -> None:
    with desk.database.unit_of_work() as uow:
        for table in reversed(Base.metadata.sorted_tables):
            uow.session.execute(table.delete())
        uow.commit()
    desk.clock.set(FRIDAY)
    town = Town(desk, tmp_path_factory.mktemp("city"))
    town.apply(first)
    for what, given_to in changes:
        if what == "apply":
            town.apply(given_to)
        else:
            town.step(what, random.Random(given_to))
    town.check()
