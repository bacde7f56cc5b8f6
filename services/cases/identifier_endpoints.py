"""Identifiers of a case's citizen over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from services.accounts.endpoints import current_staff
from services.accounts.schemas import StaffUser
from services.cases import revealing
from services.core.web import container_of

router = APIRouter(prefix="/api/v1/cases/{case_no}/identifiers", tags=["cases"])

Worker = Annotated[StaffUser, Depends(current_staff("cases.reveal"))]


class RevealIn(BaseModel):
    placeholder: str = Field(min_length=1, max_length=24)
    reason: str = Field(min_length=1, max_length=500)


class RevealOut(BaseModel):
    placeholder: str
    value: str


@router.post("/reveal")
def reveal(case_no: str, body: RevealIn, request: Request, response: Response, user: Worker) -> RevealOut:
    """One identifier in the clear, for the clerk in charge; it is noted with the reason, and limited per hour (429)."""
    the = container_of(request)
    value = the.database.write(
        lambda uow: revealing.reveal(
            uow,
            the.secrets,
            case_no=case_no,
            user=user,
            placeholder=body.placeholder,
            reason=body.reason,
            resolve=the.conversations.resolve_identifier,
            now=the.clock.now(),
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return RevealOut(placeholder=body.placeholder, value=value)
