"""The migrations make exactly the tables that the code works with."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services import schema
from services.core.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'empty.db'}")
    made: Database = request.getfixturevalue("postgres")
    schema.METADATA.drop_all(made.engine)
    return made


def test_an_upgraded_database_differs_in_nothing_from_the_models_and_upgrading_twice_is_harmless(
    empty_database: Database,
) -> None:
    schema.upgrade(empty_database)
    schema.upgrade(empty_database)
    assert schema.is_current(empty_database)
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []
    empty_database.dispose()
