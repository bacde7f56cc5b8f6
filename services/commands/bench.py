"""`huiying bench`: how fast it is, measured on this machine."""

import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from knowledge_base import load_embedder
from services.commands.console import JsonFlag, container, database_address, needs, progress_bar, show
from services.commands.scratch import scratch_settings
from services.container import DEMO_CITY
from services.core.errors import BadRequest
from services.core.logs import configure_logging
from services.core.settings import Settings
from services.evaluation import cases_bench, lookup_bench, publish_bench, reminders_bench
from services.evaluation.dialogue_bench import whole
from services.evaluation.retrieval_bench import ends, run, texts
from services.evaluation.retrieval_bench.jitter import JitteringEmbedder

MOST = 10_000_000

app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Measure speed on this machine."""


@app.command("retrieval")
@needs("system.measure")
def retrieval(
    sizes: Annotated[
        str, typer.Option(help="Entries of the bases, separated by commas; empty for none.")
    ] = "2000,10000,100000",
    vectors: Annotated[str, typer.Option(help="Numbers of vectors; empty for none.")] = "10000,100000,1000000",
    embedded: Annotated[
        int,
        typer.Option(
            min=100, max=1_000_000, help="Entries that are really embedded; the vectors of all others are jittered."
        ),
    ] = 2000,
    queries: Annotated[int, typer.Option(min=10, max=100_000, help="Questions asked of each base.")] = 100,
    rounds: Annotated[int, typer.Option(min=0, max=10_000, help="Rounds of one caller against many; 0 for none.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Search beside its embedding alone, other ways to search, many callers at once, and vectors alone.

    Texts are generated. Each figure is printed on standard error as soon as it is known; Ctrl-C prints the tables of
    what is known by then. The peers are an extra: pip install 'huiying[bench]'.
    """
    base_sizes, vector_sizes = _numbers(sizes), _numbers(vectors)
    parts = container()
    settings = parts.settings
    model = load_embedder(settings.embedding_model or None, models_directory=settings.var_dir / "models")
    with progress_bar("embedding") as progress:
        embedder = JitteringEmbedder(model, embedded, progress, parts.embedding_cache)
    about: dict[str, Any] = {
        "model": model.identity,
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "really_embedded_entries": embedded,
    }
    known: dict[str, list[dict[str, Any]]] = {"callers": [], "bases": [], "vectors": []}
    try:
        if rounds:
            run.callers(model, rounds, _say, _keep(known["callers"]))
        run.bases(embedder, base_sizes, queries, _say, _keep(known["bases"]))
        if vector_sizes:
            asked = model.embed_queries(texts.queries(200, embedded))
            run.vectors(embedder.base, asked, vector_sizes, _say, _keep(known["vectors"]))
    except KeyboardInterrupt:
        about["cut"] = True
        _say("cut: what is known so far follows")
    reached = ends.ends(**known)
    if as_json:
        show({**about, "ends": reached, **known}, True)
    else:
        for name, rows in {"ends": reached, **known}.items():
            _print_table(name, rows)
        show(about, False)
    if "cut" in about:
        raise typer.Exit(130)


