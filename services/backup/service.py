"""What a backup holds: every table at one moment, the knowledge bases that they name, the city's own files.

The secret keys are not in it, and it is worth nothing without them: identifiers, messages and files stay sealed.
A check value says at once whether the keys of the installation that restores it are the right ones.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services import schema
from services.backup import archive, rows
from services.container import Container
from services.core.database import Database
from services.core.errors import Conflict, Unprocessable
from services.knowledge.live import snapshot_directory

CHECK = "huiying backup"
# Where these are empty nobody has used the system yet: only what a first start put there is replaced.
USED = ("conversations", "cases", "appointments", "bindings")
TABLES, KNOWLEDGE, CITY = "tables/", "knowledge/", "city/"
SPOOL_BYTES = 32 * 1024 * 1024

Progress = Callable[[int, int], None]


def backup(
    container: Container, path: Path, now: datetime, progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Write a backup of a system that may be running; {tables, rows, knowledge_versions, city_files, bytes}.

    Raises Conflict when the file exists or the database is behind the program.
    """
    database = container.database
    if not schema.is_current(database):
        raise Conflict("数据库不是最新结构，请先运行 huiying db upgrade")
    tables = schema.METADATA.sorted_tables
    counts: dict[str, int] = {}
    with archive.writing(path) as writer, _one_moment(database) as connection:
        for number, table in enumerate(tables):
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES, dir=str(path.absolute().parent)) as spool:
                counts[table.name] = rows.dump(connection, table, spool)
                size = spool.tell()
                spool.seek(0)
                writer.add(f"{TABLES}{table.name}.jsonl", spool, size)
            progress(number + 1, len(tables))
        versions = _add_knowledge(container, connection, writer)
        files = _add_city(container, writer)
        secrets = container.secrets
        writer.finish(
            {
                "made_at": now.isoformat(),
                "revision": schema.revision(database),
                "key_check": secrets.encrypt(CHECK),
                "hash_check": secrets.keyed_hash(CHECK),
                "rows": counts,
                "active_knowledge": versions,
            }
        )
    return {
        "tables": len(tables),
        "rows": sum(counts.values()),
        "knowledge_versions": len(versions),
        "city_files": files,
        "bytes": path.stat().st_size,
    }


