"""`huiying up`, `huiying doctor`, `huiying db`."""

import asyncio
import signal
import time
from types import FrameType

import typer

from services import health, schema
from services.cases import service as cases
from services.commands.console import JsonFlag, container, needs, show
from services.core.logs import configure_logging
from services.core.settings import Settings
from services.lookups.connectors import ConnectorMistake
from services.supervision.first_start import prepare_data
from services.supervision.rasa_model import embed_examples
from services.supervision.stack import Stack
from services.supervision.training import Workshop, fit_for
from services.web.endpoints import NAVIGATION

database = typer.Typer(help="The database's schema.", no_args_is_help=True)

WATCH_SECONDS = 0.5


@database.callback()
def group() -> None:
    """The database's schema."""


@database.command("upgrade")
@needs("system.run")
def upgrade() -> None:
    """Bring the database to the newest schema."""
    schema.upgrade(container().database)
    typer.echo("the database is up to date")


@needs("system.run")
def setup() -> None:
    """Prepare an installation whose processes are started by others (docker/compose.yaml); may be run again."""
    parts = container()
    schema.upgrade(parts.database)
    for account in prepare_data(parts, say=lambda line: typer.echo(f"huiying: {line}")):
        typer.echo(f"{account.name} ({account.role})  password: {account.password}")
    embed_examples(parts.settings.var_dir / "rasa" / "nlu.npz", parts.embedder())
    fit_for(Workshop(parts.settings.var_dir, parts.embedder(), parts.embedding_cache, typer.echo))


@needs("system.run")
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    configure_logging("supervisor")
    began = time.monotonic()
    stack = Stack(Settings.of_own(), say=lambda line: typer.echo(f"huiying: {line}"))
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            return
        stopping = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        stack.start()
        _greet(stack, time.monotonic() - began)
        while True:
            for child in stack.children.restart_fallen():
                typer.echo(f"huiying: {child.name} ended and will be restarted; see {child.log}")
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        typer.echo("\nhuiying: stopping ...")
    finally:
        stopping = True
        stack.stop()
    typer.echo("huiying: stopped")


def _greet(stack: Stack, seconds: float) -> None:
    typer.echo(f"huiying: ready after {seconds:.0f} s")
    pages = ((entry.href.rpartition("/")[2], entry.href) for entry in NAVIGATION)
    for what, path in (("chat", "/"), *pages, ("API", "/docs")):
        typer.echo(f"  {what:<12} {stack.url}{path}")
    if stack.settings.sandbox_url and not stack.settings.sms_url:
        typer.echo(f"  {'phone':<12} {stack.settings.sandbox_url}/sms   (text messages of the demo)")
    if stack.accounts:
        typer.echo(
            "  accounts (the passwords are shown this once; more with: .venv/bin/huiying user add NAME --role ROLE)"
        )
        for account in stack.accounts:
            typer.echo(f"    {account.name:<12} {account.password}")
    typer.echo("  Ctrl-C stops everything")


@needs("system.run")
def doctor(as_json: JsonFlag = False) -> None:
    """Check configuration, database, knowledge base and every running part."""
    parts = container()
    try:
        connectors, mistakes = asyncio.run(health.systems(parts)), []
    except ConnectorMistake as mistake:
        connectors, mistakes = {}, mistake.problems
    parts.knowledge.refresh()
    report = asyncio.run(health.check(parts))
    report["schema"] = "current" if schema.is_current(parts.database) else "behind: huiying db upgrade"
    report["connectors"] = connectors
    report["connector_mistakes"] = mistakes
    settings = parts.settings
    with parts.database.unit_of_work(read_only=True) as uow:
        report["duty"] = cases.duty_report(uow, parts.clock.now())
    report["text_messages"] = "gateway" if settings.sms_url else "sandbox" if settings.sandbox_url else "none"
    report["tip_offs"] = health.tip_offs(parts)
    show(report, as_json)
    if report["status"] == "down" or report["schema"] != "current" or mistakes:
        raise typer.Exit(1)
