"""`huiying kb`: the knowledge base."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from knowledge_base import (
    Entry,
    KnowledgeBase,
    evaluate,
    export_file,
    import_file,
    lint,
    read_out_of_scope,
    read_queries,
)
from knowledge_base.lint import Finding, counts
from services.appointments import service as appointments
from services.commands.console import ACTOR, JsonFlag, container, needs, progress_bar, show, written_day
from services.container import Container
from services.core.clock import SHANGHAI
from services.core.errors import BadRequest, Unavailable
from services.core.permissions import OPERATOR, role_must
from services.core.wire import LARGEST_SMALL
from services.knowledge import service
from services.knowledge.searching import explained

app = typer.Typer(help="The knowledge base: import, publish, search, examine, evaluate.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="JSONL, CSV or XLSX, by its suffix.")]
NOTES_SHOWN = 20


@app.command("import")
@needs("knowledge.edit")
def import_entries(
    file: File,
    publish: Annotated[bool, typer.Option("--publish", help="Publish a new version afterwards.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty what the file does not name; without it, that stays as it is.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create and update entries from a file; rows that cannot be taken are named with their reason."""
    if publish:
        role_must(OPERATOR, "knowledge.publish")
    parts = container()
    result = import_file(file)
    with parts.database.unit_of_work() as uow:
        report = service.store_import(uow, result, actor=ACTOR, now=parts.clock.now(), replace=replace)
        uow.commit()
    if publish:
        with progress_bar("embedding") as progress:
            report.version = parts.publish_knowledge(actor=ACTOR, progress=progress).version
    if as_json:
        show(report.model_dump(), True)
        return
    typer.echo(
        f"created {report.created}, updated {report.updated}, unchanged {report.unchanged}, "
        f"rejected {len(report.rejected)}, reported {len(report.reported)}, emptied {len(report.emptied)}"
    )
    for sheet in report.left_out:
        typer.echo(f"  left out sheet {sheet.sheet}: {sheet.reason}")
    told = (("rejected", report.rejected), ("emptied", report.emptied), ("reported", report.reported))
    for label, notes in told:
        for note in notes[:NOTES_SHOWN]:
            typer.echo(f"  {label} {note.sheet + ' ' if note.sheet else ''}row {note.row}: {note.reason}")
        if len(notes) > NOTES_SHOWN:
            typer.echo(f"  ... {len(notes) - NOTES_SHOWN} more {label}; --json lists all")
    if report.version is not None:
        typer.echo(f"published version {report.version}")


@app.command("export")
@needs("knowledge.read")
def export_entries(file: File) -> None:
    """Write all entries to a file that `kb import` reads back."""
    parts = container()
    with parts.database.unit_of_work(read_only=True) as uow:
        entries = service.all_entries(uow)
    try:
        export_file(entries, file)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    typer.echo(f"exported {len(entries)} entries")


