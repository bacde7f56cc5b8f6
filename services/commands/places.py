"""`huiying places`: the city's own service points."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.commands.console import JsonFlag, container, progress_bar, show
from services.core.errors import Unprocessable
from services.places import service

app = typer.Typer(help="Public service points for 附近.", no_args_is_help=True)
SHOWN = 20


class Coordinates(StrEnum):
    gcj02 = "gcj02"
    wgs84 = "wgs84"


@app.callback()
def group() -> None:
    """Public service points for 附近."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines: id, name, kind, lat, lng, address, phone, hours.")],
    coordinates: Annotated[Coordinates, typer.Option(help="Of the file's positions.")] = Coordinates.gcj02,
    replace: Annotated[bool, typer.Option(help="Remove points that are not in the file.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Store points by their id; a row that is wrong is named and left out."""
    try:
        text = file.read_text(encoding="utf-8")
        rows, rejected = service.read_points(
            text, json_lines=file.suffix.lower() in (".jsonl", ".ndjson"), coordinates=coordinates.value
        )
    except UnicodeDecodeError:
        raise Unprocessable(f"{file.name}: not UTF-8") from None
    except ValueError as error:
        raise Unprocessable(f"{file.name}: {error}") from None
    if not rows:
        line, problem = rejected[0]
        raise Unprocessable(f"{file.name}:{line}: {problem} (no row can be used)")
    with progress_bar("points") as progress:
        done = service.import_points(container().database, rows, replace=replace, progress=progress)
    for line, problem in rejected[:SHOWN]:
        typer.echo(f"{file.name}:{line}: {problem}", err=True)
    figures = {"created": done.created, "updated": done.updated, "removed": done.removed, "rejected": len(rejected)}
    show(figures, as_json)
