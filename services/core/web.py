"""What every HTTP room shares: the container, problem details, what a request may hold, security headers, the access
log."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_plus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.core.errors import HuiyingError, TooLarge, Unprocessable, place_of
from services.core.storage import StorageUnavailable, trouble_in
from services.core.wire import unstorable, unstorable_json, whole

if TYPE_CHECKING:
    from services.container import Container

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
}
# The interactive OpenAPI page loads its own scripts, which the policy above would refuse.
DOCUMENTATION_PATHS = ("/docs", "/redoc")


def container_of(request: Request) -> "Container":
    """The composed application that this request runs in."""
    return cast("Container", request.app.state.container)


def problem(status: int, title: str, detail: str, **extra: object) -> JSONResponse:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return JSONResponse(body, status_code=status, media_type=PROBLEM)


def install_error_handlers(app: FastAPI) -> None:
    """Render every error as problem details; the log gets the fact, never what was typed."""

    @app.exception_handler(HuiyingError)
    async def _expected(request: Request, error: HuiyingError) -> JSONResponse:
        return _refusal(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [
            {"field": ".".join(str(part) for part in item["loc"] if part != "body"), "reason": item["msg"]}
            for item in error.errors()
        ]
        return problem(422, "内容无法处理", "请求的字段不符合要求", errors=fields)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        response = problem(error.status_code, "请求无法完成", str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    async def _database(request: Request, error: Exception) -> JSONResponse:
        trouble = trouble_in(error)
        if trouble is None:
            return fault(request.scope, error)
        log.error("nothing can be stored", trouble=trouble, kind=type(error).__name__)
        return _refusal(StorageUnavailable(trouble))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return fault(request.scope, error)


def _refusal(error: HuiyingError) -> JSONResponse:
    response = problem(error.status, error.title, error.detail, **error.extra)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(error.retry_after)
    return response


def fault(scope: Scope, error: Exception) -> JSONResponse:
    """The answer to an unexpected error; the log gets its class and place, never its message."""
    log.error("unexpected error", kind=type(error).__name__, place=place_of(error), path=scope.get("path", ""))
    return problem(500, "内部错误", "系统出了点问题，请稍后再试")


class RequestGuard:
    """ASGI middleware: bounds every body, refuses what cannot be kept, adds security headers and writes one access
    line a request.

    `limits` maps a path suffix to its own limit in bytes; others have `default_limit`. Address, query and JSON body are
    looked through by `services.core.wire.unstorable` before the application sees them.
    """

    def __init__(self, app: ASGIApp, *, default_limit: int, limits: dict[str, int]) -> None:
        self._app = app
        self._default_limit = default_limit
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        started = time.perf_counter()
        status = 0

        async def observing_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(b"x-content-type-options", b"nosniff")]
                if not path.startswith(DOCUMENTATION_PATHS):
                    extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._pass_on(scope, receive, observing_send)
        except Exception as error:
            # Answered here: what passes on is printed by the server with its message, which may repeat what was typed.
            answer = fault(scope, error)
            if status == 0:
                await answer(scope, receive, observing_send)
        finally:
            route = scope.get("route")
            log.info(
                "request",
                method=scope["method"],
                route=getattr(route, "path", "unmatched"),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        limit = next((size for suffix, size in self._limits.items() if path.endswith(suffix)), self._default_limit)
        # Of a header that is given twice the first counts, as it does for Starlette.
        headers = dict(reversed(scope["headers"]))
        bounded = _bounded(receive, limit)
        reason = unstorable(path) or unstorable(unquote_plus(scope["query_string"].decode("latin-1")))
        try:
            if reason is None and whole(headers.get(b"content-length", b"0").decode("latin-1"), limit) is None:
                raise _too_large(limit)
            if reason is None and _is_json(headers):
                body = await _whole_body(bounded)
                if body is None:
                    return
                reason = unstorable_json(body)
                bounded = _again(body, receive)
        except HTTPException as error:
            await problem(error.status_code, TooLarge.title, str(error.detail))(scope, receive, send)
            return
        if reason is not None:
            await problem(Unprocessable.status, Unprocessable.title, f"请求{reason}")(scope, receive, send)
            return
        await self._app(scope, bounded, send)


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            # FastAPI lets this one through as it is while it reads a body.
            raise _too_large(limit)
        return message

    return bounded


def _too_large(limit: int) -> HTTPException:
    return HTTPException(TooLarge.status, f"内容超过 {limit // 1024} KB 的限制")


def _is_json(headers: Mapping[bytes, bytes]) -> bool:
    """As FastAPI decides it: `application/json` and `application/...+json`."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind.startswith(b"application/") and kind.endswith(b"json")


async def _whole_body(receive: Receive) -> bytes | None:
    """None when the client went away before the end of it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def server_sent_event(event: str, data: object, event_id: int | None = None) -> str:
    """One event of a text/event-stream (WHATWG HTML, section 9.2)."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
