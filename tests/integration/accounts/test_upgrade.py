"""An upgrade keeps accounts, passwords and logins; who was locked out by an earlier version is let in."""

import sqlalchemy as sa
from alembic import command

from services import schema
from services.accounts import service
from services.accounts.passwords import Passwords
from services.core.clock import FixedClock
from services.core.crypto import hash_token
from services.core.database import Database
from tests.integration.accounts.conftest import NOW, OFFICE, PASSWORD, Watched, behind
from tests.support import CHEAP

BEFORE = "0017"
TOKEN = "a token of before"


def earlier(database: Database) -> None:
    """A database at the revision before, with somebody who is logged in and was locked out."""
    schema.METADATA.drop_all(database.engine)
    with database.engine.begin() as connection:
        command.upgrade(schema._config(connection), BEFORE)
    tables = sa.MetaData()
    tables.reflect(database.engine)
    account = {"name": "li", "role": "clerk", "password_hash": CHEAP.hash(PASSWORD), "created_at": NOW}
    session = {"token_hash": hash_token(TOKEN), "name": "li", "created_at": NOW, "expires_at": NOW.replace(day=18)}
    with database.engine.begin() as connection:
        locked = {"failed_logins": 10, "last_failed_at": NOW}
        connection.execute(sa.insert(tables.tables["staff_accounts"]).values(**account, **locked))
        connection.execute(sa.insert(tables.tables["staff_sessions"]).values(**session))


def test_accounts_and_logins_survive_an_upgrade_and_nobody_is_locked_out(database: Database) -> None:
    earlier(database)
    schema.upgrade(database)
    with database.unit_of_work(read_only=True) as uow:
        assert service.user_of_token(uow, TOKEN, NOW).name == "li"
        assert [one.address for one in service.sessions_of(uow, "li", NOW)] == [None]
    passwords = Passwords(at_once=2, waiting=8, seconds=60.0, hasher=Watched())
    logins = behind(database, FixedClock(NOW), passwords)
    assert logins.log_in(logins.visitor("li", OFFICE), PASSWORD) is not None


def test_the_way_back_keeps_accounts_and_logins_too(database: Database) -> None:
    earlier(database)
    schema.upgrade(database)
    with database.engine.begin() as connection:
        command.downgrade(schema._config(connection), BEFORE)
        kept = connection.execute(sa.text("SELECT name, failed_logins FROM staff_accounts")).all()
        sessions = connection.execute(sa.text("SELECT count(*) FROM staff_sessions")).scalar_one()
    assert ([tuple(row) for row in kept], sessions) == ([("li", 0)], 1)
