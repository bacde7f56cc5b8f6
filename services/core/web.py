"""What every HTTP room shares: the container, problem details, events of streams."""

import json
from typing import TYPE_CHECKING, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.core.errors import HuiyingError, place_of
from services.core.storage import StorageUnavailable, trouble_in

if TYPE_CHECKING:
    from services.container import Container

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"


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


def server_sent_event(event: str, data: object, event_id: int | None = None) -> str:
    """One event of a text/event-stream (WHATWG HTML, section 9.2)."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
