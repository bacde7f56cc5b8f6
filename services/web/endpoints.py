"""Page routes. Every page is an HTML shell; its data comes from `/api/v1` by the script of the page.

The pages carry no inline script and no inline style, so they run under
`Content-Security-Policy: default-src 'self'; img-src 'self' data:`. Location sharing needs
`Permissions-Policy: geolocation=(self)` (or no such header).
"""

import re
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from services.accounts import service as accounts
from services.accounts.endpoints import page_user
from services.accounts.schemas import StaffUser
from services.core.errors import Forbidden, HuiyingError
from services.core.guards import anybody
from services.core.permissions import Permission, Person, known, may, rights_of, title_of

HERE = Path(__file__).resolve().parent
STATIC_DIR = HERE / "static"

# (label on the chip, what is sent as the citizen's words)
QUICK_REPLIES: tuple[tuple[str, str], ...] = (
    ("菜单", "菜单"),
    ("查违章", "查违章"),
    ("办事预约", "办事预约"),
    ("水电气账单", "查水电气账单"),
    ("办件进度", "查办件进度"),
    ("附近网点", "附近服务网点"),
    ("转人工", "转人工"),
)

EMERGENCY_NUMBERS: tuple[tuple[str, str], ...] = (
    ("110", "报警"),
    ("119", "火警"),
    ("120", "急救"),
    ("122", "交通事故"),
    ("12345", "政务热线"),
)

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\s\\]*\Z")


class _RevalidatedStatic(StaticFiles):
    """Static files that browsers keep but ask about each time (ETag), so an upgrade shows at once."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount_static(app: FastAPI) -> None:
    """Serve `services/web/static` at `/static/` (a router cannot carry a mount through `include_router`)."""
    app.mount("/static", _RevalidatedStatic(directory=STATIC_DIR), name="static")


def safe_next(target: str | None) -> str:
    """Return `target` when it is a path on this site, else an empty string (no open redirect after login)."""
    return target if target and _LOCAL_PATH.match(target) else ""


class Entry(NamedTuple):
    """An entry of the staff's navigation: shown to who may open its page."""

    href: str
    label: str
    permission: Permission


NAVIGATION: Final[tuple[Entry, ...]] = (
    Entry("/staff", "工单", "cases.work"),
    Entry("/staff/appointments", "预约", "appointments.work"),
    Entry("/manager", "统计", "statistics.read"),
    Entry("/editor", "知识库", "knowledge.edit"),
)


def navigation_of(user: Person) -> list[Entry]:
    """The entries that somebody sees, in order; the first is where a login leads."""
    return [entry for entry in NAVIGATION if may(user, entry.permission)]


class _Renderer:
    """Jinja environment with the texts every page shares."""

    def __init__(self, city_name: str, service_name: str, setup_problem: Callable[[], str | None]) -> None:
        self._setup_problem = setup_problem
        self._templates = Jinja2Templates(directory=HERE / "templates")
        self._templates.env.globals.update(city_name=city_name, service_name=service_name)

    def page(self, request: Request, name: str, status: int = 200, **context: Any) -> HTMLResponse:
        response = self._templates.TemplateResponse(request, name, context, status_code=status)
        # Pages behind a login must not come back from a shared or back-button cache after logout.
        response.headers["Cache-Control"] = "no-store"
        return response

    def staff_page(self, request: Request, name: str, user: StaffUser, **context: Any) -> HTMLResponse:
        return self.page(
            request,
            name,
            user=user,
            role_name=title_of(user.role),
            pages=navigation_of(user),
            rights=" ".join(rights_of(user)),
            setup_problem=self._setup_problem() if may(user, "cases.read") else None,
            hidden_without=lambda permission: "" if may(user, known(permission)) else "hidden",
            **context,
        )


