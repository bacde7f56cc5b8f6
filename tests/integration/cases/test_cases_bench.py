"""The bench of the case desk measures what it says: run small, on PostgreSQL."""

from pathlib import Path

import psycopg
import pytest

import services
from services.core.clock import parse_moment
from services.core.database import Database
from services.core.errors import BadRequest
from services.evaluation import cases_bench
from tests.integration.conftest import postgres_address

DEMO_CITY = Path(services.__file__).parent / "demo_city"


def databases() -> set[str]:
    with psycopg.connect(postgres_address(), autocommit=True) as server:
        found = server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'huiying_bench_%'").fetchall()
    return {str(name) for (name,) in found}


def test_the_sweep_finds_just_what_is_due_by_the_index_and_leaves_no_database_behind(postgres: Database) -> None:
    before = databases()
    figures = cases_bench.measure(
        postgres_address(),
        DEMO_CITY,
        (1_000, 4_000),
        100,
        now=parse_moment("2026-11-20T10:00"),
        say=lambda line: None,
    )
    assert [(row["open"], row["due"], row["raised"]) for row in figures["rows"]] == [
        (1_000, 10, 10),
        (1_000, 100, 100),
        (4_000, 10, 10),
        (4_000, 100, 100),
    ]
    assert all(row["uses_index"] for row in figures["rows"])
    assert figures["ratios"]["open"] == 4
    assert databases() <= before


def test_another_kind_of_database_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadRequest), cases_bench.scratch_database(f"sqlite:///{tmp_path / 'x.db'}"):
        pass
