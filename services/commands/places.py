"""`huiying places`: the city's own service points."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from knowledge_base.tables import read_file
from services.commands.console import JsonFlag, container, needs, progress_bar, show
from services.core.errors import Unprocessable
from services.places import service
from services.places.schemas import RowProblem

app = typer.Typer(help="Public service points for 附近.", no_args_is_help=True)
SHOWN = 20


class Coordinates(StrEnum):
    gcj02 = "gcj02"
    wgs84 = "wgs84"


@app.callback()
def group() -> None:
    """Public service points for 附近."""


@app.command("import")
@needs("city.apply")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL, CSV or XLSX: id, name, kind, lat, lng, address, phone, hours.")],
    coordinates: Annotated[Coordinates, typer.Option(help="Of the file's positions.")] = Coordinates.gcj02,
    replace: Annotated[
        bool, typer.Option(help="Remove points that are not in the file, and empty what it does not name.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Store points by their id; a row that is wrong is named and left out. What the file does not name stays."""
    found = service.read_points(file.name, read_file(file), coordinates=coordinates.value)
    if not found.rows:
        first = found.rejected[0] if found.rejected else None
        raise Unprocessable(f"{_told(file, first)}（没有可用的行）" if first else f"{file.name}：没有可用的行")
    with progress_bar("points") as progress:
        done = service.import_points(container().database, found.rows, replace=replace, progress=progress)
    emptied = [
        RowProblem(
            number, f"原有的{'、'.join(service.COLUMNS.title(name) for name in done.emptied[row.id])}被清空", sheet
        )
        for row, (number, sheet) in zip(found.rows, found.origins, strict=True)
        if row.id in done.emptied
    ]
    for name, reason in found.left_out:
        typer.echo(f"{file.name}[{name}]: {reason}，没有导入", err=True)
    for label, told in (("rejected", found.rejected), ("emptied", emptied), ("reported", found.reported)):
        for one in told[:SHOWN]:
            typer.echo(_told(file, one), err=True)
        if len(told) > SHOWN:
            typer.echo(f"... {len(told) - SHOWN} more {label}", err=True)
    figures = {
        "created": done.created,
        "updated": done.updated,
        "removed": done.removed,
        "rejected": len(found.rejected),
        "emptied": len(emptied),
        "reported": len(found.reported),
        "sheets_left_out": len(found.left_out),
    }
    show(figures, as_json)


def _told(file: Path, row: RowProblem) -> str:
    sheet = f"[{row.sheet}]" if row.sheet else ""
    return f"{file.name}{sheet}:{row.number}: {row.reason}"