def _page_route(render: _Renderer) -> type[APIRoute]:
    """A route class whose expected errors (a wrong role, say) come back as a page, not as problem details."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    return await handler(request)
                except HuiyingError as error:
                    return render.page(
                        request,
                        "error.html",
                        status=error.status,
                        status_code=error.status,
                        title=error.title,
                        detail=error.detail,
                    )

            return guarded

    return PageRoute


def build_router(
    city_name: str,
    *,
    service_name: str | None = None,
    departments: Callable[[], Sequence[str]] = tuple,
    setup_problem: Callable[[], str | None] = lambda: None,
    quick_replies: Sequence[tuple[str, str]] = QUICK_REPLIES,
    max_message_length: int = 2000,
) -> APIRouter:
    """Build the router of the pages; the static files are mounted apart by `mount_static(app)`.

    Args:
        city_name: name of the city shown on the pages, e.g. `示范市`.
        service_name: title of the chat; `<city_name>政务服务` when not given.
        departments: gives the names offered when a case is transferred (the clerk may type another).
        setup_problem: what the city has yet to set up, said on every page of those who work with cases; None: nothing.
        quick_replies: (label, text sent) of the chips above the input line.
        max_message_length: characters a citizen's message may have; longer ones are held back with a hint.
    """
    render = _Renderer(city_name, service_name or f"{city_name}政务服务", setup_problem)
    router = APIRouter(include_in_schema=False, route_class=_page_route(render))
    everybody = [anybody("pages.open")]

    @router.get("/", response_class=HTMLResponse, dependencies=everybody)
    def chat(request: Request) -> HTMLResponse:
        return render.page(
            request,
            "chat.html",
            quick_replies=quick_replies,
            emergency_numbers=EMERGENCY_NUMBERS,
            max_length=max_message_length,
        )

    @router.get("/login", response_class=HTMLResponse, dependencies=everybody)
    def login(request: Request, next: str | None = None) -> HTMLResponse:
        return render.page(request, "login.html", next_path=safe_next(next))

    @router.get("/home")
    def home(user: Annotated[StaffUser, Depends(page_user("account.own"))]) -> Response:
        """Where a login leads: the first page of the navigation that this person may open, or the change of a one-time
        password."""
        if user.must_change:
            return RedirectResponse("/password", status_code=303)
        pages = navigation_of(user)
        if not pages:
            raise Forbidden("您的角色没有可以打开的页面")
        return RedirectResponse(pages[0].href, status_code=303)

    @router.get("/password", response_class=HTMLResponse)
    def password(
        request: Request, user: Annotated[StaffUser, Depends(page_user("account.own"))], next: str | None = None
    ) -> HTMLResponse:
        return render.page(
            request, "password.html", user=user, next_path=safe_next(next), shortest=accounts.SHORTEST_PASSWORD
        )

    @router.get("/docs", response_class=HTMLResponse, dependencies=[anybody("api.describe")])
    def documentation(request: Request) -> HTMLResponse:
        return render.page(request, "docs.html")

    @router.get("/staff", response_class=HTMLResponse)
    def staff(request: Request, user: Annotated[StaffUser, Depends(page_user("cases.work"))]) -> HTMLResponse:
        return render.staff_page(request, "staff.html", user, case_no="", departments=departments())

    @router.get("/staff/appointments", response_class=HTMLResponse)
    def appointments(
        request: Request, user: Annotated[StaffUser, Depends(page_user("appointments.work"))]
    ) -> HTMLResponse:
        return render.staff_page(request, "appointments.html", user)

    @router.get("/staff/cases/{case_no}", response_class=HTMLResponse)
    def staff_case(
        request: Request, case_no: str, user: Annotated[StaffUser, Depends(page_user("cases.work"))]
    ) -> HTMLResponse:
        return render.staff_page(request, "staff.html", user, case_no=case_no, departments=departments())

    @router.get("/manager", response_class=HTMLResponse)
    def manager(request: Request, user: Annotated[StaffUser, Depends(page_user("statistics.read"))]) -> HTMLResponse:
        return render.staff_page(request, "manager.html", user)

    @router.get("/editor", response_class=HTMLResponse)
    def editor(request: Request, user: Annotated[StaffUser, Depends(page_user("knowledge.edit"))]) -> HTMLResponse:
        return render.staff_page(request, "editor.html", user)

    return router
