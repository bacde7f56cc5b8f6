"""How a route names what it needs: by a dependency that carries the permission (services/core/permissions.py)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as Dependency
from fastapi.routing import iter_route_contexts

from services.core.permissions import PUBLIC, Permission, known, role_must

# Routes that the framework makes: they have no place for a dependency, and everybody may ask them.
FRAMEWORK: Final[dict[str, Permission]] = {
    "/openapi.json": "api.describe",
    "/docs": "api.describe",
    "/docs/oauth2-redirect": "api.describe",
    "/redoc": "api.describe",
    "/static": "pages.open",
}


@dataclass(frozen=True)
class Guard:
    """A dependency that lets a request pass when whoever asks has the permission. Raises ValueError for an unknown one.

    What somebody is known by (a staff login, the token of a conversation) is the subclass's `__call__`.
    """

    permission: Permission

    def __post_init__(self) -> None:
        known(self.permission)


class Anybody(Guard):
    """Lets everybody pass, while the table gives the permission to everybody."""

    async def __call__(self) -> None:
        role_must(PUBLIC, self.permission)


def anybody(permission: Permission) -> Dependency:
    """For the `dependencies` of a route that needs no login."""
    return Depends(Anybody(permission))  # type: ignore[no-any-return]


class Declared(NamedTuple):
    """A route of the application with what it needs, None when it does not say."""

    method: str
    path: str
    permission: Permission | None
    guard: Guard | None


def routes_of(app: FastAPI) -> Iterator[Declared]:
    """Every route of the application, one for each method, mounts included."""
    for route in iter_route_contexts(app.routes):
        dependant: Any = getattr(route, "dependant", None)
        path = str(getattr(route, "path", None) or getattr(route.original_route, "path", "?"))
        guards = set(_guards(dependant)) if isinstance(dependant, Dependant) else set()
        # Two would leave open which of them counts.
        guard = guards.pop() if len(guards) == 1 else None
        permission = guard.permission if guard else None if isinstance(dependant, Dependant) else FRAMEWORK.get(path)
        for method in sorted(getattr(route, "methods", None) or {"GET"}):
            yield Declared(method, path, permission, guard)


def must_all_name_a_permission(app: FastAPI) -> None:
    """Raises LookupError, naming them, when a route of the application does not say, once, what it needs."""
    silent = [f"{one.method} {one.path}" for one in routes_of(app) if one.permission is None]
    if silent:
        raise LookupError(f"name a permission of services/core/permissions.py at: {', '.join(silent)}")


def _guards(dependant: Dependant) -> Iterator[Guard]:
    if isinstance(dependant.call, Guard):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards(inner)
