"""Editing, importing, publishing and searching the knowledge base."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile

from knowledge_base import Entry, KnowledgeBaseError, import_bytes
from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.errors import Unavailable, Unprocessable
from services.core.web import container_of
from services.knowledge import service
from services.knowledge.schemas import (
    EntryPage,
    EntryView,
    HitView,
    ImportReport,
    Published,
    RollbackRequest,
    SearchView,
    SnapshotView,
)

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])

Editor = Annotated[StaffUser, Depends(current_staff("editor", "reviewer", "admin"))]
Reader = Annotated[StaffUser, Depends(current_staff())]


@router.post("/import")
def import_file(
    request: Request, user: Editor, file: Annotated[UploadFile, File()], publish: Annotated[bool, Form()] = False
) -> ImportReport:
    """Import JSONL, CSV or XLSX; each row that cannot be taken is named with its reason."""
    container = container_of(request)
    try:
        result = import_bytes(file.filename or "", file.file.read())
    except KnowledgeBaseError as error:
        raise Unprocessable(str(error)) from None
    with container.database.unit_of_work() as uow:
        report = service.store_import(uow, result, actor=user.name, now=container.clock.now())
        uow.commit()
    if publish:
        report.version, _ = container.publish_knowledge(actor=user.name)
    return report


@router.get("/entries")
def entries(
    request: Request,
    user: Reader,
    q: Annotated[str, Query(max_length=200)] = "",
    department: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> EntryPage:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        found, total = service.find_entries(uow, q.replace("\0", ""), department, limit, offset)
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
    snapshot, version = knowledge.current, knowledge.version
    if snapshot is None:
        raise Unavailable(knowledge.problem or "知识库尚未加载")
    result = snapshot.search(q, k)
    hits = [
        HitView(
            id=hit.entry_id,
            question=snapshot.entry(hit.entry_id).question,
            department=snapshot.entry(hit.entry_id).department,
            confidence=round(hit.confidence, 4),
            wording=hit.wording,
            dense=round(hit.dense, 4),
            dense_answer=round(hit.dense_answer, 4),
            lexical=round(hit.lexical, 4),
        )
        for hit in result.hits
    ]
    return SearchView(version=version, band=result.band, hits=hits)


@router.post("/publish")
def publish(request: Request, user: Editor) -> Published:
    version, entries = container_of(request).publish_knowledge(actor=user.name)
    return Published(version=version, entries=entries)


@router.get("/snapshots")
def snapshots(request: Request, user: Reader) -> list[SnapshotView]:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.list_snapshots(uow)


@router.post("/rollback", status_code=204)
def roll_back(body: RollbackRequest, request: Request, user: Editor) -> None:
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        service.roll_back(uow, body.version, actor=user.name, now=container.clock.now())
        uow.commit()


def _view(entry: Entry) -> EntryView:
    return EntryView.model_validate(
        {name: entry.to_dict().get(name) for name in EntryView.model_fields}
        | {
            "similar_questions": list(entry.similar_questions),
            "keywords": list(entry.keywords),
        }
    )
