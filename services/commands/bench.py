"""`huiying bench`: measuring speed."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from services.commands.console import JsonFlag, container, progress_bar, show
from services.evaluation import publish_bench

app = typer.Typer(help="Measure speed, side by side and on generated data.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Measure speed, side by side and on generated data."""


@app.command("publish")
def publish(
    entries: Annotated[int, typer.Option(min=100, help="Entries of the generated base.")] = 2_000,
    publishes: Annotated[int, typer.Option(min=2, help="Publishes under load.")] = 50,
    threads: Annotated[int, typer.Option(min=1, help="Threads that search all the while.")] = 16,
    pace_ms: Annotated[float, typer.Option(min=0, help="Pause of a thread between two searches.")] = 50.0,
    as_json: JsonFlag = False,
) -> None:
    """Search from many threads through many publishes: errors, mixed results, the longest pause; one edit; rollback."""
    parts = container()
    embedder = parts.embedder()
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder, progress_bar("publishes") as progress:
        figures = publish_bench.measure(
            embedder,
            Path(folder),
            entries=entries,
            publishes=publishes,
            threads=threads,
            pace=pace_ms / 1000,
            starter_cache=parts.embedding_cache,
            progress=progress,
        )
    show(figures, as_json)
