"""An imported file becomes entries: what it says is taken, what it does not speak of stays."""

from collections.abc import Iterator
from datetime import datetime

from knowledge_base import NO_DEPARTMENT, Entry, ImportResult, Origin, RowError, emptied, onto
from services.core import audit
from services.core.database import UnitOfWork
from services.knowledge import repository
from services.knowledge.schemas import ImportReport, RowNote, SheetNote


def store_import(
    uow: UnitOfWork, result: ImportResult, *, actor: str, now: datetime, replace: bool = False
) -> ImportReport:
    """Create or update the entries of an imported file; those that are the same already are left alone.

    A column that the file lacks stays as it is; with `replace` it becomes empty. Whatever loses content is reported.
    """
    report = ImportReport(
        created=0,
        updated=0,
        unchanged=0,
        rejected=[
            RowNote(row=one.row, reason=one.reason, sheet=one.sheet, column=one.column) for one in result.rejected
        ],
        reported=[RowNote(row=one.row, reason=one.note, sheet=one.sheet) for one in result.reported],
        left_out=[SheetNote(sheet=one.sheet, reason=one.reason) for one in result.left_out],
    )
    stored = list(_changes(uow, result, report, replace=replace))
    repository.upsert(uow.session, stored, actor, now)
    report.unchanged = len(result.entries) + len(result.rejected) - len(stored) - len(report.rejected)
    counts = {
        "created": report.created,
        "updated": report.updated,
        "rejected": len(report.rejected),
        "emptied": len(report.emptied),
    }
    audit.record(uow, actor=actor, action="knowledge.import", subject="knowledge", now=now, detail=counts)
    return report


def _changes(uow: UnitOfWork, result: ImportResult, report: ImportReport, *, replace: bool) -> Iterator[Entry]:
    """The entries to store; the report hears of each."""
    known = repository.content_hashes(uow.session)
    differing = [entry.id for entry in result.entries if known.get(entry.id, entry.content_hash) != entry.content_hash]
    before = {old.id: old for old in repository.entries_by_id(uow.session, differing, lock=True)}
    for entry in result.entries:
        origin, old = result.origins.get(entry.id), before.get(entry.id)
        if old is not None:
            changed = _changed(old, entry, origin, report, replace=replace)
            if changed is not None:
                report.updated += 1
                yield changed
        elif known.get(entry.id) != entry.content_hash:
            report.created += 1
            if origin is not None and entry.department is None and "department" not in origin.columns:
                report.reported.append(_at(origin, NO_DEPARTMENT))
            yield entry


def _changed(old: Entry, entry: Entry, origin: Origin | None, report: ImportReport, *, replace: bool) -> Entry | None:
    """The entry as it is to be; None when that is as it was, or when the row does not go together with it."""
    new = entry
    if origin is not None and not replace:
        try:
            new = onto(old, entry, origin.columns)
        except RowError as error:
            note = _at(origin, f"{error}（与原有的内容合在一起）")
            report.rejected.append(note.model_copy(update={"column": error.column}))
            return None
    if new.content_hash == old.content_hash:
        return None
    gone = emptied(old, new)
    if gone and origin is not None:
        report.emptied.append(_at(origin, f"原有的{'、'.join(gone)}被清空"))
    return new


def _at(origin: Origin, reason: str) -> RowNote:
    return RowNote(row=origin.row, reason=reason, sheet=origin.sheet)
