"""Editing, importing, publishing and searching the knowledge base."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Form, Header, Query, Request, Response, UploadFile

from knowledge_base import Entry, KnowledgeBaseError, import_bytes
from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.errors import Unavailable, Unprocessable
from services.core.permissions import must
from services.core.web import container_of
from services.core.wire import Offset, SmallId
from services.knowledge import searching, service
from services.knowledge.schemas import (
    DraftPage,
    DraftView,
    EntryDetail,
    EntryEdit,
    EntryPage,
    EntryView,
    FeedbackPage,
    ImportReport,
    NewEntry,
    Published,
    RollbackRequest,
    SearchView,
    SnapshotView,
)

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])

Editor = Annotated[StaffUser, Depends(current_staff("knowledge.edit"))]
Publisher = Annotated[StaffUser, Depends(current_staff("knowledge.publish"))]
Reader = Annotated[StaffUser, Depends(current_staff("knowledge.read"))]
IfMatch = Annotated[str | None, Header(max_length=200)]


@router.post("/import")
def import_file(
    request: Request,
    user: Editor,
    file: Annotated[UploadFile, File()],
    publish: Annotated[bool, Form()] = False,
    replace: Annotated[bool, Form()] = False,
) -> ImportReport:
    """Import JSONL, CSV or XLSX; each row that cannot be taken is named with its reason.

    Of an entry that exists, a column that the file lacks stays as it is, an empty cell empties; with `replace` what the
    file does not name becomes empty too. What lost content stands under `emptied`.
    """
    if publish:
        must(user, "knowledge.publish")
    container = container_of(request)
    try:
        result = import_bytes(file.filename or "", file.file.read())
    except KnowledgeBaseError as error:
        raise Unprocessable(str(error)) from None
    with container.database.unit_of_work() as uow:
        report = service.store_import(uow, result, actor=user.name, now=container.clock.now(), replace=replace)
        uow.commit()
    if publish:
        report.version = container.publish_knowledge(actor=user.name, answers="later").version
        container.knowledge.refresh()
    return report


@router.get("/entries")
def entries(
    request: Request,
    user: Reader,
    q: Annotated[str, Query(max_length=200)] = "",
    department: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Offset = 0,
) -> EntryPage:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        found, total = service.find_entries(uow, q, department, limit, offset)
    return EntryPage(entries=[_view(entry) for entry in found], total=total)


@router.get("/search")
def search(
    request: Request,
    user: Reader,
    q: Annotated[str, Query(max_length=10_000)],
    k: Annotated[int, Query(ge=1, le=50)] = 5,
) -> SearchView:
    """Search the live snapshot and say why each hit is one."""
    knowledge = container_of(request).knowledge
    live = knowledge.snapshot()
    if live is None:
        raise Unavailable(knowledge.problem or "知识库尚未加载")
    return searching.explained(live[1], live[0], q, k)


@router.get("/entries/{entry_id:path}")
def entry(entry_id: str, request: Request, response: Response, user: Reader) -> EntryDetail:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return _tagged(response, service.get_entry(uow, entry_id))


@router.post("/entries", status_code=201)
def create_entry(body: NewEntry, request: Request, response: Response, user: Editor) -> EntryDetail:
    """Add an entry; citizens see it after the next publish."""
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        made = service.create_entry(uow, body.values(), actor=user.name, now=container.clock.now())
        uow.commit()
    response.headers["Location"] = f"{router.prefix}/entries/{quote(made.id, safe='')}"
    return _tagged(response, made)


@router.put("/entries/{entry_id:path}")
def update_entry(
    entry_id: str, body: EntryEdit, request: Request, response: Response, user: Editor, if_match: IfMatch = None
) -> EntryDetail:
    """Replace an entry. With If-Match (the ETag that was read) a change by somebody else in between is refused."""
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        saved = service.update_entry(
            uow, entry_id, body.values(), expected=_hash(if_match), actor=user.name, now=container.clock.now()
        )
        uow.commit()
    return _tagged(response, saved)


@router.delete("/entries/{entry_id:path}", status_code=204)
def delete_entry(entry_id: str, request: Request, user: Editor, if_match: IfMatch = None) -> None:
    """Delete an entry; citizens stop seeing it after the next publish."""
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        service.delete_entry(uow, entry_id, expected=_hash(if_match), actor=user.name, now=container.clock.now())
        uow.commit()


@router.get("/drafts")
def drafts(
    request: Request,
    user: Editor,
    state: service.DraftState = "open",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Offset = 0,
) -> DraftPage:
    """What staff drafted from answers, the oldest first."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.list_drafts(uow, state, limit, offset)


@router.post("/drafts/{draft_id}/accept", status_code=201)
def accept_draft(
    draft_id: SmallId,
    body: NewEntry,
    request: Request,
    response: Response,
    user: Editor,
) -> EntryDetail:
    """Take a draft in as an entry, worded as the editor has it; citizens see it after the next publish."""
    container = container_of(request)
    made = container.database.write(
        lambda uow: service.accept_draft(uow, draft_id, body.values(), actor=user.name, now=container.clock.now())
    )
    response.headers["Location"] = f"{router.prefix}/entries/{quote(made.id, safe='')}"
    return _tagged(response, made)


@router.post("/drafts/{draft_id}/drop")
def drop_draft(draft_id: SmallId, request: Request, user: Editor) -> DraftView:
    """Put a draft aside."""
    container = container_of(request)
    return container.database.write(
        lambda uow: service.drop_draft(uow, draft_id, actor=user.name, now=container.clock.now())
    )


@router.get("/feedback")
def feedback(
    request: Request,
    user: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Offset = 0,
) -> FeedbackPage:
    """What citizens said of answers, per entry, the lowest share of helpful first."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.feedback(uow, limit, offset)


@router.post("/publish")
def publish(request: Request, user: Publisher) -> Published:
    """Publish the edits since the active version. Many new answers are embedded by the worker afterwards."""
    container = container_of(request)
    done = container.publish_knowledge(actor=user.name, answers="later")
    container.knowledge.refresh()
    return Published.model_validate(done._asdict())


@router.get("/snapshots")
def snapshots(request: Request, user: Reader) -> list[SnapshotView]:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.list_snapshots(uow)


@router.post("/rollback", status_code=204)
def roll_back(body: RollbackRequest, request: Request, user: Publisher) -> None:
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        service.roll_back(uow, body.version, actor=user.name, now=container.clock.now())
        uow.commit()
    container.knowledge.refresh()


def _tagged(response: Response, detail: EntryDetail) -> EntryDetail:
    response.headers["ETag"] = f'"{detail.content_hash}"'
    return detail


def _hash(if_match: str | None) -> str | None:
    return None if if_match is None or if_match.strip() == "*" else if_match.strip().strip('"')


def _view(entry: Entry) -> EntryView:
    return EntryView.model_validate(
        {name: entry.to_dict().get(name) for name in EntryView.model_fields}
        | {
            "similar_questions": list(entry.similar_questions),
            "keywords": list(entry.keywords),
        }
    )
