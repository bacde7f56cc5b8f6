"""Login, and the dependencies that guard staff endpoints and pages."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from services.accounts import service
from services.accounts.schemas import LoginAnswer, LoginRequest, Profile, StaffUser
from services.core.errors import Forbidden, Unauthorized
from services.core.guards import Guard, anybody
from services.core.permissions import Permission, must
from services.core.web import container_of

STAFF_COOKIE = "huiying_staff"
COOKIE_WRITE_HEADER = ("x-requested-with", "huiying")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

router = APIRouter(prefix="/api/v1", tags=["accounts"])


def token_from(request: Request, cookie: str) -> str | None:
    """The bearer token, or the cookie's; a write by cookie needs the header that a foreign page cannot send."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        return header[7:].strip() or None
    token = request.cookies.get(cookie)
    if token and request.method not in SAFE_METHODS:
        name, value = COOKIE_WRITE_HEADER
        if request.headers.get(name) != value:
            raise Forbidden("缺少 X-Requested-With 请求头")
    return token


class StaffGuard(Guard):
    """Gives the staff member who asks. Raises Unauthorized without a login, Forbidden without the permission."""

    def __call__(self, request: Request) -> StaffUser:
        token = token_from(request, STAFF_COOKIE)
        if token is None:
            raise Unauthorized("请先登录")
        container = container_of(request)
        with container.database.unit_of_work(read_only=True) as uow:
            user = service.user_of_token(uow, token, container.clock.now())
        must(user, self.permission)
        return user


class PageGuard(StaffGuard):
    """Like StaffGuard, but somebody who has not logged in is led to the login page."""

    def __call__(self, request: Request) -> StaffUser:
        try:
            return super().__call__(request)
        except Unauthorized:
            target = f"/login?next={quote(request.url.path)}"
            raise HTTPException(status_code=303, detail="请先登录", headers={"location": target}) from None


def current_staff(permission: Permission) -> StaffGuard:
    """A dependency: the staff member who asks, if the role has the permission."""
    return StaffGuard(permission)


def page_user(permission: Permission) -> PageGuard:
    """The same for a page."""
    return PageGuard(permission)


def set_session_cookie(request: Request, response: Response, name: str, token: str, *, days: int) -> None:
    """HttpOnly and same-site; over plain HTTP (a demo on one machine) without the secure mark."""
    response.set_cookie(
        name,
        token,
        max_age=days * 24 * 3600,
        httponly=True,
        samesite="strict",
        secure=container_of(request).settings.secure_cookies or request.url.scheme == "https",
        path="/",
    )


@router.post("/login", dependencies=[anybody("account.enter")])
def log_in(body: LoginRequest, request: Request, response: Response) -> LoginAnswer:
    container = container_of(request)
    with container.database.unit_of_work() as uow:
        found = service.log_in(uow, name=body.name, password=body.password, now=container.clock.now())
        uow.commit()
    if found is None:
        raise Unauthorized(service.WRONG_LOGIN)
    token, user = found
    set_session_cookie(request, response, STAFF_COOKIE, token, days=1)
    return LoginAnswer(token=token, name=user.name, role=user.role, department=user.department)


@router.post("/logout", status_code=204, dependencies=[anybody("account.enter")])
def log_out(request: Request, response: Response) -> None:
    token = token_from(request, STAFF_COOKIE)
    if token:
        with container_of(request).database.unit_of_work() as uow:
            service.log_out(uow, token)
            uow.commit()
    response.delete_cookie(STAFF_COOKIE, path="/")


@router.get("/me")
def me(user: Annotated[StaffUser, Depends(current_staff("account.own"))]) -> Profile:
    return Profile(name=user.name, role=user.role, department=user.department)
