"""What a citizen does with the cases of their own conversation."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.accounts import service as accounts
from services.cases import service as cases
from services.cases.schemas import CaseOut, NoteIn, OptionalReasonIn, RatingIn, ReasonIn
from services.channels.web.own import Own, origin_of
from services.core.database import UnitOfWork
from services.core.web import container_of

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/cases", tags=["conversations"])


class CitizenCase(BaseModel):
    """A case as its citizen sees it: who has it by department and post, no names of staff, no inner limits."""

    case_no: str
    status: str
    kind: str
    department: str
    clerk: str | None
    title: str
    created_at: str
    first_response_at: str | None
    due_at: str | None
    hold_until: str | None
    merged_into: str | None
    satisfaction: int | None


@router.get("")
def list_own(conversation_id: Own, request: Request) -> list[CitizenCase]:
    """The newest fifty."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        found = cases.cases_of_citizen(uow, the.secrets, conversation_id=conversation_id, now=the.clock.now())
        return [_shown(uow, case) for case in found]


@router.post("/{case_no}/add")
def add(conversation_id: Own, case_no: str, body: NoteIn, request: Request) -> CitizenCase:
    """Add to an open case; identifiers leave the text as in any message. 429 past what is added in an hour."""
    the = container_of(request)

    def step(uow: UnitOfWork) -> CitizenCase:
        the.conversations.note_addition(uow, conversation_id, the.clock.now(), origin_of(request))
        text = the.conversations.hide_identifiers(uow, conversation_id, body.text, the.clock.now())
        return _do(request, uow, cases.citizen_adds, conversation_id, case_no, text=text)

    return the.database.write(step)


@router.post("/{case_no}/press")
def press(conversation_id: Own, case_no: str, request: Request) -> CitizenCase:
    """Ask for progress; 409 with `press_again_at` when that was done a short while ago."""
    return _act(request, cases.citizen_presses, conversation_id, case_no)


@router.post("/{case_no}/withdraw")
def withdraw(conversation_id: Own, case_no: str, request: Request, body: OptionalReasonIn | None = None) -> CitizenCase:
    reason = body.reason if body is not None else None
    return _act(request, cases.citizen_withdraws, conversation_id, case_no, reason=reason)


@router.post("/{case_no}/confirm")
def confirm(conversation_id: Own, case_no: str, request: Request) -> CitizenCase:
    """The matter is settled; the case is closed."""
    return _act(request, cases.citizen_confirms, conversation_id, case_no)


@router.post("/{case_no}/reopen")
def reopen(conversation_id: Own, case_no: str, body: ReasonIn, request: Request) -> CitizenCase:
    return _act(request, cases.citizen_reopens, conversation_id, case_no, reason=body.reason)


@router.post("/{case_no}/rate")
def rate(conversation_id: Own, case_no: str, body: RatingIn, request: Request) -> CitizenCase:
    """From 1 to 5, once; 409 the second time."""
    return _act(request, cases.citizen_rates, conversation_id, case_no, score=body.score, comment=body.comment)


def _act(
    request: Request, action: Callable[..., CaseOut], conversation_id: str, case_no: str, **values: Any
) -> CitizenCase:
    the = container_of(request)
    return the.database.write(lambda uow: _do(request, uow, action, conversation_id, case_no, **values))


def _do(
    request: Request, uow: UnitOfWork, action: Callable[..., CaseOut], conversation_id: str, case_no: str, **values: Any
) -> CitizenCase:
    the = container_of(request)
    case = action(uow, the.secrets, case_no=case_no, conversation_id=conversation_id, now=the.clock.now(), **values)
    return _shown(uow, case)


def _shown(uow: UnitOfWork, case: CaseOut) -> CitizenCase:
    wire = case.model_dump(mode="json")
    clerk = accounts.shown_to_citizens(uow, case.assignee) if case.assignee is not None else None
    return CitizenCase.model_validate({**wire, "due_at": wire["next_due_at"], "clerk": clerk})
