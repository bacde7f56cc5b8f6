"""Who a staff member is, inside and on the wire."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field


@dataclass(frozen=True)
class StaffUser:
    """A staff member who has logged in; a department of None means the whole service hall.

    `must_change`: came in by a one-time password, and may do nothing before it is changed.
    """

    name: str
    role: str
    department: str | None = None
    must_change: bool = False


@dataclass(frozen=True)
class Visitor:
    """Whoever gives a name and a password, from an address (`services.core.addresses.client_address`)."""

    name: str
    name_hash: str
    address: str


@dataclass(frozen=True)
class Account:
    """An account as its administrator sees it; `sessions` are those that live."""

    name: str
    role: str
    department: str | None
    created_at: datetime
    disabled_at: datetime | None
    must_change_by: datetime | None
    sessions: int
    last_login_at: datetime | None


@dataclass(frozen=True)
class NewAccount:
    """Somebody who is to get an account; `post` is what citizens read beside the department, None: that of the role."""

    name: str
    role: str
    department: str | None = None
    post: str | None = None


@dataclass(frozen=True)
class LiveSession:
    """A login that still counts, and where it was made."""

    created_at: datetime
    expires_at: datetime
    address: str | None


class LoginRequest(BaseModel):
    name: str = Field(max_length=64)
    password: str = Field(max_length=200)


class PasswordChange(BaseModel):
    old: str = Field(max_length=200)
    new: str = Field(max_length=200)


class Profile(BaseModel):
    name: str
    role: str
    department: str | None
    must_change: bool = Field(False, description="a one-time password that must be changed first")


class LoginAnswer(Profile):
    token: str
