"""Who a staff member is, inside and on the wire."""

from dataclasses import dataclass

from pydantic import BaseModel, Field


@dataclass(frozen=True)
class StaffUser:
    """A staff member who has logged in; a department of None means the whole service hall."""

    name: str
    role: str
    department: str | None = None


class LoginRequest(BaseModel):
    name: str = Field(max_length=64)
    password: str = Field(max_length=200)


class Profile(BaseModel):
    name: str
    role: str
    department: str | None


class LoginAnswer(Profile):
    token: str
