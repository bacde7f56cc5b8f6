"""What the commands share: the container, progress bars, figures as JSON or as lines."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from services.container import Container, build_container
from services.core import process
from services.core.clock import EARLIEST, LATEST, parse_day, parse_moment
from services.core.errors import BadRequest
from services.core.logs import configure_logging
from services.core.permissions import OPERATOR, Permission, known, role_must
from services.core.settings import Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]

ACTOR = "command line"
YEARS = f"{EARLIEST.year} 至 {LATEST.year} 年"


def written_moment(text: str, option: str) -> datetime:
    """The moment that an option's value means, in UTC (`services.core.clock.parse_moment`). Raises BadRequest."""
    try:
        return parse_moment(text)
    except ValueError:
        raise BadRequest(
            f"{option} 不是 {EARLIEST.year} 至 {LATEST.year} 年的 ISO 8601 时间，例如 2026-09-30T16:30"
        ) from None


def written_day(text: str, option: str) -> date:
    """The day that an option's value means. Raises BadRequest."""
    try:
        return parse_day(text)
    except ValueError:
        raise BadRequest(f"{option} 不是 {YEARS}的日期，例如 2026-09-30") from None


def database_address(text: str, option: str) -> str:
    """The address of a database as it was written. Raises BadRequest for one that is none."""
    try:
        make_url(text)
    except ArgumentError:
        raise BadRequest(f"{option} 不是数据库地址，例如 postgresql://user@host/name") from None
    return text


P = ParamSpec("P")
R = TypeVar("R")


def needs(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a command, below `app.command`, with what it needs: whoever has a shell on the machine must have it.

    Raises ValueError for a permission that is not in the table of rights.
    """
    known(permission)

    def decorate(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            role_must(OPERATOR, permission)
            return command(*args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def container() -> Container:
    """The container of a command; it works on the same data as a running system."""
    configure_logging("cli")
    settings = Settings()
    process.prepare(settings.var_dir)
    return build_container(settings)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; gives the callback `(done, total)`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print figures, as JSON or one a line."""
    if as_json:
        json.dump(figures, sys.stdout, ensure_ascii=False, indent=2, default=str)
        sys.stdout.write("\n")
        return
    for name, value in figures.items():
        typer.echo(f"{name}: {value}")