@app.command("publish")
@needs("knowledge.publish")
def publish(
    full: Annotated[bool, typer.Option("--full", help="Build a new base also for a few edits.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Publish all entries as a new version; a running system switches to it by itself.

    Questions are embedded first and the version is usable then; the answers follow as the next version. A run that is
    stopped goes on where it was.
    """
    parts = container()
    with progress_bar("questions") as progress:
        done = parts.publish_knowledge(actor=ACTOR, progress=progress, full=full, answers="later")
    figures = {"published": done._asdict(), "completed": None}
    if not as_json:
        typer.echo(_said(done))
    if done.answers_pending:
        with progress_bar("answers") as progress:
            completed = parts.complete_knowledge(actor=ACTOR, progress=progress)
        if completed is not None:
            figures["completed"] = completed._asdict()
            if not as_json:
                typer.echo(f"version {completed.version} has all answers")
    if as_json:
        show(figures, True)


def _said(done: service.Publication) -> str:
    if done.kind == "unchanged":
        return f"nothing was edited since version {done.version}"
    what = "base" if done.kind == "full" else f"delta of {done.changed} changed and {done.removed} removed"
    pending = f"; {done.answers_pending} answers follow" if done.answers_pending else ""
    return f"published version {done.version} with {done.entries} entries ({what}){pending}"


@app.command("rollback")
@needs("knowledge.publish")
def roll_back(version: Annotated[int, typer.Argument(min=1, max=LARGEST_SMALL, help="A published version.")]) -> None:
    """Point at another published version."""
    parts = container()
    with parts.database.unit_of_work() as uow:
        service.roll_back(uow, version, actor=ACTOR, now=parts.clock.now())
        uow.commit()
    typer.echo(f"version {version} is active")


@app.command("search")
@needs("knowledge.read")
def search(
    text: str,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="How many hits.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Search the active version and say why each hit is one."""
    parts = container()
    parts.knowledge.refresh()
    live = parts.knowledge.snapshot()
    if live is None:
        raise Unavailable(parts.knowledge.problem or "知识库尚未发布")
    found = explained(live[1], live[0], text, k)
    if as_json:
        show(found.model_dump(), True)
        return
    typer.echo(f"version {found.version}, band: {found.band}, searched: {found.searched}")
    for hit in found.hits:
        typer.echo(f"{hit.confidence:.3f}  {hit.id}  {hit.question}  [{hit.band}]")
        which = "similar question" if hit.similar else "question"
        typer.echo(f"       {which}: {hit.wording}   shared: {' '.join(hit.matched) or '-'}")
        typer.echo("       " + "  ".join(f"{name} {value:.3f}" for name, value in hit.parts.items()))


@app.command("lint")
@needs("knowledge.read")
def lint_entries(
    kb: Annotated[Path | None, typer.Option(help="Examine the entries of this file instead of the database's.")] = None,
    today: Annotated[str | None, typer.Option(help="The day to judge dates by, as 2026-09-30.")] = None,
    city: Annotated[
        Path | None, typer.Option(help="Compare with this city's files instead of the applied ones.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Report near-duplicates, contradictory twins, entries past their date, without a department, or not found, and
    those that contradict the city's halls, service points and appointments (addresses, hours, what to bring)."""
    parts = container()
    day = written_day(today, "--today") if today is not None else parts.clock.now().astimezone(SHANGHAI).date()
    if kb is None:
        with parts.database.unit_of_work(read_only=True) as uow:
            entries = service.all_entries(uow)
    else:
        entries = import_file(kb).entries
    if not entries:
        raise BadRequest("没有可供检查的条目")
    facts = appointments.read_city_facts(city) if city is not None else _applied_facts(parts)
    with _temporary_base(parts, entries) as built, progress_bar("questions") as progress:
        findings = lint(built, today=day, progress=progress)
    contradicting = appointments.contradictions(entries, facts) if facts is not None else []
    listed: list[Finding | appointments.Contradiction] = [*findings, *contradicting]
    counted = {**counts(findings), "contradicts_city": len(contradicting)}
    figures = {"entries": len(entries), "today": day.isoformat(), **counted}
    if as_json:
        show({**figures, "findings": [asdict(finding) for finding in listed]}, True)
        return
    show(figures, False)
    for finding in listed:
        typer.echo(f"  {finding.kind}  {', '.join(finding.entries)}: {finding.note}")


def _applied_facts(parts: Container) -> appointments.CityFacts | None:
    with parts.database.unit_of_work(read_only=True) as uow:
        return appointments.city_facts(uow)


@contextmanager
def _temporary_base(parts: Container, entries: list[Entry]) -> Iterator[KnowledgeBase]:
    """A base of `entries` that is forgotten afterwards; its embeddings stay in the cache."""
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        with progress_bar("embedding") as progress:
            built = KnowledgeBase.build(
                entries,
                parts.embedder(),
                Path(folder) / "snapshot",
                created_at=datetime.now(UTC),
                cache=parts.embedding_cache,
                progress=progress,
                reranker=parts.reranker,
                synonyms=parts.synonyms,
            )
        yield built


@app.command("evaluate")
@needs("system.measure")
def evaluate_queries(
    kb: Annotated[Path, typer.Option(help="The entries to search.")],
    queries: Annotated[Path, typer.Option(help="Rows {faq_id, also, style, query}.")],
    out_of_scope: Annotated[Path | None, typer.Option(help="Rows {query, kind: near|far}.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure retrieval: a knowledge base built from one file, asked the queries of another."""
    parts = container()
    result = import_file(kb)
    if not result.entries:
        raise BadRequest("文件里没有可用的条目")
    with _temporary_base(parts, result.entries) as built, progress_bar("queries") as progress:
        figures = evaluate(
            built,
            read_queries(queries),
            read_out_of_scope(out_of_scope) if out_of_scope else (),
            progress=progress,
        )
    show(figures, as_json)
