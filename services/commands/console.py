"""What the commands share: the container, progress bars, figures as JSON or as lines."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.container import Container, build_container
from services.core.logs import configure_logging
from services.core.settings import Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]

ACTOR = "command line"


def container() -> Container:
    """The container of a command; it works on the same data as a running system."""
    configure_logging("cli")
    return build_container(Settings())


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