def restore(container: Container, path: Path, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup into this installation, in one transaction of its database; {tables, rows, made_at, city_files}.

    Raises Unprocessable for a broken file or keys that do not fit, Conflict for a system that is in use unless
    `replace` says that all of it may go. Until the end of the transaction nothing has changed.
    """
    manifest = archive.read_manifest(path)
    _check_keys(container, manifest)
    database = container.database
    if not replace and _is_used(database):
        raise Conflict("这个系统里已有会话、工单或预约，恢复会替换全部数据；确认要替换时加上 --replace")
    aside = _unpack_knowledge(container, path)
    try:
        with database.engine.begin() as connection:
            schema.lock(connection)
            restored = _replace_tables(connection, path, manifest)
        _put_knowledge(container, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {
        "tables": len(restored),
        "rows": sum(restored.values()),
        "made_at": manifest["made_at"],
        "city_files": _restore_city(container, path),
    }


class _one_moment:
    """A connection that sees the database as it is at its beginning, and keeps nobody from writing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Connection:
        options = {"huiying_read_only": True} if self._database.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._connection = self._database.engine.connect().execution_options(**options)
        self._connection.execute(sa.text("SELECT 1"))
        return self._connection

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


def _add_knowledge(container: Container, connection: Connection, writer: archive.Writer) -> list[int]:
    """The folders of the versions that the database names. Raises Conflict when the active one is not whole."""
    snapshots, active = (schema.METADATA.tables[name] for name in ("knowledge_snapshots", "knowledge_active"))
    current = set(connection.scalars(sa.select(active.c.version)))
    added = []
    for version in connection.scalars(sa.select(snapshots.c.version).order_by(snapshots.c.version)).all():
        folder = snapshot_directory(container.knowledge_root, version)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if not files:
            if version in current:
                raise Conflict(f"知识库版本 {version} 的文件不在这台机器上，请在有该目录的机器上备份")
            continue
        for file in files:
            with file.open("rb") as content:
                writer.add(f"{KNOWLEDGE}{file.relative_to(container.knowledge_root)}", content, file.stat().st_size)
        added.append(version)
    return added


def _add_city(container: Container, writer: archive.Writer) -> int:
    """The city's own folder (connectors, words); what is applied of it is in the tables. The demo's comes with us."""
    if container.settings.city_dir is None:
        return 0
    files = sorted(file for file in container.city_dir.rglob("*") if file.is_file())
    for file in files:
        with file.open("rb") as content:
            writer.add(f"{CITY}{file.relative_to(container.city_dir)}", content, file.stat().st_size)
    return len(files)


def _check_keys(container: Container, manifest: dict[str, Any]) -> None:
    try:
        fits = container.secrets.decrypt(manifest["key_check"]) == CHECK
    except Exception:  # whatever the cipher says, the key is not the one
        fits = False
    if not fits:
        raise Unprocessable(
            "密钥不符：这份备份是用另外的密钥加密的，密钥不在备份里。"
            "请先把原系统的 SECRET_KEYS（或 var/secret.key）放到本系统再恢复，未做任何改动"
        )
    if container.secrets.keyed_hash(CHECK) != manifest["hash_check"]:
        raise Unprocessable(
            "HASH_SECRET 不符：原系统轮换过密钥，请把它的第一把密钥设为 HASH_SECRET 再恢复，未做任何改动"
        )


def _is_used(database: Database) -> bool:
    present = set(sa.inspect(database.engine).get_table_names())
    with database.engine.connect().execution_options(huiying_read_only=True) as connection:
        return any(
            connection.scalar(sa.select(sa.exists(sa.select(sa.text("1")).select_from(sa.table(name)))))
            for name in USED
            if name in present
        )


def _replace_tables(connection: Connection, path: Path, manifest: dict[str, Any]) -> dict[str, int]:
    """Build the schema that the backup was made with, fill it, and bring it up to date."""
    before = sa.MetaData()
    before.reflect(connection)
    before.drop_all(connection)
    schema.upgrade_to(connection, manifest["revision"])
    present = sa.MetaData()
    present.reflect(connection)
    for table in present.sorted_tables:
        # What a migration itself put there is in the backup too.
        if table.name != schema.VERSION_TABLE:
            connection.execute(sa.delete(table))
    restored: dict[str, int] = {}
    for name, content in archive.each(path, lambda member: member.startswith(TABLES)):
        table = present.tables[name.removeprefix(TABLES).removesuffix(".jsonl")]
        restored[table.name] = rows.load(connection, table, content)
        rows.follow_numbers(connection, table)
    if restored != manifest["rows"]:
        raise Unprocessable(f"{path.name} 的行数与清单不符，未做任何改动")
    schema.upgrade_to(connection, "head")
    return restored


def _unpack_knowledge(container: Container, path: Path) -> Path:
    container.knowledge_root.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".restore-", dir=container.knowledge_root))
    try:
        for name, content in archive.each(path, lambda member: member.startswith(KNOWLEDGE)):
            _write(aside / name.removeprefix(KNOWLEDGE), content)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return aside


def _put_knowledge(container: Container, aside: Path) -> None:
    """Each version's folder in one step; a process that has the old one open goes on with it until it starts again."""
    for folder in sorted(aside.iterdir()):
        target = container.knowledge_root / folder.name
        with suppress(FileNotFoundError):
            target.rename(aside / f"{folder.name}.before")
        folder.rename(target)


def _restore_city(container: Container, path: Path) -> int:
    """Put the city's own files beside the data, where CITY_DIR may point to; how many."""
    count = 0
    for name, content in archive.each(path, lambda member: member.startswith(CITY)):
        _write(container.settings.var_dir / "restored-city" / name.removeprefix(CITY), content)
        count += 1
    return count


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        shutil.copyfileobj(content, target)
