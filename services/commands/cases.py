"""`huiying cases`: past cases and reports."""

import enum
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from knowledge_base import Embedder
from services.cases import learning, service
from services.cases.proposing import InUse
from services.commands.console import ACTOR, JsonFlag, container, needs, progress_bar, show, written_moment
from services.container import Container
from services.core.errors import BadRequest

app = typer.Typer(help="Cases: import past ones, report timeliness, learn kinds and departments.", no_args_is_help=True)


ROWS_SHOWN = 20


class By(enum.Enum):
    """What a row of the report stands for."""

    department = "department"
    month = "month"


@app.command("import")
@needs("cases.import")
def import_cases(
    file: Annotated[Path, typer.Argument(help="JSONL, CSV or XLSX of past cases with their times.")],
    kind: Annotated[str, typer.Option(help="The kind of all these cases.")] = "consultation",
    policy: Annotated[
        str | None, typer.Option(help="The policy that measures them; the default one without it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Import past cases with their own times and compute their clocks."""
    parts = container()
    with parts.database.unit_of_work() as uow, progress_bar("cases") as progress:
        result = service.import_past_cases(
            uow, parts.secrets, file, kind=kind, policy=policy, now=parts.clock.now(), progress=progress
        )
        uow.commit()
    if as_json:
        show(asdict(result), True)
        return
    typer.echo(
        f"created {result.created}, updated {result.updated}, unchanged {result.unchanged}, "
        f"rejected {len(result.rejected)}, reported {len(result.reported)}"
    )
    for sheet in result.left_out:
        typer.echo(f"  left out sheet {sheet['sheet']}: {sheet['reason']}")
    for label, rows, key in (("rejected", result.rejected, "reason"), ("reported", result.reported, "note")):
        for row in rows[:ROWS_SHOWN]:
            where = f"{row['sheet']} row {row['row']}" if row["sheet"] else f"row {row['row']}"
            typer.echo(f"  {label} {where}: {row[key]}")
        if len(rows) > ROWS_SHOWN:
            typer.echo(f"  ... {len(rows) - ROWS_SHOWN} more {label}; --json lists all")


@app.command("report")
@needs("statistics.read")
def report(
    since: Annotated[str | None, typer.Option("--from", help="First day, or moment.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last day, or moment.")] = None,
    now: Annotated[str | None, typer.Option(help="The moment at which open cases are looked at.")] = None,
    by: Annotated[By | None, typer.Option(help="Rows per department or month.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Timeliness figures of the cases created in a period."""
    parts = container()
    start, end = service.period(since, until)
    moment = written_moment(now, "--now") if now is not None else parts.clock.now()
    with parts.database.unit_of_work(read_only=True) as uow:
        figures = service.report(uow, start=start, end=end, now=moment, by=by.value if by else None)
    show(figures, as_json)


Labelled = Annotated[
    Path, typer.Argument(help="JSONL, CSV or XLSX of labelled cases: text, kind, domain or department.")
]
MapOption = Annotated[
    Path | None,
    typer.Option("--map", help="YAML: what the file's labels are here, {kinds: {...}, departments: {...}}."),
]
EmbeddingOption = Annotated[
    bool, typer.Option("--embedding/--no-embedding", help="Also learn from the sentence embedding.")
]


@app.command("train")
@needs("classifier.train")
def train(
    file: Labelled,
    evaluate_on: Annotated[
        Path | None, typer.Option("--evaluate-on", help="Other labelled cases to measure the new model on.")
    ] = None,
    mapping: MapOption = None,
    embedding: EmbeddingOption = True,
    save: Annotated[bool, typer.Option("--store/--no-store", help="Put the model into use.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Learn kinds and departments from the city's own labelled cases; a running system uses the model at once."""
    parts = container()
    names = learning.read_mapping(mapping)
    found = learning.read_labelled(file)
    held_out = learning.read_labelled(evaluate_on) if evaluate_on else None
    if len(found.rows) < learning.FEWEST_ROWS:
        _warn_rejected(found)
    # A file of too few rows is refused without waiting for the model.
    embedder = parts.embedder() if embedding and len(found.rows) >= learning.FEWEST_ROWS else None
    with progress_bar("embedding") as progress:
        model, figures = learning.train(found.rows, embedder, parts.embedding_cache, say=_say, progress=progress)
    version = None
    if save:
        with parts.database.unit_of_work() as uow:
            version = learning.store(uow, model, figures, names, actor=ACTOR, now=parts.clock.now())
            uow.commit()
    shown = {
        "version": version,
        "rows": len(found.rows),
        "rejected": [asdict(row) for row in found.rejected],
        "cross_validated": figures,
    }
    if held_out is not None:
        shown |= _measured(parts, InUse(version or 0, model, names), held_out, embedder, names)
    if as_json:
        show(shown, True)
        return
    _warn_rejected(found)
    show({name: value for name, value in shown.items() if name != "rejected"}, False)


@app.command("evaluate")
@needs("system.measure")
def evaluate(
    file: Labelled, mapping: MapOption = None, embedding: EmbeddingOption = True, as_json: JsonFlag = False
) -> None:
    """Measure the model in use on labelled cases."""
    parts = container()
    names = learning.read_mapping(mapping)
    found = learning.read_labelled(file)
    if not found.rows:
        raise BadRequest("文件里没有可用的行")
    embedder = parts.embedder() if embedding else None
    using = parts.classifier.using()
    shown = {"version": using.version, **_measured(parts, using, found, embedder, names)}
    if not as_json:
        _warn_rejected(found)
    show(shown, as_json)


def _measured(
    parts: Container,
    using: InUse,
    found: learning.LabelledRows,
    embedder: Embedder | None,
    names: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    with progress_bar("measuring") as progress:
        figures = learning.measure(using, found.rows, embedder, parts.embedding_cache, mapping=names, progress=progress)
    return {
        "evaluated": figures.pop("rows"),
        **figures,
        "evaluation_rejected": [asdict(row) for row in found.rejected],
    }


def _warn_rejected(found: learning.LabelledRows) -> None:
    for row in found.rejected[: learning.REJECTED_SHOWN]:
        _say(f"line {row.row}: {row.reason}")
    if len(found.rejected) > learning.REJECTED_SHOWN:
        _say(f"... {len(found.rejected) - learning.REJECTED_SHOWN} more lines; --json lists all")


def _say(line: str) -> None:
    typer.echo(line, err=True)
