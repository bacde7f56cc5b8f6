"""The case desk over HTTP (architecture, HTTP)."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import service
from services.cases.schemas import (
    AccessIn,
    AssignIn,
    CaseDetail,
    CaseList,
    CaseOut,
    ClassifyIn,
    DecisionIn,
    ExtendIn,
    MergeIn,
    NoteIn,
    OptionalReasonIn,
    PresenceIn,
    PresenceOut,
    PressIn,
    ReadIn,
    ReasonIn,
    ReplyIn,
    TitleIn,
    TransferIn,
)
from services.core.audit import record
from services.core.web import container_of
from services.core.wire import Offset
from services.knowledge.schemas import DraftView
from services.understanding.case_states import Status

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])

Reader = Annotated[StaffUser, Depends(current_staff("cases.read"))]
Presser = Annotated[StaffUser, Depends(current_staff("cases.press"))]
Decider = Annotated[StaffUser, Depends(current_staff("cases.decide_extensions"))]
Namer = Annotated[StaffUser, Depends(current_staff("cases.name_readers"))]
Hearer = Annotated[StaffUser, Depends(current_staff("alarms.acknowledge"))]
Worker = Annotated[StaffUser, Depends(current_staff("cases.work"))]


def _act(request: Request, action: Callable[..., CaseOut], **arguments: Any) -> CaseOut:
    """Run an action of the service in one committed transaction; it gets secrets and time beside `arguments`."""
    the = container_of(request)
    return the.database.write(lambda uow: action(uow, the.secrets, now=the.clock.now(), **arguments))


@router.get("")
def list_cases(
    request: Request,
    user: Reader,
    status: Annotated[list[Status] | None, Query()] = None,
    department: Annotated[str | None, Query(max_length=64)] = None,
    overdue: bool | None = None,
    unanswered: bool = False,
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Offset = 0,
) -> CaseList:
    """`status` may be given more than once; `unanswered` narrows to those past the limit of their first response that
    nobody has answered yet, `mine` to the cases in the reader's own hands."""
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
            unanswered=unanswered,
            mine=mine,
            limit=limit,
            offset=offset,
        )


@router.get("/{case_no}")
def get_case(case_no: str, request: Request, user: Reader) -> CaseDetail:
    """A case with its events, the conversation's transcript and the masked identifiers in it.

    Opening a confidential case leaves an audit row. Of a conversation that held a tip-off which the reader may not know
    of, only what was not said of it is shown, and no identifier.
    """
    container = container_of(request)
    hidden = service.Shade()
    with container.database.unit_of_work(read_only=True) as uow:
        case = service.get_case(uow, container.secrets, case_no=case_no, user=user, now=container.clock.now())
        case.alarm = service.alarm_of(uow, case_no)
        if case.conversation_id is not None:
            hidden = service.shade(uow, case.conversation_id, apart_from=case_no, user=user)
    if case.confidential:
        container.database.write(
            lambda uow: record(uow, actor=user.name, action="case.read", subject=case_no, now=container.clock.now())
        )
    if case.conversation_id is not None:
        messages = container.transcript_of(case.conversation_id, user.name)
        with container.database.unit_of_work(read_only=True) as uow:
            case.transcript = service.readable(uow, user, messages, hidden)
        case.identifiers = container.identifiers_of(case.conversation_id) if not hidden else []
    case.present = container.presence.others(case_no, user.name)
    return case


@router.post("/{case_no}/acknowledge")
def acknowledge(case_no: str, request: Request, user: Hearer) -> CaseOut:
    """Say 已收到 to the danger in a case; 409 names the colleague who said it before (`acknowledged_by`)."""
    return _act(request, service.acknowledge, case_no=case_no, user=user)


@router.post("/{case_no}/claim")
def claim(case_no: str, request: Request, user: Worker) -> CaseOut:
    """409 names the holder in `held_by`."""
    return _act(request, service.claim, case_no=case_no, user=user)


@router.post("/{case_no}/reply")
def reply(case_no: str, body: ReplyIn, request: Request, user: Worker) -> CaseOut:
    """409 shows the answer that was given already: `first_reply`, `first_replied_by`, `first_replied_at`."""
    return _act(request, service.reply, case_no=case_no, user=user, text=body.text, resolve=body.resolve)


@router.post("/{case_no}/note")
def note(case_no: str, body: NoteIn, request: Request, user: Worker) -> CaseOut:
    return _act(request, service.note, case_no=case_no, user=user, text=body.text)


@router.post("/{case_no}/title")
def retitle(case_no: str, body: TitleIn, request: Request, user: Worker) -> CaseOut:
    """Say in other words what the case is about; identifiers are masked. 409 names the holder."""
    title = container_of(request).masked(body.title)
    return _act(request, service.retitle, case_no=case_no, user=user, title=title)


@router.post("/{case_no}/read", status_code=204)
def mark_read(case_no: str, body: ReadIn, request: Request, user: Worker) -> None:
    """The reader has seen the citizen's words up to `upto`. Counts when the case is in their hands, or waits unclaimed
    for their department; without effect for anybody else."""
    the = container_of(request)
    the.database.write(
        lambda uow: service.mark_read(uow, case_no=case_no, user=user, upto=body.upto, now=the.clock.now())
    )


