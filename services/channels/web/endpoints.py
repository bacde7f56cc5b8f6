"""The web chat: open a conversation, send, read back, and follow what comes later."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, Response

from services.accounts.endpoints import set_session_cookie
from services.appointments import service as appointments
from services.channels.web.own import CITIZEN_COOKIE, OfToken, Own, must_own, origin_of
from services.conversations.schemas import InboundMessage, MessagePage, NewConversation, OpenRequest, SendAnswer
from services.core.addresses import client_address
from services.core.errors import Unauthorized
from services.core.guards import anybody
from services.core.limits import count_against
from services.core.openapi import Events, Picture
from services.core.signals import CONVERSATION
from services.core.web import container_of, server_sent_event
from services.core.wire import Seq

COOKIE_DAYS = 30
HEARTBEAT_SECONDS = 15.0
# Without the hints of Redis a stream looks for itself.
DEAF_LOOK_SECONDS = 5.0
STREAM_BATCH = 100

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.post("", status_code=201, dependencies=[anybody("conversations.open")])
def open_conversation(request: Request, response: Response, body: OpenRequest | None = None) -> NewConversation:
    """Begin a conversation. The token comes back once, and as an HttpOnly cookie."""
    container = container_of(request)
    count_against(
        container.signals.client,
        what="conversations",
        who=client_address(request),
        limit=container.settings.conversations_per_minute,
    )
    with container.database.unit_of_work() as uow:
        opened = container.conversations.open(
            uow, channel="web", now=container.clock.now(), account=body.account if body else None
        )
        uow.commit()
    set_session_cookie(request, response, CITIZEN_COOKIE, opened.token, days=COOKIE_DAYS)
    return opened


@router.get("/current")
def current_conversation(conversation_id: OfToken) -> dict[str, str]:
    return {"conversation_id": conversation_id}


@router.post("/{conversation_id}/messages")
async def send(conversation_id: Own, body: InboundMessage, request: Request) -> SendAnswer:
    """Send a message and read its answer; the same `client_message_id` gets the same answer again."""
    return await container_of(request).turns.receive(conversation_id, body, origin_of(request))


@router.get("/{conversation_id}/messages")
def read(
    conversation_id: Own,
    request: Request,
    after: Seq = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> MessagePage:
    return _page(request, conversation_id, after, limit)


@router.get("/{conversation_id}/stream", response_class=Events)
async def stream(
    conversation_id: Own, request: Request, after: Seq = 0, last_event_id: Annotated[Seq | None, Header()] = None
) -> Events:
    """Server-sent events: `message` for each message that is not the citizen's own, `handler` when it changes.

    They begin after the `Last-Event-ID` that a browser sends when it connects again, else after `after`. 429 past five
    streams of one conversation, 503 past what the process holds, both with Retry-After.
    """
    container_of(request).streams.check(conversation_id)
    return Events(
        _events(request, conversation_id, after if last_event_id is None else last_event_id),
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


@router.post("/{conversation_id}/end", status_code=204)
def end(conversation_id: Own, request: Request, response: Response) -> None:
    """End the conversation on this device: the cookie goes, its token opens nothing any more, open streams end."""
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        container.conversations.end(uow, conversation_id, container.clock.now())
        uow.commit()
    response.delete_cookie(CITIZEN_COOKIE, path="/", httponly=True, samesite="strict")
    # Whatever the browser still keeps of this site goes too.
    response.headers["clear-site-data"] = '"cache", "storage"'


@router.get("/{conversation_id}/appointments/{no}/qr.svg", response_class=Picture)
def check_in_picture(conversation_id: Own, no: str, request: Request) -> Response:
    """The check-in code of the citizen's own appointment as a picture; somebody else's is not found."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        text = appointments.check_in_text(uow, conversation_id, no)
    return Picture(appointments.picture(text), headers={"cache-control": "no-store"})


@router.get("/{conversation_id}/charts/{link}.svg", response_class=Picture)
def chart(conversation_id: Own, link: str, request: Request) -> Response:
    """The picture of a bill that this conversation asked for, for a day; the address holds nobody's number."""
    picture = container_of(request).lookups.chart(conversation_id, link)
    return Picture(picture, headers={"cache-control": "no-store"})


async def _events(request: Request, conversation_id: str, after: int) -> AsyncIterator[str]:
    """Between two looks a stream holds no thread and no session: only its place among the listeners."""
    container = container_of(request)
    shown_handler: tuple[str, str | None] | None = None
    spoke_at = time.monotonic()
    with container.streams.hold(conversation_id):
        yield "retry: 2000\n\n"
        async with container.signals.listen(CONVERSATION + conversation_id) as news:
            while not container.stopping.is_set():
                news.clear()
                try:
                    page = await anyio.to_thread.run_sync(_own_page, request, conversation_id, after, STREAM_BATCH)
                except Unauthorized:
                    # Ended meanwhile, perhaps in another tab.
                    return
                if (page.handler, page.clerk) != shown_handler:
                    shown_handler = (page.handler, page.clerk)
                    yield server_sent_event("handler", {"handler": page.handler, "clerk": page.clerk})
                for message in page.messages:
                    after = message.id
                    if message.sender != "citizen":
                        yield server_sent_event("message", message.model_dump(mode="json"), message.id)
                if len(page.messages) == STREAM_BATCH:
                    continue
                with contextlib.suppress(TimeoutError):
                    seconds = HEARTBEAT_SECONDS if container.signals.hears else DEAF_LOOK_SECONDS
                    await asyncio.wait_for(news.wait(), seconds)
                if time.monotonic() - spoke_at >= HEARTBEAT_SECONDS:
                    spoke_at = time.monotonic()
                    yield ": still here\n\n"


def _own_page(request: Request, conversation_id: str, after: int, limit: int) -> MessagePage:
    must_own(request, conversation_id)
    return _page(request, conversation_id, after, limit)


def _page(request: Request, conversation_id: str, after: int, limit: int) -> MessagePage:
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        messages = container.conversations.messages_after(uow, conversation_id, after, limit)
        handler, clerk = container.conversations.handler_of(uow, conversation_id)
    return MessagePage.model_validate({"messages": messages, "handler": handler, "clerk": clerk})
