"""Every route of the application, asked by every role, by a citizen, by another one and by nobody."""

from typing import NamedTuple

import pytest
from fastapi import APIRouter, Depends, FastAPI
from httpx import Response

from services.accounts.endpoints import PageGuard, StaffGuard, current_staff
from services.app import MonitorGuard
from services.channels.web.own import HolderGuard, OwnerGuard
from services.core.guards import Anybody, Declared, must_all_name_a_permission, routes_of
from services.core.permissions import CITIZEN, PUBLIC, ROLES, Role, account_roles, known, role_may
from services.web.endpoints import NAVIGATION, Entry
from tests.integration.rights.conftest import STRANGER, World

MADE_UP = "night_desk"
METHODS = {"HEAD": 0, "GET": 1, "POST": 2, "PUT": 3, "DELETE": 4}
A_STATIC_FILE = "/static/js/rights.js"
# After these nobody is known any more.
ENDINGS = ("/logout", "/end")


def night_desk() -> Role:
    """A role that nothing but its row knows of."""
    rights = ["account.own", "notices.read", "cases.read", "cases.work", "cases.take_over", "hears.urgent"]
    return Role("夜班", frozenset(known(right) for right in rights))


def add_the_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, MADE_UP, night_desk())
    if MADE_UP not in world.passwords:
        world.hire(MADE_UP)


class Outcome(NamedTuple):
    """What became of a request, as far as rights go."""

    status: int | None
    to_login: bool = False


ALLOWED = Outcome(None)


def outcome_of(answer: Response) -> Outcome:
    to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
    if to_login or answer.status_code in (401, 403, 404):
        return Outcome(answer.status_code, to_login)
    return ALLOWED


def expected(route: Declared, who: str) -> Outcome:
    """What the table says of this route for `who`."""
    assert route.permission is not None
    if who == STRANGER:
        other = isinstance(route.guard, OwnerGuard)
        return Outcome(404) if other else expected(route, CITIZEN)
    if role_may(who, route.permission):
        return ALLOWED
    if isinstance(route.guard, MonitorGuard):
        return Outcome(403)
    if who not in account_roles() and isinstance(route.guard, PageGuard):
        return Outcome(303, to_login=True)
    return Outcome(403 if who in account_roles() and isinstance(route.guard, StaffGuard) else 401)


def walked(world: World) -> list[Declared]:
    """In an order in which nothing is taken away that is still needed."""
    return sorted(routes_of(world.app), key=lambda one: (one.path.endswith(ENDINGS), METHODS[one.method], one.path))


