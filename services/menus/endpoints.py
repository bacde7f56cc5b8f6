"""Keyword replies and the accounts that they are for, over HTTP, for editors."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.core.web import container_of
from services.core.wire import Offset, SmallId
from services.menus import service
from services.menus.schemas import AccountView, KeywordEdit, KeywordPage, KeywordView

router = APIRouter(prefix="/api/v1", tags=["menus"])

Editor = Annotated[StaffUser, Depends(current_staff("keywords.edit"))]


@router.get("/channel-accounts")
def channel_accounts(request: Request, user: Editor) -> list[AccountView]:
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.accounts(uow)


@router.get("/keyword-replies")
def keyword_replies(
    request: Request,
    user: Editor,
    account: Annotated[str | None, Query(max_length=32)] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Offset = 0,
) -> KeywordPage:
    """Newest changes first; `account` empty: those for all accounts, left out: every one."""
    with container_of(request).database.unit_of_work(read_only=True) as uow:
        return service.find_replies(uow, account, q, limit, offset)


@router.post("/keyword-replies", status_code=201)
def create(body: KeywordEdit, request: Request, user: Editor) -> KeywordView:
    """Add a keyword reply; it holds from the next message on."""
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        made = service.create_reply(uow, body, actor=user.name, now=container.clock.now())
        uow.commit()
    return made


@router.put("/keyword-replies/{reply_id}")
def update(reply_id: SmallId, body: KeywordEdit, request: Request, user: Editor) -> KeywordView:
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        saved = service.update_reply(uow, reply_id, body, actor=user.name, now=container.clock.now())
        uow.commit()
    return saved


@router.delete("/keyword-replies/{reply_id}", status_code=204)
def delete(reply_id: SmallId, request: Request, user: Editor) -> None:
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        service.delete_reply(uow, reply_id, actor=user.name, now=container.clock.now())
        uow.commit()
