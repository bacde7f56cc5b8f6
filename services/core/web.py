"""What every HTTP room shares: the container, problem details, body limits, security headers, the access log."""

import json
import time
from typing import TYPE_CHECKING, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.core.errors import HuiyingError, TooLarge

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
        return problem(error.status, error.title, error.detail, **error.extra)

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

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        # Only the kind and the place: the message of an exception may repeat what a citizen wrote.
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{where.tb_lineno}" if where else "?"
        log.error("unexpected error", kind=type(error).__name__, place=place, path=request.scope.get("path", ""))
        return problem(500, "内部错误", "系统出了点问题，请稍后再试")


class RequestGuard:
    """ASGI middleware: bounds every body, adds security headers and writes one access line a request.

    `limits` maps a path suffix to its own limit in bytes; others have `default_limit`.
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
        limit = next((size for suffix, size in self._limits.items() if path.endswith(suffix)), self._default_limit)
        too_large = f"内容超过 {limit // 1024} KB 的限制"
        started = time.perf_counter()
        status = 0
        received = 0

        async def bounded_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # FastAPI lets this one through as it is while it reads a body.
                raise HTTPException(TooLarge.status, too_large)
            return message

        async def observing_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(b"x-content-type-options", b"nosniff")]
                if not path.startswith(DOCUMENTATION_PATHS):
                    extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if declared.isdigit() and int(declared) > limit:
                await problem(TooLarge.status, TooLarge.title, too_large)(scope, receive, observing_send)
            else:
                await self._app(scope, bounded_receive, observing_send)
        finally:
            route = scope.get("route")
            log.info(
                "request",
                method=scope["method"],
                route=getattr(route, "path", "unmatched"),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )


def server_sent_event(event: str, data: object, event_id: int | None = None) -> str:
    """One event of a text/event-stream (WHATWG HTML, section 9.2)."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
