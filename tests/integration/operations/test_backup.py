"""A backup of a system in use, into an empty one: from either database into either."""

import tarfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from services import schema
from services.backup import service
from services.cases import service as cases
from services.container import Container, build_container
from services.conversations.models import Message
from services.conversations.schemas import InboundMessage
from services.core.database import Database
from services.core.errors import Conflict, Unprocessable
from services.core.settings import Settings
from services.knowledge.live import snapshot_directory
from services.knowledge.models import ActiveSnapshot, KnowledgeSnapshot
from services.sla import service as sla

KEY, OTHER = "k" * 40, "o" * 40
WORDS = "湖滨路的路灯坏了，我的电话 13800138000"


def installation(database: Database, var: Path, **settings: Any) -> Container:
    """A container on a database that migrations have built."""
    before = sa.MetaData()
    with database.engine.begin() as connection:
        before.reflect(connection)
        before.drop_all(connection)
    schema.upgrade(database)
    given = {"HUIYING_VAR": var, "database_url": database.engine.url.render_as_string(hide_password=False)}
    return build_container(Settings.model_validate({"secret_keys": KEY, **given, **settings}))


@pytest.fixture
def source(database: Database, tmp_path: Path) -> Container:
    """A system in use: a conversation with an identifier, a case, a published base, a folder of the city's."""
    city = tmp_path / "city"
    (city / "connectors").mkdir(parents=True)
    (city / "connectors" / "own.yaml").write_text("# of the city\n")
    made = installation(database, tmp_path / "source", city_dir=city)
    now = made.clock.now()

    def fill(uow: Any) -> None:
        sla.apply_city(uow, Path(service.__file__).parents[1] / "demo_city", now)
        opened = made.conversations.open(uow, channel="web", now=now)
        made.conversations.grant_consent(uow, opened.conversation_id, now)
        made.conversations.arrive(uow, opened.conversation_id, InboundMessage(text=WORDS, client_message_id="b1"), now)
        new = cases.NewCase(kind="help", conversation_id=opened.conversation_id, title=WORDS, channel="web")
        cases.open_case(uow, made.secrets, new, now=now)
        version = {"version": 3, "state": "published", "entries": 1, "model": "m", "created_at": now}
        uow.session.add(KnowledgeSnapshot(**version, created_by="t"))
        uow.session.flush()
        uow.session.merge(ActiveSnapshot(id=1, version=3))

    database.write(fill)
    folder = snapshot_directory(made.knowledge_root, 3)
    folder.mkdir(parents=True)
    (folder / "index.bin").write_bytes(bytes(range(256)) * 100)
    return made


def target_of(kind: str, request: pytest.FixtureRequest, var: Path, **settings: Any) -> Container:
    """An empty installation of the other or the same kind of database."""
    if kind == "sqlite":
        return installation(Database(f"sqlite:///{var / 'target.db'}"), var, **settings)
    postgres: Database = request.getfixturevalue("postgres")
    with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("CREATE SCHEMA second"))
    url = make_url(postgres.url).update_query_dict({"options": "-c search_path=second"})
    return installation(Database(url.render_as_string(hide_password=False)), var, **settings)


def _all(table: sa.Table) -> Any:
    return sa.select(table).order_by(*table.primary_key.columns)


def contents(container: Container) -> dict[str, list[Any]]:
    with container.database.unit_of_work(read_only=True) as uow:
        return {
            table.name: [
                tuple(row) for row in uow.session.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in schema.METADATA.sorted_tables
        }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_empty_system_has_everything_after_a_restore(
    kind: str, source: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar.gz"
    wanted = contents(source)
    figures = service.backup(source, file, source.clock.now())
    assert figures["rows"] == sum(len(rows) for rows in wanted.values()) > 20
    assert file.stat().st_mode & 0o077 == 0
    var = tmp_path / "target"
    var.mkdir()
    target = target_of(kind, request, var)
    service.restore(target, file)
    assert contents(target) == wanted
    assert (snapshot_directory(target.knowledge_root, 3) / "index.bin").read_bytes() == bytes(range(256)) * 100
    assert (var / "restored-city/connectors/own.yaml").read_text() == "# of the city\n"
    with target.database.unit_of_work(read_only=True) as uow:
        conversation = uow.session.scalars(sa.select(Message.conversation_id)).first()
        assert target.conversations.resolve_identifier(uow, conversation, "【手机号1】") == "13800138000"
    # It goes on: new rows get new numbers.
    opened = target.database.write(
        lambda uow: target.conversations.open(uow, channel="web", now=target.clock.now()).conversation_id
    )
    new = cases.NewCase(kind="help", conversation_id=opened, title="又一件事", channel="web")
    target.database.write(lambda uow: cases.open_case(uow, target.secrets, new, now=target.clock.now()))


def test_neither_keys_nor_what_they_seal_are_in_the_file(source: Container, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    service.backup(source, file, source.clock.now())
    with tarfile.open(file) as tar:
        everything = b"".join(tar.extractfile(member).read() for member in tar if member.isfile())  # type: ignore[union-attr]
    for secret in (KEY, "13800138000", "路灯坏了"):
        assert secret.encode() not in everything


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"secret_keys": OTHER}, "密钥不符"), ({"secret_keys": KEY, "hash_secret": OTHER}, "HASH_SECRET 不符")],
)
def test_keys_that_do_not_fit_are_said_and_nothing_changes(
    settings: dict[str, str], says: str, source: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar.gz"
    service.backup(source, file, source.clock.now())
    target = target_of("sqlite", request, tmp_path, **settings)
    before = contents(target)
    with pytest.raises(Unprocessable, match=says):
        service.restore(target, file)
    assert contents(target) == before


def test_a_file_that_was_cut_off_or_changed_is_refused_and_nothing_changes(
    source: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file, broken = tmp_path / "backup.tar.gz", tmp_path / "broken.tar.gz"
    service.backup(source, file, source.clock.now())
    target = target_of("sqlite", request, tmp_path)
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:-40], bytes(changed), b"", b"no archive at all"):
        broken.write_bytes(content)
        with pytest.raises(Unprocessable):
            service.restore(target, broken, replace=True)
    assert not any(contents(target)[name] for name in service.USED)


def test_a_system_in_use_is_replaced_only_when_that_is_said(source: Container, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    wanted = contents(source)
    service.backup(source, file, source.clock.now())
    later = source.database.write(
        lambda uow: source.conversations.open(uow, channel="web", now=source.clock.now()).conversation_id
    )
    with pytest.raises(Conflict, match="--replace"):
        service.restore(source, file)
    assert later in str(contents(source)["conversations"])
    service.restore(source, file, replace=True)
    assert contents(source) == wanted


def test_a_backup_is_of_one_moment_while_others_write(source: Container, tmp_path: Path) -> None:
    """Whoever writes between two tables is in all of the backup or in none of it."""
    file = tmp_path / "backup.tar.gz"
    wanted = contents(source)
    added: list[str] = []

    def write(done: int, total: int) -> None:
        if not added:
            opened = source.database.write(
                lambda uow: source.conversations.open(uow, channel="web", now=source.clock.now())
            )
            added.append(opened.conversation_id)

    service.backup(source, file, source.clock.now(), write)
    assert added[0] in str(contents(source)["conversations"])
    service.restore(source, file, replace=True)
    assert contents(source) == wanted


def test_an_existing_file_is_not_overwritten(source: Container, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    file.write_text("mine")
    with pytest.raises(Conflict):
        service.backup(source, file, source.clock.now())
    assert [path.name for path in tmp_path.glob("*backup*")] == ["backup.tar.gz"]
    assert file.read_text() == "mine"
