"""Login, and the dependencies that guard staff endpoints and pages."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from services.accounts import service
from services.accounts.schemas import LoginAnswer, LoginRequest, PasswordChange, Profile, StaffUser
from services.core.addresses import client_address
from services.core.errors import Forbidden, Unauthorized
from services.core.guards import Guard, anybody
from services.core.limits import count_against
from services.core.permissions import Permission, must
from services.core.web import container_of

STAFF_COOKIE = "huiying_staff"
COOKIE_WRITE_HEADER = ("x-requested-with", "huiying")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# All that a one-time password opens: its change is among it.
BEFORE_THE_CHANGE: Permission = "account.own"

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


class MustChange(Forbidden):
    """Somebody with a one-time password wants more than to change it."""


class StaffGuard(Guard):
    """Gives the staff member who asks.

    Raises Unauthorized without a login, Forbidden without the permission, MustChange before a one-time password is
    changed.
    """

    def __call__(self, request: Request) -> StaffUser:
        token = token_from(request, STAFF_COOKIE)
        if token is None:
            raise Unauthorized("请先登录")
        container = container_of(request)
        with container.database.unit_of_work(read_only=True) as uow:
            user = service.user_of_token(uow, token, container.clock.now())
        must(user, self.permission)
        if user.must_change and self.permission != BEFORE_THE_CHANGE:
            raise MustChange("请先修改一次性密码")
        return user


class PageGuard(StaffGuard):
    """Like StaffGuard, but who has not logged in is led to the login page, a one-time password to its change."""

    def __call__(self, request: Request) -> StaffUser:
        try:
            return super().__call__(request)
        except Unauthorized:
            raise _led_to("/login", request, "请先登录") from None
        except MustChange as error:
            raise _led_to("/password", request, error.detail) from None


def _led_to(page: str, request: Request, why: str) -> HTTPException:
    target = f"{page}?next={quote(request.url.path)}"
    return HTTPException(status_code=303, detail=why, headers={"location": target})


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
    """Check a name and a password: 401 when one of them is wrong, 429 with Retry-After while earlier mistakes, or too
    many logins, make this visitor wait, 503 with Retry-After while too many others are checked."""
    container = container_of(request)
    visitor = container.logins.visitor(body.name, client_address(request))
    count_against(
        container.signals.client,
        what="logins",
        who=f"{visitor.name_hash}:{visitor.address}",
        limit=container.settings.logins_per_minute,
    )
    found = container.logins.log_in(visitor, body.password)
    if found is None:
        raise Unauthorized(service.WRONG_LOGIN)
    token, user = found
    set_session_cookie(request, response, STAFF_COOKIE, token, days=1)
    return LoginAnswer(token=token, **_profile(user))


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
    return Profile(**_profile(user))


@router.post("/me/password", status_code=204)
def change_password(
    body: PasswordChange, request: Request, user: Annotated[StaffUser, Depends(current_staff("account.own"))]
) -> None:
    """Change the own password; every other session of the account ends. 400 for a wrong old or a weak new one."""
    logins = container_of(request).logins
    visitor = logins.visitor(user.name, client_address(request))
    logins.change_password(visitor, old=body.old, new=body.new, token=token_from(request, STAFF_COOKIE))


def _profile(user: StaffUser) -> dict[str, Any]:
    return {name: getattr(user, name) for name in Profile.model_fields}
