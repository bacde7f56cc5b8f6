"""`huiying cases`: past cases and reports."""

import enum
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services.cases import service
from services.commands.console import JsonFlag, container, progress_bar, show
from services.core.clock import parse_moment
from services.core.errors import BadRequest

app = typer.Typer(help="Cases: import past ones, report timeliness.", no_args_is_help=True)


class By(enum.Enum):
    """What a row of the report stands for."""

    department = "department"
    month = "month"


@app.command("import")
def import_cases(
    file: Annotated[Path, typer.Argument(help="JSONL of past cases with their times.")],
    kind: Annotated[str, typer.Option(help="The kind of all these cases.")] = "consultation",
    policy: Annotated[
        str | None, typer.Option(help="The policy that measures them; the default one without it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Import past cases with their own times and compute their clocks."""
    parts = container()
    with parts.database.unit_of_work() as uow, progress_bar("cases") as progress:
        result = service.import_past_cases(
            uow, parts.secrets, file, kind=kind, policy=policy, now=parts.clock.now(), progress=progress
        )
        uow.commit()
    show(asdict(result), as_json)


@app.command("report")
def report(
    since: Annotated[str | None, typer.Option("--from", help="First day, or moment.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last day, or moment.")] = None,
    now: Annotated[str | None, typer.Option(help="The moment at which open cases are looked at.")] = None,
    by: Annotated[By | None, typer.Option(help="Rows per department or month.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Timeliness figures of the cases created in a period."""
    parts = container()
    start, end = service.period(since, until)
    try:
        moment = parse_moment(now) if now else parts.clock.now()
    except ValueError:
        raise BadRequest("--now 不是 ISO 8601 时间") from None
    with parts.database.unit_of_work(read_only=True) as uow:
        figures = service.report(uow, start=start, end=end, now=moment, by=by.value if by else None)
    show(figures, as_json)
