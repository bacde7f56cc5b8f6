"""`huiying user`: staff accounts."""

import secrets
from typing import Annotated

import typer

from services.accounts import service
from services.commands.console import ACTOR, container

app = typer.Typer(help="Staff accounts.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Staff accounts."""


@app.command("add")
def add(
    name: str,
    role: Annotated[str, typer.Option(help="clerk, supervisor, manager, editor, reviewer or admin.")],
    department: Annotated[str | None, typer.Option(help="None: the whole service hall.")] = None,
) -> None:
    """Make an account; its random password is shown once."""
    parts = container()
    password = secrets.token_urlsafe(12)
    with parts.database.unit_of_work() as uow:
        service.create_account(
            uow,
            name=name,
            role=role,
            department=department,
            password=password,
            actor=ACTOR,
            now=parts.clock.now(),
        )
        uow.commit()
    typer.echo(f"{name} ({role})  password: {password}")