@router.post("/{case_no}/transfer")
def transfer(case_no: str, body: TransferIn, request: Request, user: Worker) -> CaseOut:
    return _act(request, service.transfer, case_no=case_no, user=user, department=body.department, reason=body.reason)


@router.post("/{case_no}/resolve")
def resolve(case_no: str, request: Request, user: Worker) -> CaseOut:
    return _act(request, service.resolve, case_no=case_no, user=user)


@router.post("/{case_no}/close")
def close(case_no: str, request: Request, user: Worker, body: OptionalReasonIn | None = None) -> CaseOut:
    """A case that is not settled is closed by a supervisor or admin only, who must give a reason."""
    reason = body.reason if body is not None else None
    return _act(request, service.close, case_no=case_no, user=user, reason=reason)


@router.post("/{case_no}/reopen")
def reopen(case_no: str, body: ReasonIn, request: Request, user: Worker) -> CaseOut:
    return _act(request, service.reopen, case_no=case_no, user=user, reason=body.reason)


@router.post("/{case_no}/return")
def give_back(case_no: str, body: ReasonIn, request: Request, user: Worker) -> CaseOut:
    """Return a transferred case to its sender; 409 with `return_until` when that is over."""
    return _act(request, service.give_back, case_no=case_no, user=user, reason=body.reason)


@router.post("/{case_no}/assign")
def assign(case_no: str, body: AssignIn, request: Request, user: Worker) -> CaseOut:
    """Hand over to a colleague, or as a supervisor reassign."""
    return _act(request, service.assign, case_no=case_no, user=user, assignee=body.assignee, reason=body.reason)


@router.post("/{case_no}/release")
def release(case_no: str, body: ReasonIn, request: Request, user: Worker) -> CaseOut:
    """Put the case back into its department's queue."""
    return _act(request, service.release, case_no=case_no, user=user, reason=body.reason)


@router.post("/{case_no}/hold")
def hold(case_no: str, body: NoteIn, request: Request, user: Worker) -> CaseOut:
    """Ask the citizen (`text`) and wait; the clocks stand still."""
    return _act(request, service.hold, case_no=case_no, user=user, question=body.text)


@router.post("/{case_no}/resume")
def resume(case_no: str, request: Request, user: Worker) -> CaseOut:
    """Go on without the citizen's answer."""
    return _act(request, service.resume, case_no=case_no, user=user)


@router.post("/{case_no}/extend")
def extend(case_no: str, body: ExtendIn, request: Request, user: Worker) -> CaseOut:
    """Ask for more working days; a supervisor's own request is granted at once."""
    return _act(
        request, service.extend, case_no=case_no, user=user, days=body.days, reason=body.reason, target=body.target
    )


@router.post("/{case_no}/extension")
def decide_extension(case_no: str, body: DecisionIn, request: Request, user: Decider) -> CaseOut:
    """A supervisor approves or refuses the waiting request."""
    return _act(request, service.decide_extension, case_no=case_no, user=user, approve=body.approve, reason=body.reason)


@router.post("/{case_no}/merge")
def merge(case_no: str, body: MergeIn, request: Request, user: Worker) -> CaseOut:
    """Let this duplicate go on as another open case."""
    return _act(request, service.merge, case_no=case_no, user=user, into=body.into)


@router.post("/{case_no}/classify")
def classify(case_no: str, body: ClassifyIn, request: Request, user: Worker) -> CaseOut:
    """Change kind, department, priority or confidentiality; the clocks follow."""
    return _act(request, service.classify, case_no=case_no, user=user, **body.model_dump())


@router.post("/{case_no}/access")
def change_access(case_no: str, body: AccessIn, request: Request, user: Namer) -> CaseOut:
    """Let somebody know of a confidential case, or no longer."""
    return _act(request, service.change_access, case_no=case_no, user=user, name=body.name, allowed=body.allowed)


@router.post("/{case_no}/press")
def press(case_no: str, request: Request, user: Presser, body: PressIn | None = None) -> CaseOut:
    """A supervisor or manager presses (催办)."""
    text = body.text if body is not None else None
    return _act(request, service.press, case_no=case_no, user=user, text=text)


@router.post("/{case_no}/draft")
def draft(case_no: str, request: Request, user: Worker) -> DraftView:
    """Draft an entry of the knowledge base from the answer of a settled case; again gives the same draft.

    Identifiers are taken out. 403 for a confidential case.
    """
    the = container_of(request)
    asked = ""
    with the.database.unit_of_work(read_only=True) as uow:
        case = service.get_case(uow, the.secrets, case_no=case_no, user=user, now=the.clock.now())
        if case.conversation_id is not None:
            # What belongs to a tip-off of the same conversation is in no words that are kept elsewhere.
            asked = the.asked_in(case.conversation_id, case.title_seq)
    return the.database.write(
        lambda uow: service.draft(
            uow,
            the.secrets,
            case_no=case_no,
            user=user,
            now=the.clock.now(),
            hide=the.without_identifiers,
            question=asked,
        )
    )


@router.post("/{case_no}/presence")
def presence(case_no: str, body: PresenceIn, request: Request, user: Reader) -> PresenceOut:
    """Note that the reader looks at the case, or has left it; returns who else does."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        service.must_see(uow, case_no=case_no, user=user)
    if body.leaving:
        the.presence.leave(case_no, user.name)
        return PresenceOut(others=[])
    return PresenceOut(others=the.presence.here(case_no, user.name, writing=body.writing))
