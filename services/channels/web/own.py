"""Whose conversation a request is about: the citizen is known by its token, as a cookie or bearer token."""

from typing import Annotated

from fastapi import Depends, Request

from services.accounts.endpoints import token_from
from services.core.addresses import UNKNOWN, client_address
from services.core.guards import Guard
from services.core.permissions import CITIZEN, role_must
from services.core.web import container_of

CITIZEN_COOKIE = "huiying_citizen"


def origin_of(request: Request) -> str:
    """Where a request comes from: a keyed hash of its address, empty for one that is none."""
    address = client_address(request)
    return "" if address == UNKNOWN else container_of(request).secrets.keyed_hash(f"address:{address}")


def must_own(request: Request, conversation_id: str) -> None:
    """Raises Unauthorized without a token, NotFound with the one of another conversation."""
    container = container_of(request)
    with container.database.unit_of_work(read_only=True) as uow:
        container.conversations.own(uow, token_from(request, CITIZEN_COOKIE), conversation_id)


class OwnerGuard(Guard):
    """Gives the id of the conversation in the path, to whoever holds its token (see `must_own`)."""

    def __call__(self, conversation_id: str, request: Request) -> str:
        role_must(CITIZEN, self.permission)
        must_own(request, conversation_id)
        return conversation_id


class HolderGuard(Guard):
    """Gives the id of the conversation that the token is of. Raises Unauthorized without one."""

    def __call__(self, request: Request) -> str:
        role_must(CITIZEN, self.permission)
        container = container_of(request)
        with container.database.unit_of_work(read_only=True) as uow:
            return container.conversations.of_token(uow, token_from(request, CITIZEN_COOKIE)).id


Own = Annotated[str, Depends(OwnerGuard("conversations.own"))]
OfToken = Annotated[str, Depends(HolderGuard("conversations.own"))]
