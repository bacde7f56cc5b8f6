"""`huiying city`: what a city configures."""

from pathlib import Path
from typing import Annotated

import typer

from services.appointments import service as appointments
from services.cases import service as cases
from services.citizens import service as citizens
from services.commands.console import container, needs
from services.menus import service as menus
from services.notifications import service as notifications
from services.retention import service as retention
from services.sla import service

app = typer.Typer(
    help="City configuration: departments, policies, calendar, menus, appointments, notifications.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """City configuration."""


@app.command("apply")
@needs("city.apply")
def apply(directory: Annotated[Path, typer.Argument(help="The folder with the city's files.")]) -> None:
    """Make the files of a folder the current versions; running clocks keep the policy they started with."""
    parts = container()
    with parts.database.unit_of_work() as uow:
        applied = service.apply_city(uow, directory, parts.clock.now())
        applied += notifications.apply_city(uow, directory, parts.clock.now())
        accounts = menus.apply_menus(uow, directory, parts.clock.now())
        applied += appointments.apply_city(uow, directory, parts.clock.now())
        applied += citizens.apply_city(uow, directory, parts.clock.now())
        applied += retention.apply_city(uow, directory, parts.clock.now())
        uow.session.flush()
        problem = cases.tip_off_readers(uow).problem
        uow.commit()
    for document in applied:
        typer.echo(
            f"{document.document} {document.name}: version {document.version}"
            f"{'' if document.changed else ' (unchanged)'}"
        )
    for account in accounts:
        typer.echo(
            f"account {account.key}: version {account.version}"
            f"{'' if account.changed else ' (unchanged)'}, {account.keywords} keyword replies changed"
        )
    if problem is not None:
        typer.echo(problem)
