"""`huiying secrets`: the keys that data at rest is encrypted with."""

import typer

from services import schema
from services.commands.console import ACTOR, JsonFlag, container, needs, progress_bar, show
from services.core import audit, rotation
from services.core.errors import Conflict

app = typer.Typer(help="Keys of data at rest.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keys of data at rest."""


@app.command("rotate")
@needs("secrets.rotate")
def rotate(as_json: JsonFlag = False) -> None:
    """Encrypt everything at rest with the newest key; may be broken off, and goes on where it stopped.

    Put the new key in front of SECRET_KEYS and restart every process first. When nothing is unreadable, the old key
    may leave the list; the first key that the installation ever had moves to HASH_SECRET then.
    """
    parts = container()
    with progress_bar("re-encrypting") as progress:
        tables = rotation.rotate(parts.database, parts.secrets, schema.METADATA, parts.clock.now, progress=progress)
    figures = {
        "rows": sum(one.rows for one in tables.values()),
        "re_encrypted": sum(one.changed for one in tables.values()),
        "unreadable": sum(one.unreadable for one in tables.values()),
    }

    with parts.database.unit_of_work() as uow:
        audit.record(
            uow, actor=ACTOR, action="secrets.rotate", subject="secrets", detail=figures, now=parts.clock.now()
        )
        uow.commit()
    show({**figures, "tables": {name: one._asdict() for name, one in tables.items()}} if as_json else figures, as_json)
    if figures["unreadable"]:
        raise Conflict(f"{figures['unreadable']} 行无法用现有密钥读取，请把旧密钥加回 SECRET_KEYS 后重试")
