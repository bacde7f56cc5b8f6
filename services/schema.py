"""The database's schema: every table of every feature, and its migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.accounts import models as accounts_models
from services.appointments import models as appointments_models
from services.bindings import models as bindings_models
from services.cases import models as cases_models
from services.citizens import models as citizens_models
from services.conversations import models as conversations_models
from services.core import audit, rotation, tallies
from services.core.database import Base, Database
from services.knowledge import models as knowledge_models
from services.lookups import models as lookups_models
from services.menus import models as menus_models
from services.notifications import models as notifications_models
from services.places import models as places_models
from services.sla import models as sla_models

MODELS = (
    audit,
    rotation,
    tallies,
    accounts_models,
    appointments_models,
    bindings_models,
    cases_models,
    citizens_models,
    conversations_models,
    knowledge_models,
    lookups_models,
    menus_models,
    notifications_models,
    places_models,
    sla_models,
)
METADATA = Base.metadata
MIGRATIONS = Path(__file__).resolve().parent / "core" / "migrations"
UPGRADE_LOCK = 7_203_114
VERSION_TABLE = "alembic_version"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Bring the database to the newest schema; replicas that start at once wait for each other."""
    with database.engine.begin() as connection:
        lock(connection)
        upgrade_to(connection, "head")


def lock(connection: Connection) -> None:
    """Until the end of the transaction nobody else changes the schema."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})


def upgrade_to(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision (`head`: the newest), within the caller's transaction."""
    command.upgrade(_config(connection), revision)


def revision(database: Database) -> str | None:
    """The revision that the database has; None before the first migration."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(database: Database) -> bool:
    """True when every migration has been applied."""
    return revision(database) == ScriptDirectory.from_config(_config()).get_current_head()


def make_migration(database: Database, message: str) -> None:
    """Write a new migration file from the difference between the models and `database` (for developers)."""
    with database.engine.connect() as connection:
        command.revision(_config(connection), message=message, autogenerate=True)
