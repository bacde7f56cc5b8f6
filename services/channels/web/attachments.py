"""Photos and documents over HTTP: the citizen sends and sees them, the staff of the case sees them."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.channels.web.own import Own, origin_of
from services.conversations.schemas import SendAnswer
from services.core.errors import NotFound
from services.core.limits import count_against
from services.core.openapi import answered_as
from services.core.web import container_of
from services.core.wire import Text

PER_MINUTE = 20

FILE = answered_as("A photo or a document", "image/jpeg", "application/pdf")

router = APIRouter(prefix="/api/v1", tags=["conversations"])
Reader = Annotated[StaffUser, Depends(current_staff("cases.read"))]


@router.post("/conversations/{conversation_id}/attachments")
def attach(
    conversation_id: Own,
    request: Request,
    file: Annotated[UploadFile, File()],
    client_message_id: Annotated[Text, Form(min_length=1, max_length=64)],
) -> SendAnswer:
    """Send a photo (JPG, PNG, WebP) or a PDF; it goes to the conversation's open case, if there is one.

    422 for anything else, 413 above the limit, 429 past twenty a minute, fifty in a conversation or what one address
    may add in an hour, 503 while many photos wait to be read. The same `client_message_id` gets the same answer again.
    """
    the = container_of(request)
    count_against(the.signals.client, what="attachments", who=conversation_id, limit=PER_MINUTE)
    content = the.conversations.checked_file(file.file.read())
    with the.database.unit_of_work() as uow:
        seq = the.conversations.attach(
            uow, conversation_id, content, client_message_id, the.clock.now(), origin_of(request)
        )
        answer = the.conversations.answer_of(uow, conversation_id, seq)
        uow.commit()
    return answer


@router.get("/conversations/{conversation_id}/attachments/{attachment_id}", response_class=Response, responses=FILE)
def show_own(conversation_id: Own, attachment_id: str, request: Request) -> Response:
    """What the citizen sent; somebody else's is not found."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        found = the.conversations.attachment(uow, conversation_id, attachment_id)
    return _sent(found)


@router.get("/cases/{case_no}/attachments/{attachment_id}", tags=["cases"], response_class=Response, responses=FILE)
def show_to_staff(case_no: str, attachment_id: str, request: Request, user: Reader) -> Response:
    """What the citizen of this case sent, for who may see the case; what belongs to a confidential case of the same
    conversation opens through that one only."""
    the = container_of(request)
    with the.database.unit_of_work(read_only=True) as uow:
        conversation_id = cases.conversation_for(uow, case_no=case_no, user=user)
        found = None
        if conversation_id is not None:
            hidden = cases.shade(uow, conversation_id, apart_from=case_no)
            found = the.conversations.attachment(uow, conversation_id, attachment_id, hidden)
    return _sent(found)


def _sent(found: tuple[str, bytes] | None) -> Response:
    if found is None:
        raise NotFound("没有这个文件")
    media_type, content = found
    headers = {"cache-control": "private, no-store", "content-security-policy": "default-src 'none'; sandbox"}
    if media_type == "application/pdf":
        headers["content-disposition"] = 'attachment; filename="attachment.pdf"'
    return Response(content, media_type=media_type, headers=headers)