@pytest.mark.parametrize("who", [PUBLIC, CITIZEN, STRANGER, *account_roles(), MADE_UP])
def test_every_route_lets_in_and_refuses_exactly_whom_the_table_says(
    world: World, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if who == MADE_UP:
        add_the_row(world, monkeypatch)
    world.fill(who)
    routes = walked(world)
    assert len(routes) > 80
    wrong = []
    for route in routes:
        path = A_STATIC_FILE if route.path == "/static" else route.path.replace(":path}", "}").format(**world.things)
        answer = world.ask(who, route.method, path, **({"json": {}} if route.method in ("POST", "PUT") else {}))
        found = outcome_of(answer)
        if found != expected(route, who):
            wrong.append(f"{route.method} {route.path} ({route.permission}): {answer.status_code} {answer.text[:80]}")
    assert wrong == []


def test_a_right_taken_out_of_a_row_shuts_its_routes_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.log_in()
    assert world.ask("manager", "GET", "/api/v1/statistics/timeliness").status_code == 200
    row = ROLES["manager"]
    monkeypatch.setitem(ROLES, "manager", Role(row.title, row.may - {"statistics.read"}))
    assert world.ask("manager", "GET", "/api/v1/statistics/timeliness").status_code == 403
    assert world.ask("manager", "GET", "/manager").status_code == 403
    monkeypatch.setitem(ROLES, PUBLIC, Role("任何人", ROLES[PUBLIC].may - {"conversations.open"}))
    assert world.ask(PUBLIC, "POST", "/api/v1/conversations").status_code == 403
    monkeypatch.setitem(ROLES, CITIZEN, Role("市民", frozenset()))
    assert world.ask(CITIZEN, "GET", "/api/v1/conversations/current").status_code == 403


def test_a_new_route_that_names_no_permission_stops_the_application_from_starting() -> None:
    app = FastAPI(openapi_url=None)
    router = APIRouter(prefix="/api/v1")

    @router.get("/known", dependencies=[Depends(current_staff("cases.read"))])
    def known_route() -> None: ...

    app.include_router(router)
    must_all_name_a_permission(app)

    @router.post("/new/{number}")
    def new_route(number: int) -> None: ...

    with pytest.raises(LookupError, match=r"POST /api/v1/new/\{number\}"):
        must_all_name_a_permission(app)


def test_a_page_or_a_folder_of_files_that_names_no_permission_is_found_too() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/new-page", include_in_schema=False)
    def page() -> None: ...

    app.mount("/more", FastAPI(openapi_url=None))
    with pytest.raises(LookupError, match="GET /new-page, GET /more"):
        must_all_name_a_permission(app)


def test_a_route_that_names_two_permissions_is_not_settled_by_the_first() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/both", dependencies=[Depends(current_staff("cases.read")), Depends(Anybody("pages.open"))])
    def both() -> None: ...

    with pytest.raises(LookupError, match="GET /both"):
        must_all_name_a_permission(app)


@pytest.mark.parametrize("guard", [StaffGuard, PageGuard, OwnerGuard, HolderGuard, Anybody])
def test_a_permission_that_the_table_does_not_know_cannot_be_named(guard: type) -> None:
    with pytest.raises(ValueError, match=r"cases\.reed"):
        guard("cases.reed")


def misleading(app: FastAPI, navigation: tuple[Entry, ...]) -> list[str]:
    """Entries of a navigation that are shown to others than those who may open the page."""
    pages = {one.path: one.permission for one in routes_of(app) if one.method == "GET"}
    return [entry.href for entry in navigation if pages.get(entry.href) != entry.permission]


def test_the_navigation_shows_a_page_to_exactly_those_who_may_open_it(world: World) -> None:
    assert misleading(world.app, NAVIGATION) == []
    wrong = (Entry("/manager", "统计", "cases.work"), Entry("/nowhere", "无", "cases.work"))
    assert misleading(world.app, (*NAVIGATION, *wrong)) == ["/manager", "/nowhere"]


@pytest.mark.parametrize("who", account_roles())
def test_a_login_leads_to_the_first_page_of_the_navigation(world: World, who: str) -> None:
    world.log_in()
    first = next(entry.href for entry in NAVIGATION if role_may(who, entry.permission))
    answer = world.ask(who, "GET", "/home")
    assert (answer.status_code, answer.headers["location"]) == (303, first)
    assert world.ask(who, "GET", first).status_code == 200


def test_a_new_installation_has_one_account_for_each_role_of_the_table_and_for_whom_the_city_names(
    world: World,
) -> None:
    assert set(world.passwords) - {MADE_UP} == {*account_roles(), "inspector"}


def test_a_role_is_a_row_and_works_through_login_route_page_navigation_and_notices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_the_row(world, monkeypatch)
    world.fill(MADE_UP)
    page = world.ask(MADE_UP, "GET", world.ask(MADE_UP, "GET", "/home").headers["location"]).text
    assert "夜班" in page
    assert 'href="/staff"' in page
    assert all(f'href="{entry.href}"' not in page for entry in NAVIGATION[1:])
    assert 'data-rights="' in page
    rights = page.split('data-rights="')[1].split('"')[0].split()
    assert {"cases.work", "cases.take_over"} <= set(rights)
    assert "cases.press" not in rights
    case = f"/api/v1/cases/{world.things['case_no']}"
    assert world.ask(MADE_UP, "POST", f"{case}/reopen", json={"reason": "还有问题"}).status_code == 200
    assert world.ask(MADE_UP, "POST", f"{case}/claim").json()["assignee"] == MADE_UP
    assert world.ask(MADE_UP, "POST", f"{case}/press").json()["detail"] == "只有主管可以催办"
    assert world.ask("admin", "POST", f"{case}/assign", json={"assignee": MADE_UP}).status_code == 409
    assert world.ask(MADE_UP, "GET", "/manager").status_code == 403
    assert world.ask(MADE_UP, "GET", "/api/v1/me").json()["role"] == MADE_UP
    # In other hands, so that what is told now is told to the role.
    assert world.ask("admin", "POST", f"{case}/claim").json()["assignee"] == "admin"
    urgent = {"kind": "help", "priority": "urgent"}
    assert world.ask("admin", "POST", f"{case}/classify", json=urgent).status_code == 200
    told = world.ask(MADE_UP, "GET", "/api/v1/notices").json()
    assert [one["kind"] for one in told if one["body"]["case_no"] == world.things["case_no"]] == ["case_urgent"]
