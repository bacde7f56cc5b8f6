"""The case desk over HTTP (architecture, HTTP)."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import service
from services.cases.schemas import (
    CaseDetail,
    CaseList,
    CaseOut,
    NoteIn,
    OptionalReasonIn,
    ReasonIn,
    ReplyIn,
    TransferIn,
)
from services.cases.states import Status
from services.core.database import UnitOfWork
from services.core.web import container_of

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])

Reader = Annotated[StaffUser, Depends(current_staff("clerk", "supervisor", "manager", "admin"))]
Worker = Annotated[StaffUser, Depends(current_staff("clerk", "supervisor", "admin"))]


def _act(request: Request, action: Callable[[UnitOfWork], CaseOut]) -> CaseOut:
    return container_of(request).database.write(action)


@router.get("")
def list_cases(
    request: Request,
    user: Reader,
    status: Annotated[list[Status] | None, Query()] = None,
    department: Annotated[str | None, Query(max_length=64)] = None,
    overdue: bool | None = None,
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> CaseList:
    """`status` may be given more than once; `mine` narrows to the cases in the reader's own hands."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        return service.list_cases(
            uow,
            container.secrets,
            user=user,
            now=container.clock.now(),
            status=status,
            department=department,
            overdue=overdue,
            mine=mine,
            limit=limit,
            offset=offset,
        )


@router.get("/{case_no}")
def get_case(case_no: str, request: Request, user: Reader) -> CaseDetail:
    """A case with its events, the conversation's transcript and the masked identifiers in it."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        case = service.get_case(uow, container.secrets, case_no=case_no, user=user, now=container.clock.now())
    if case.conversation_id is not None:
        case.transcript = container.transcript_of(case.conversation_id, user.name)
        case.identifiers = container.identifiers_of(case.conversation_id)
    return case


@router.post("/{case_no}/claim")
def claim(case_no: str, request: Request, user: Worker) -> CaseOut:
    """409 names the holder in `held_by`."""
    the = container_of(request)
    return _act(request, lambda uow: service.claim(uow, the.secrets, case_no=case_no, user=user, now=the.clock.now()))


@router.post("/{case_no}/reply")
def reply(case_no: str, body: ReplyIn, request: Request, user: Worker) -> CaseOut:
    """409 shows the answer that was given already: `first_reply`, `first_replied_by`, `first_replied_at`."""
    the = container_of(request)
    return _act(
        request,
        lambda uow: service.reply(
            uow,
            the.secrets,
            case_no=case_no,
            user=user,
            text=body.text,
            resolve=body.resolve,
            now=the.clock.now(),
        ),
    )


@router.post("/{case_no}/note")
def note(case_no: str, body: NoteIn, request: Request, user: Worker) -> CaseOut:
    the = container_of(request)
    return _act(
        request,
        lambda uow: service.note(uow, the.secrets, case_no=case_no, user=user, text=body.text, now=the.clock.now()),
    )


@router.post("/{case_no}/transfer")
def transfer(case_no: str, body: TransferIn, request: Request, user: Worker) -> CaseOut:
    the = container_of(request)
    return _act(
        request,
        lambda uow: service.transfer(
            uow,
            the.secrets,
            case_no=case_no,
            user=user,
            department=body.department,
            reason=body.reason,
            now=the.clock.now(),
        ),
    )


@router.post("/{case_no}/resolve")
def resolve(case_no: str, request: Request, user: Worker) -> CaseOut:
    the = container_of(request)
    return _act(request, lambda uow: service.resolve(uow, the.secrets, case_no=case_no, user=user, now=the.clock.now()))


@router.post("/{case_no}/close")
def close(case_no: str, request: Request, user: Worker, body: OptionalReasonIn | None = None) -> CaseOut:
    """A case that is not settled is closed by a supervisor or admin only, who must give a reason."""
    the = container_of(request)
    reason = body.reason if body is not None else None
    return _act(
        request,
        lambda uow: service.close(uow, the.secrets, case_no=case_no, user=user, reason=reason, now=the.clock.now()),
    )


@router.post("/{case_no}/reopen")
def reopen(case_no: str, body: ReasonIn, request: Request, user: Worker) -> CaseOut:
    the = container_of(request)
    return _act(
        request,
        lambda uow: service.reopen(
            uow, the.secrets, case_no=case_no, user=user, reason=body.reason, now=the.clock.now()
        ),
    )
