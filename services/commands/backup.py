"""`huiying backup`, `huiying restore`."""

from pathlib import Path
from typing import Annotated

import typer

from services.backup import service
from services.commands.console import ACTOR, JsonFlag, container, needs, progress_bar, show
from services.core import audit

FileArgument = Annotated[Path, typer.Argument(help="The file of the backup (.tar.gz).", dir_okay=False)]


@needs("system.run")
def backup(file: FileArgument, as_json: JsonFlag = False) -> None:
    """Write everything into one file while the system runs; keep its secret keys apart from it."""
    parts = container()
    with progress_bar("tables") as progress:
        figures = service.backup(parts, file, parts.clock.now(), progress)
    with parts.database.unit_of_work() as uow:
        detail = {name: value for name, value in figures.items() if isinstance(value, int)}
        audit.record(uow, actor=ACTOR, action="backup", subject="system", detail=detail, now=parts.clock.now())
        uow.commit()
    show(figures, as_json)
    if not as_json:
        where = (
            "SECRET_KEYS" if parts.settings.secret_keys.get_secret_value() else parts.settings.var_dir / "secret.key"
        )
        typer.echo(f"密钥不在备份里，请另行妥善保存：{where}（没有它，这份备份无法恢复）")


@needs("system.run")
def restore(
    file: FileArgument,
    replace: Annotated[bool, typer.Option("--replace", help="Throw away all that the system holds now.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup into this installation, all or nothing; it needs the secret keys of where it was made."""
    parts = container()
    figures = service.restore(parts, file, replace=replace)
    with parts.database.unit_of_work() as uow:
        detail = {"made_at": figures["made_at"], "rows": figures["rows"]}
        audit.record(uow, actor=ACTOR, action="restore", subject="system", detail=detail, now=parts.clock.now())
        uow.commit()
    show(figures, as_json)
    if not as_json:
        typer.echo("恢复完成。正在运行的各进程请重启一次，以使用恢复的知识库。")
        if figures["city_files"]:
            typer.echo(f"本市的配置文件在 {parts.settings.var_dir / 'restored-city'}，请将 CITY_DIR 指向它。")
