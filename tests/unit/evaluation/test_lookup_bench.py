"""The measurement of lookups on a small scale: every way is there, and all ways find the same points."""

from pathlib import Path

from services.container import DEMO_CITY
from services.core.coordinates import Position
from services.core.database import Base, Database
from services.evaluation import lookup_bench
from services.places import service as places


def test_every_way_is_measured_beside_its_peer(tmp_path: Path) -> None:
    size = lookup_bench.Size(rounds=20, points=1000)
    tables = lookup_bench.measure(tmp_path, DEMO_CITY / "connectors", "", size, lambda line: None)
    ways = [row["way"] for row in tables["lookups"]]
    assert ways == [
        "the HTTP call alone", "the gateway alone", "a lookup, asked", "a lookup, cached", "a lookup, breaker open",
    ]  # fmt: skip
    assert tables["lookups"][0]["ratio"] == tables["nearby"][0]["ratio"] == 1.0
    assert all(row["p50_ms"] > 0 for table in tables.values() for row in table if "p50_ms" in row)


def test_the_tree_and_the_index_and_the_product_find_the_same_points(tmp_path: Path) -> None:
    rows = lookup_bench.generated_points(3000)
    database = Database(f"sqlite:///{tmp_path / 'points.db'}")
    Base.metadata.create_all(database.engine)
    places.import_points(database, rows)
    plain = lookup_bench._PlainSql(tmp_path / "plain.db", rows)
    for number in range(10):
        here = Position(22.5 + number / 100, 114.0 + number / 80)
        by_tree, by_index = plain.by_tree(here, 1), plain.by_index(here, 1)
        assert by_tree == by_index
        found = places.nearest(database, here, "公共厕所", 5)
        assert found is not None
        # The product looks on while a corner of the box may hide a nearer one, so only the first is surely the same.
        assert found.points[0].name == by_index[0][0]
    database.dispose()
