"""The bell of every page of the staff: what is unread, and the alarms over danger to life that ring for the reader."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import service
from services.cases.schemas import AlarmOut
from services.core.errors import Forbidden, Unauthorized
from services.core.openapi import Events
from services.core.signals import STAFF
from services.core.web import container_of, server_sent_event
from services.notifications import service as notifications

HEARTBEAT_SECONDS: Final = 15.0
# Without the hints of Redis a stream looks for itself.
DEAF_LOOK_SECONDS: Final = 5.0
# A busy hour has many notices a second; a bell is looked at no oftener than this.
PAUSE_SECONDS: Final = 0.5

router = APIRouter(prefix="/api/v1", tags=["notifications"])
reader = current_staff("notices.read")
Reader = Annotated[StaffUser, Depends(reader)]


class Bell(notifications.Unread):
    """`alarms` are those that the reader was told of and that nobody has acknowledged, the oldest first."""

    alarms: list[AlarmOut]


@router.get("/bell")
def bell(request: Request, user: Reader) -> Bell:
    """How many notices are unread (100: as many and more), the newest ten of them, and the alarms that ring."""
    return _look(request, user)


@router.get("/bell/stream", response_class=Events)
async def bell_stream(request: Request, user: Reader) -> Events:
    """Server-sent events: `bell`, the same as GET /bell, at once and whenever it changes.

    It ends when the login does. 429 past five streams of one person, 503 past what the process holds, both with
    Retry-After.
    """
    container_of(request).streams.check(_owner(user))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Events(_events(request, user), headers=headers)


def _owner(user: StaffUser) -> str:
    return f"staff:{user.name}"


async def _events(request: Request, user: StaffUser) -> AsyncIterator[str]:
    """Between two looks a stream holds no thread and no session: only its place among the listeners."""
    container = container_of(request)
    shown: Bell | None = None
    spoke_at = time.monotonic()
    channels = [STAFF + recipient for recipient in notifications.recipients_of(user)]
    with container.streams.hold(_owner(user)):
        yield "retry: 2000\n\n"
        async with container.signals.listen(*channels) as news:
            while not container.stopping.is_set():
                news.clear()
                try:
                    found = await anyio.to_thread.run_sync(_look_again, request)
                except (Unauthorized, Forbidden):
                    # Logged out meanwhile, perhaps in another tab, or of another role.
                    return
                if found != shown:
                    shown = found
                    spoke_at = time.monotonic()
                    yield server_sent_event("bell", found.model_dump(mode="json"))
                await asyncio.sleep(PAUSE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    seconds = HEARTBEAT_SECONDS if container.signals.hears else DEAF_LOOK_SECONDS
                    await asyncio.wait_for(news.wait(), seconds)
                if time.monotonic() - spoke_at >= HEARTBEAT_SECONDS:
                    spoke_at = time.monotonic()
                    yield ": still here\n\n"


def _look_again(request: Request) -> Bell:
    return _look(request, reader(request))


def _look(request: Request, user: StaffUser) -> Bell:
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        unread = notifications.unread(uow, container.notice_reader(uow, user), container.clock.now())
        alarms = service.ringing_for(uow, user)
    return Bell(unread=unread.unread, news=unread.news, alarms=alarms)
