"""`huiying dialogue`: measuring the dialogue."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from services.commands.console import JsonFlag, needs, progress_bar, show
from services.commands.scratch import scratch_settings
from services.container import Container, build_container
from services.core.logs import configure_logging
from services.core.settings import Settings
from services.evaluation.dialogue import evaluate, read_rows
from services.supervision.stack import Stack

app = typer.Typer(help="The dialogue.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The dialogue."""


@app.command("evaluate")
@needs("system.measure")
def evaluate_rows(
    file: Annotated[Path, typer.Argument(help="JSONL rows {text, route, entities}.")],
    as_json: JsonFlag = False,
) -> None:
    """Send each row through the whole pipeline and a real Rasa server of its own, apart from any running system."""
    configure_logging("cli")
    rows = read_rows(file)
    own = Settings()
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        settings = scratch_settings(own, Path(folder))
        stack = Stack(settings, say=lambda line: typer.echo(f"huiying: {line}", err=True), with_api=False)
        try:
            stack.start()
            with progress_bar("messages") as progress:
                figures = asyncio.run(evaluate(_container(settings), rows, progress))
        finally:
            stack.stop()
    show(figures, as_json)


def _container(settings: Settings) -> Container:
    return build_container(settings)
