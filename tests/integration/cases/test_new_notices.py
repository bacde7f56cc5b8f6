"""A new release of the software knows of a notice: calendar, clocks and hours follow it once."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.appointments import tasks as appointments
from services.cases import tasks
from services.sla import service as sla
from services.sla.models import CityVersion
from tests.integration.cases.conftest import DEMO_CITY


def applied_by(desk: Any, release: list[int] | None) -> None:
    """Let the calendar be one that another release of the software applied (None: one that wrote none down)."""
    with desk.database.unit_of_work() as uow:
        version = uow.session.scalars(
            sa.select(CityVersion).where(CityVersion.document == "calendar").order_by(CityVersion.id.desc())
        ).first()
        said = {} if release is None else {"release": release}
        version.settings = {key: value for key, value in version.settings.items() if key != "release"} | said
        uow.commit()


def calendar_version(desk: Any) -> int:
    with desk.database.unit_of_work(read_only=True) as uow:
        return sla.calendar_version(uow)


def test_clocks_follow_the_notices_of_a_newer_release_once(desk: Any) -> None:
    case_no = desk.open().case_no
    before, due = calendar_version(desk), desk.detail(case_no).next_due_at
    assert not appointments.follow_notices(desk.database, desk.clock.now())
    for release in ([0, 1], None):
        applied_by(desk, release)
        assert appointments.follow_notices(desk.database, desk.clock.now())
        assert not appointments.follow_notices(desk.database, desk.clock.now())
        assert calendar_version(desk) > before
        before = calendar_version(desk)
        assert tasks.recompute_stale(desk.database, desk.clock.now()) == 1
        assert tasks.recompute_stale(desk.database, desk.clock.now()) == 0
    # The days are the same, so nothing is due at another time.
    assert desk.detail(case_no).next_due_at == due
    assert desk.events(case_no) == ["opened"]


def test_a_process_of_an_older_release_never_goes_back(desk: Any) -> None:
    applied_by(desk, [9999, 0])
    before = calendar_version(desk)
    assert not appointments.follow_notices(desk.database, desk.clock.now())
    assert calendar_version(desk) == before


def test_the_days_that_the_city_entered_stay(desk: Any, tmp_path: Path) -> None:
    city = tmp_path / "city"
    shutil.copytree(DEMO_CITY, city)
    calendar = city / "calendar.yaml"
    day = 'days: [{day: 2027-01-04, working: true, hours: [{start: "09:00", end: "11:00"}], source: 示范通知}]'
    calendar.write_text(calendar.read_text("utf-8").replace("days: []", day), "utf-8")
    desk.apply_city(city)
    applied_by(desk, [0, 1])
    with desk.database.unit_of_work(read_only=True) as uow:
        hours, overrides = sla.load_calendar(uow).hours, dict(sla.load_calendar(uow).overrides)
    assert len(overrides) == 1
    assert appointments.follow_notices(desk.database, desk.clock.now())
    with desk.database.unit_of_work(read_only=True) as uow:
        assert (sla.load_calendar(uow).hours, dict(sla.load_calendar(uow).overrides)) == (hours, overrides)


def test_without_a_city_there_is_nothing_to_follow(bare_desk: Any) -> None:
    assert not appointments.follow_notices(bare_desk.database, bare_desk.clock.now())


def test_a_limit_at_the_end_of_december_is_shown_as_provisional(desk: Any) -> None:
    desk.at("2026-12-28T10:00")
    case_no = desk.open().case_no
    clocks = desk.detail(case_no).clocks
    assert [clock.provisional for clock in clocks if clock.target == "first_response"] == [True]
