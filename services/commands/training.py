"""`huiying train`."""

from typing import Annotated

import typer

from services.commands.console import JsonFlag, container, needs, progress_bar, show
from services.supervision.training import Workshop
from services.supervision.training import train as train_stale


@needs("system.run")
def train(
    ship: Annotated[
        bool, typer.Option("--ship", help="Write the classifiers into the project, to be committed with it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make what is stale: the classifiers of danger and of cases' subjects, and the Rasa model."""
    parts = container()
    with progress_bar("embedding") as progress:
        shop = Workshop(
            var_dir=parts.settings.var_dir,
            embedder=parts.embedder(),
            cache=parts.embedding_cache,
            say=lambda line: typer.echo(f"huiying: {line}", err=True),
            progress=progress,
        )
        done = train_stale(shop, ship=ship)
    show(done, as_json)
