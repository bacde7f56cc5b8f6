"""`huiying user`: staff accounts."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from services.accounts import service
from services.accounts.schemas import NewAccount
from services.commands.console import ACTOR, JsonFlag, container, needs, show
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.core.errors import BadRequest
from services.core.permissions import account_roles
from services.sla import service as sla

app = typer.Typer(help="Staff accounts.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Staff accounts."""


@app.command("add")
@needs("accounts.manage")
def add(
    name: str,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(account_roles())}.")],
    department: Annotated[
        str | None, typer.Option(help="Its name, short name or alias. None: the whole service hall.")
    ] = None,
    post: Annotated[
        str | None, typer.Option(help="What citizens read instead of the name, 值班员 say. None: by the role.")
    ] = None,
) -> None:
    """Make an account; its random password is shown once."""
    parts = container()
    if department is not None:
        with parts.database.unit_of_work(read_only=True) as uow:
            department = _known_department(uow, department)
    password = parts.logins.create(NewAccount(name, role, department, post), ACTOR)
    typer.echo(f"{name} ({role})  password: {password}")


@app.command("list")
@needs("accounts.manage")
def list_accounts(as_json: JsonFlag = False) -> None:
    """Show every account: role, department, whether it is open, living sessions, last login (Asia/Shanghai)."""
    parts = container()
    now = parts.clock.now()
    with parts.database.unit_of_work(read_only=True) as uow:
        found = service.accounts(uow, now)
    rows = [{**asdict(one), "state": _state(one.disabled_at, one.must_change_by, now)} for one in found]
    columns = ("name", "role", "department", "state", "sessions", "last_login_at")
    _print({"accounts": rows}, rows, columns, as_json)


@app.command("disable")
@needs("accounts.manage")
def disable(name: str) -> None:
    """Let nobody in by this account; its sessions end at once."""
    parts = container()
    ended = parts.database.write(lambda uow: service.disable(uow, name, actor=ACTOR, now=parts.clock.now()))
    typer.echo(f"{name} is disabled, {ended} sessions ended")


@app.command("enable")
@needs("accounts.manage")
def enable(name: str) -> None:
    """Let a disabled account in again, with the password that it had."""
    parts = container()
    parts.database.write(lambda uow: service.enable(uow, name, actor=ACTOR, now=parts.clock.now()))
    typer.echo(f"{name} is enabled")


@app.command("reset")
@needs("accounts.manage")
def reset(name: str) -> None:
    """Give an account a one-time password, shown once: it must be changed at the next login, within three days.

    Its sessions end, and nobody waits for wrong passwords of before.
    """
    password, ended = container().logins.reset(name, ACTOR)
    typer.echo(f"{name}  one-time password: {password}  ({ended} sessions ended)")


@app.command("sessions")
@needs("accounts.manage")
def sessions(
    name: str,
    end: Annotated[bool, typer.Option("--end", help="End them all.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show who is logged in by an account: since when, until when (Asia/Shanghai), from which address."""
    parts = container()
    now = parts.clock.now()
    with parts.database.unit_of_work(read_only=True) as uow:
        found = service.sessions_of(uow, name, now)
    ended = parts.database.write(lambda uow: service.end_sessions(uow, name, actor=ACTOR, now=now)) if end else 0
    rows = [asdict(one) for one in found]
    _print({"name": name, "ended": ended, "sessions": rows}, rows, ("created_at", "expires_at", "address"), as_json)
    if end and not as_json:
        typer.echo(f"{ended} sessions ended")


def _known_department(uow: UnitOfWork, text: str) -> str:
    """The full name. Raises BadRequest, with the names that there are, for a department that the city has not."""
    found = sla.find_department(uow, text)
    names = [one.name for one in sla.departments(uow)]
    # What stands for no department, or for several, is nobody's own.
    if found is None or found not in names:
        known = f"本市的部门：{'、'.join(names)}" if names else "还没有任何部门，请先运行 huiying city apply"
        raise BadRequest(f"没有这个部门。{known}")
    return found


def _state(disabled_at: datetime | None, must_change_by: datetime | None, now: datetime) -> str:
    if disabled_at is not None:
        return "disabled"
    if must_change_by is None:
        return "open"
    return "must change password" if must_change_by > now else "one-time password expired"


def _print(figures: dict[str, Any], rows: Sequence[dict[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """As JSON, or as a table with a head."""
    if as_json:
        show(figures, as_json=True)
        return
    table = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    return "-" if value is None else str(value)
