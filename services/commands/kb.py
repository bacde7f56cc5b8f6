"""`huiying kb`: the knowledge base."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from knowledge_base import KnowledgeBase, evaluate, export_file, import_file, read_out_of_scope, read_queries
from services.commands.console import ACTOR, JsonFlag, container, progress_bar, show
from services.core.errors import BadRequest, Unavailable
from services.knowledge import service

app = typer.Typer(help="The knowledge base: import, publish, search, evaluate.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="JSONL, CSV or XLSX, by its suffix.")]
NOTES_SHOWN = 20


@app.command("import")
def import_entries(
    file: File,
    publish: Annotated[bool, typer.Option("--publish", help="Publish a new version afterwards.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create and update entries from a file; rows that cannot be taken are named with their reason."""
    parts = container()
    result = import_file(file)
    with parts.database.unit_of_work() as uow:
        report = service.store_import(uow, result, actor=ACTOR, now=parts.clock.now())
        uow.commit()
    if publish:
        with progress_bar("embedding") as progress:
            report.version, _ = parts.publish_knowledge(actor=ACTOR, progress=progress)
    if as_json:
        show(report.model_dump(), True)
        return
    typer.echo(
        f"created {report.created}, updated {report.updated}, unchanged {report.unchanged}, "
        f"rejected {len(report.rejected)}, reported {len(report.reported)}"
    )
    for label, notes in (("rejected", report.rejected), ("reported", report.reported)):
        for note in notes[:NOTES_SHOWN]:
            typer.echo(f"  {label} row {note.row}: {note.reason}")
        if len(notes) > NOTES_SHOWN:
            typer.echo(f"  ... {len(notes) - NOTES_SHOWN} more {label}; --json lists all")
    if report.version is not None:
        typer.echo(f"published version {report.version}")


@app.command("export")
def export_entries(file: File) -> None:
    """Write all entries to a file that `kb import` reads back."""
    parts = container()
    with parts.database.unit_of_work(read_only=True) as uow:
        entries = service.all_entries(uow)
    export_file(entries, file)
    typer.echo(f"exported {len(entries)} entries")


@app.command("publish")
def publish() -> None:
    """Publish all entries as a new version; a running system switches to it by itself."""
    with progress_bar("embedding") as progress:
        version, entries = container().publish_knowledge(actor=ACTOR, progress=progress)
    typer.echo(f"published version {version} with {entries} entries")


@app.command("rollback")
def roll_back(version: Annotated[int, typer.Argument(help="A published version.")]) -> None:
    """Point at another published version."""
    parts = container()
    with parts.database.unit_of_work() as uow:
        service.roll_back(uow, version, actor=ACTOR, now=parts.clock.now())
        uow.commit()
    typer.echo(f"version {version} is active")


@app.command("search")
def search(
    text: str,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="How many hits.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Search the active version and say why each hit is one."""
    parts = container()
    parts.knowledge.refresh()
    snapshot = parts.knowledge.current
    if snapshot is None:
        raise Unavailable(parts.knowledge.problem or "知识库尚未发布")
    found = snapshot.search(text, k)
    hits = [
        {
            "id": hit.entry_id,
            "question": snapshot.entry(hit.entry_id).question,
            "confidence": round(float(hit.confidence), 4),
            "wording": hit.wording,
            "dense": round(float(hit.dense), 4),
            "dense_answer": round(float(hit.dense_answer), 4),
            "lexical": round(float(hit.lexical), 4),
        }
        for hit in found.hits
    ]
    if as_json:
        show({"version": parts.knowledge.version, "band": found.band, "hits": hits}, True)
        return
    typer.echo(f"band: {found.band}")
    for hit in hits:
        typer.echo(f"{hit['confidence']:.3f}  {hit['id']}  {hit['question']}")


@app.command("evaluate")
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
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        with progress_bar("embedding") as progress:
            built = KnowledgeBase.build(
                result.entries,
                parts.embedder(),
                Path(folder) / "snapshot",
                created_at=datetime.now(UTC),
                cache=parts.embedding_cache,
                progress=progress,
                reranker=parts.reranker,
                synonyms=parts.synonyms,
            )
        with progress_bar("queries") as progress:
            figures = evaluate(
                built,
                read_queries(queries),
                read_out_of_scope(out_of_scope) if out_of_scope else (),
                progress=progress,
            )
    show(figures, as_json)
