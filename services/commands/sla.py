"""`huiying sla`: time limits."""

from typing import Annotated

import typer

from services.cases.service import recompute_running
from services.commands.console import JsonFlag, container, needs, show, written_moment
from services.core.clock import SHANGHAI
from services.sla import service

app = typer.Typer(help="Time limits.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Time limits."""


@app.command("recompute")
@needs("city.apply")
def recompute() -> None:
    """Put the current policies on all running clocks, on purpose (they keep the version they began with)."""
    parts = container()
    done = recompute_running(parts.database, parts.clock.now())
    typer.echo(f"recomputed the clocks of {done} open cases")


@app.command("due")
@needs("system.run")
def due(
    at: Annotated[str, typer.Option(help="When the case was opened, ISO 8601; without a zone Asia/Shanghai.")],
    kind: Annotated[str, typer.Option(help="consultation, help, complaint, suggestion, urgent ...")],
    department: Annotated[str | None, typer.Option()] = None,
    priority: Annotated[str, typer.Option()] = "normal",
    policy: Annotated[str | None, typer.Option(help="A policy's name; the default one without it.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """When a case opened at a moment would be due, per target."""
    parts = container()
    moment = written_moment(at, "--at")
    with parts.database.unit_of_work(read_only=True) as uow:
        found = service.due(uow, at=moment, kind=kind, department=department, priority=priority, policy=policy)
    figures = {
        target: {
            "due_at": times.due_at.astimezone(SHANGHAI).isoformat(),
            "warning_at": times.warning_at.astimezone(SHANGHAI).isoformat(),
            "provisional": times.provisional,
            "policy": times.policy,
            "source": times.source,
        }
        for target, times in found.items()
    }
    show(figures, as_json)
