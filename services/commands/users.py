"""`huiying user`: staff accounts."""

import secrets
from typing import Annotated

import typer

from services.accounts import service
from services.commands.console import ACTOR, container, needs
from services.core.permissions import account_roles

app = typer.Typer(help="Staff accounts.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Staff accounts."""


@app.command("add")
@needs("accounts.manage")
def add(
    name: str,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(account_roles())}.")],
    department: Annotated[str | None, typer.Option(help="None: the whole service hall.")] = None,
    post: Annotated[
        str | None, typer.Option(help="What citizens read instead of the name, 值班员 say. None: by the role.")
    ] = None,
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
            post=post,
            password=password,
            actor=ACTOR,
            now=parts.clock.now(),
        )
        uow.commit()
    typer.echo(f"{name} ({role})  password: {password}")
