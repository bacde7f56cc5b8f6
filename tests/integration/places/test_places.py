"""The city's own points: import, nearest, typed places, on both databases."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.core.clock import FixedClock, parse_moment
from services.core.coordinates import Position, wgs84_to_gcj02
from services.core.crypto import Secrets
from services.core.database import Database
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService
from services.places import service as places
from services.places.models import Place, PlaceKind
from services.places.schemas import PlaceRow

CENTRE = Position(22.5431, 114.0579)
ALL_DAY = [{"days": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}]


def point(number: int, kind: str = "公共厕所", lat: float = 22.5431, lng: float = 114.0579, **more: Any) -> PlaceRow:
    given = {"id": f"p{number}", "name": f"{kind}{number}号", "kind": kind, "lat": lat, "lng": lng}
    return PlaceRow.model_validate(given | more)


def scattered(count: int, seed: int = 1) -> list[PlaceRow]:
    rng = random.Random(seed)
    kinds = ["公共厕所", "停车场", "派出所", "图书馆"]
    return [
        point(number, rng.choice(kinds), CENTRE.lat + rng.gauss(0, 0.1), CENTRE.lng + rng.gauss(0, 0.1))
        for number in range(count)
    ]


@pytest.mark.parametrize("what", [None, "图书馆", "厕所"])
def test_the_nearest_are_those_that_a_look_at_every_point_finds(database: Database, what: str | None) -> None:
    rows = scattered(2000)
    places.import_points(database, rows)
    rng = random.Random(2)
    for _ in range(20):
        here = Position(CENTRE.lat + rng.gauss(0, 0.15), CENTRE.lng + rng.gauss(0, 0.15))
        found = places.nearest(database, here, what, 5)
        assert found is not None
        of_kind = [row for row in rows if what is None or row.kind == what or what in row.kind]
        wanted = sorted(round(places.metres(here, Position(row.lat, row.lng))) for row in of_kind)[:5]
        assert [one.distance for one in found.points] == wanted


def test_a_rare_kind_far_away_is_found_and_what_is_in_another_city_is_not(database: Database) -> None:
    near = [point(number, lat=CENTRE.lat + number / 1000) for number in range(50)]
    far = [point(900, "车管所", lat=CENTRE.lat + 0.5), point(901, "动物园", lat=CENTRE.lat + 5)]
    places.import_points(database, near + far)
    found = places.nearest(database, CENTRE, "车管所", 5)
    assert found is not None
    assert [(one.name, round(one.distance, -3)) for one in found.points] == [("车管所900号", 56000)]
    assert places.nearest(database, CENTRE, "动物园", 5) == places.Nearest([], None)
    assert places.nearest(database, CENTRE, "火箭发射场", 5) == places.Nearest([], None)


def test_words_of_a_kind_find_it(database: Database) -> None:
    places.import_points(database, [point(1, words=["厕所", "洗手间"]), point(2, "停车场")])
    found = places.nearest(database, CENTRE, "最近的洗手间", 5)
    assert found is not None
    assert [one.kind for one in found.points] == ["公共厕所"]


def test_a_typed_place_is_found_by_name_then_by_address(database: Database) -> None:
    rows = [
        point(1, "图书馆", name="市民中心图书馆", address="福中路1号"),
        point(2, "政务服务大厅", name="市民中心", address="福中三路", lat=22.55),
        point(3, "停车场", address="学府路88号", lat=22.60, lng=114.10),
    ]
    places.import_points(database, rows)
    by_name = places.nearest(database, "市民中心附近", None, 1)
    by_address = places.nearest(database, "我在学府路", None, 1)
    assert by_name is not None
    assert by_address is not None
    assert (by_name.centre, by_name.points[0].distance) == ("市民中心", 0)
    assert (by_address.centre, by_address.points[0].name) == ("学府路88号", "停车场3号")
    assert places.nearest(database, "月球", None, 1) is None
    assert places.nearest(database, "100%_", None, 1) is None


def test_importing_again_updates_moves_and_with_replace_removes(database: Database) -> None:
    first = places.import_points(database, [point(1), point(2, "停车场"), point(3)])
    assert (first.created, first.updated, first.removed) == (3, 0, 0)
    moved = point(1, lat=23.0, name="搬走的厕所")
    second = places.import_points(database, [moved, point(4)], replace=True)
    assert (second.created, second.updated, second.removed) == (1, 1, 2)
    found = places.nearest(database, Position(23.0, 114.0579), "厕所", 1)
    assert found is not None
    assert [(one.name, one.distance) for one in found.points] == [("搬走的厕所", 0)]
    here = places.nearest(database, CENTRE, None, 5)
    assert here is not None
    assert next(one.name for one in here.points) == "公共厕所4号"
    with database.unit_of_work(read_only=True) as uow:
        assert uow.session.scalars(sa.select(PlaceKind.name)).all() == ["公共厕所"]


def test_a_file_without_a_column_leaves_it_alone_and_what_is_emptied_is_told(database: Database) -> None:
    places.import_points(database, [point(1, address="福中路1号", phone="0755-1", hours=ALL_DAY), point(2)])

    def stored() -> tuple[str, str, str, int]:
        with database.unit_of_work(read_only=True) as uow:
            row = uow.session.scalars(sa.select(Place).where(Place.code == "p1")).one()
            return row.name, row.address, row.phone, len(row.hours)

    renamed = places.import_points(database, [point(1, name="新公厕"), point(2, address="")])
    assert stored() == ("新公厕", "福中路1号", "0755-1", 1)
    assert renamed.emptied == {}
    assert places.import_points(database, [point(1, phone="")]).emptied == {"p1": ["phone"]}
    assert stored() == ("公共厕所1号", "福中路1号", "", 1)
    replaced = places.import_points(database, [point(1), point(2)], replace=True)
    assert replaced.emptied == {"p1": ["address", "hours"]}
    assert stored() == ("公共厕所1号", "", "", 0)


def test_the_index_is_used(database: Database) -> None:
    places.import_points(database, scattered(3000))
    with database.unit_of_work() as uow:
        if not database.is_sqlite:
            uow.session.execute(sa.text("ANALYZE places"))
            uow.commit()
    with database.unit_of_work(read_only=True) as uow:
        query = (
            "SELECT id FROM places WHERE kind_id = 1 AND lat BETWEEN 22.54 AND 22.541 AND lng BETWEEN 114.05 AND 114.06"
        )
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = " ".join(str(row) for row in uow.session.execute(sa.text(f"{explain} {query}")).all())
    assert "ix_places_kind_id" in plan


def lookup_service(database: Database) -> LookupService:
    return LookupService(
        database=database,
        gateway=Gateway({}),
        secrets=Secrets(["k" * 32]),
        clock=FixedClock(parse_moment("2026-11-21T12:00")),
        resolve=lambda conversation_id, placeholder: None,
    )


def test_a_citizen_reads_distance_opening_and_a_map_link(database: Database) -> None:
    places.import_points(
        database,
        [
            point(1, hours=ALL_DAY, address="福中路1号", phone="0000-8123456"),
            point(2, lat=22.5531, hours=[{"days": [1], "opens": "09:00", "closes": "17:00"}]),
        ],
    )
    service = lookup_service(database)
    here = asyncio.run(service.query("nearby", "c1", 1, {"location": "22.5431,114.0579", "service": "厕所"}))
    assert here.state == "done"
    assert "1. 公共厕所1号（0 米，现在开放）\n地址：福中路1号" in here.text
    assert "2. 公共厕所2号（1.1 公里，现在不开放）" in here.text
    assert "https://uri.amap.com/marker?position=114.057900,22.543100&name=" in here.text
    typed = asyncio.run(service.query("nearby", "c1", 2, {"location": "福中路", "service": "厕所"}))
    assert typed.text.startswith("按“福中路1号”附近查找：")
    nowhere = asyncio.run(service.query("nearby", "c1", 3, {"location": "月球", "service": "厕所"}))
    assert nowhere.state == "not_found"
    detail = asyncio.run(
        service.detail("nearby", "c1", 4, {"location": "福中路", "service": "厕所"}, about="phone", at=0)
    )
    assert "0000-8123456" in detail.text


def test_a_position_of_a_telephone_is_brought_to_the_map_s_own_system(database: Database) -> None:
    there = wgs84_to_gcj02(22.5400, 114.0530)
    places.import_points(database, [point(1, lat=there.lat, lng=there.lng)])
    service = lookup_service(database)
    satellite = asyncio.run(service.query("nearby", "c1", 1, {"location": "22.5400,114.0530;wgs84"}))
    assert satellite.data["points"][0]["distance"] == 0
    mistaken = asyncio.run(service.query("nearby", "c1", 2, {"location": "22.5400,114.0530"}))
    assert 400 < mistaken.data["points"][0]["distance"] < 800


def test_without_points_of_our_own_the_connector_is_asked(database: Database) -> None:
    assert asyncio.run(lookup_service(database).query("nearby", "c1", 1, {"location": "1,1"})).data == {
        "reason": "no_connector"
    }


def test_the_command_imports_a_file_and_names_the_rows_it_refuses(tmp_path: Path, monkeypatch: Any) -> None:
    from typer.testing import CliRunner

    from services import schema
    from services.cli import app

    url = f"sqlite:///{tmp_path / 'huiying.db'}"
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", url)
    schema.upgrade(Database(url))
    file = tmp_path / "points.csv"
    file.write_text(
        "id,name,kind,lat,lng,hours\n"
        "1,东门厕所,公共厕所,22.54,114.05,1-5 09:00-12:00; 6-7 10:00-16:00\n"
        "2,坏行,公共厕所,222,114.05,\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["places", "import", str(file), "--coordinates", "wgs84", "--json"])
    assert done.exit_code == 0, done.output
    assert '"created": 1' in done.output
    assert "points.csv:3: 纬度超出范围" in done.stderr
    with Database(url).unit_of_work(read_only=True) as uow:
        row = uow.session.scalars(sa.select(Place)).one()
    assert (round(row.lat, 3), round(row.lng, 3)) != (22.54, 114.05)
    assert row.hours[1] == {"days": [6, 7], "opens": "10:00", "closes": "16:00"}