@app.command("publish")
@needs("system.measure")
def publish(
    entries: Annotated[int, typer.Option(min=100, max=1_000_000, help="Entries of the generated base.")] = 2_000,
    publishes: Annotated[int, typer.Option(min=2, max=10_000, help="Publishes under load.")] = 50,
    threads: Annotated[int, typer.Option(min=1, max=1_000, help="Threads that search all the while.")] = 16,
    pace_ms: Annotated[float, typer.Option(min=0, max=60_000, help="Pause of a thread between two searches.")] = 50.0,
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


@app.command("dialogue")
@needs("system.measure")
def dialogue(
    messages: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="Messages of the memory part; 0 leaves it out.")
    ] = 20_000,
    rounds: Annotated[
        int, typer.Option(min=10, max=100_000, help="Rounds of one question beside its parts and a lookup.")
    ] = 200,
    callers: Annotated[
        int, typer.Option(min=1, max=1_000, help="Citizens who ask at once, beside the ResponseSelector.")
    ] = 4,
    conversation: Annotated[
        int, typer.Option(min=50, max=1_000_000, help="Messages of the long conversation.")
    ] = 1_000,
    selector: Annotated[bool, typer.Option(help="Train (once) and ask a plain Rasa with a ResponseSelector.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """A whole system of its own beside plain Rasa: turns, lookups, long conversations, accuracy, memory.

    The plain projects are written from the starter base and trained the first time: the light one takes a minute, the
    ResponseSelector an hour.
    """
    configure_logging("cli")
    own = Settings()
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        figures = whole.measure(
            scratch_settings(own, Path(folder)),
            own.var_dir / "bench",
            whole.Size(messages, rounds, callers, conversation, selector),
            say=_say,
            stage=progress_bar,
        )
    show(figures, as_json)


@app.command("lookups")
@needs("system.measure")
def lookups(
    rounds: Annotated[int, typer.Option(min=20, max=100_000, help="Calls of each way.")] = 200,
    points: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="Service points that the nearest are looked for in.")
    ] = 100_000,
    postgres: Annotated[str, typer.Option(help="A PostgreSQL where databases may be made; empty for none.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Lookups beside the system's own call, with and without cache and with the breaker open; the nearest points.

    A sandbox of its own answers; databases are made for the measurement and dropped again.
    """
    configure_logging("cli")
    logging.getLogger().setLevel(logging.ERROR)
    if postgres:
        database_address(postgres, "--postgres")
    about = {
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        size = lookup_bench.Size(rounds, points)
        tables = lookup_bench.measure(Path(folder), DEMO_CITY / "connectors", postgres, size, _say)
    if as_json:
        show({**about, **tables}, True)
        return
    for name, rows in tables.items():
        _print_table(name, rows)
    show(about, False)


@app.command("cases")
@needs("system.measure")
def cases(
    count: Annotated[
        int, typer.Option("--cases", min=1_000, max=100_000_000, help="Open cases of the larger size.")
    ] = 1_000_000,
    due: Annotated[int, typer.Option(min=10, max=1_000_000, help="Cases that are due at once.")] = 10_000,
    server: Annotated[str | None, typer.Option(help="Address of a PostgreSQL server; DATABASE_URL without it.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """The sweep over a tenth of the cases and over all of them, in a PostgreSQL database of its own (dropped after)."""
    parts = container()
    if server is not None:
        database_address(server, "--server")
    if due * 4 > count // 10:
        raise BadRequest("--cases 至少应为 --due 的 40 倍")
    sizes = (count // 10, count)
    about = {"cores": os.cpu_count(), "load_at_start": round(os.getloadavg()[0], 1)}
    with progress_bar("cases") as progress:
        figures = cases_bench.measure(
            server or parts.settings.database_url,
            parts.city_dir,
            sizes,
            due,
            now=parts.clock.now(),
            say=_say,
            progress=progress,
        )
    if as_json:
        show({**about, **figures}, True)
        return
    _print_table("cases", figures["rows"])
    show({**figures["ratios"], **about}, False)


@app.command("reminders")
@needs("system.measure")
def reminders(
    bindings: Annotated[
        int, typer.Option(min=1_000, max=10_000_000, help="Bindings to scan, one of each citizen.")
    ] = 100_000,
    told_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of citizens with something to be told.")
    ] = 0.02,
    kills: Annotated[int, typer.Option(min=0, max=20, help="How often the worker is killed on the way.")] = 2,
    database_url: Annotated[
        str, typer.Option(help="An empty PostgreSQL database to use; a SQLite file of its own without it.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """A scan over many bindings, killed and taken up again: speed, and whether everybody is told exactly once.

    The departmental system is the sandbox over HTTP; nothing of the installation is touched.
    """
    configure_logging("cli")
    if database_url:
        database_address(database_url, "--database-url")
    own = Settings()
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder, progress_bar("bindings") as progress:
        settings = scratch_settings(own, Path(folder))
        if database_url:
            settings.database_url = database_url
        figures = reminders_bench.measure(
            settings, bindings=bindings, told_share=told_share, kills=kills, progress=progress, say=_say
        )
    show(figures, as_json)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = [0]
    if any(not 1 <= number <= MOST for number in numbers):
        raise BadRequest(f"请输入用逗号分隔的正整数，每个不超过 {MOST}")
    return numbers


def _say(line: str) -> None:
    typer.echo(f"bench: {line}", err=True)


def _keep(rows: list[dict[str, Any]]) -> run.Emit:
    def emit(row: dict[str, Any]) -> None:
        rows.append(row)
        _say(" · ".join(f"{name} {value}" for name, value in row.items() if value is not None))

    return emit


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    Console(width=max(120, 14 * len(columns))).print(table)
