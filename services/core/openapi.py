"""What the OpenAPI document says of every operation at once: the problems that it may answer (RFC 9457)."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse

from services.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HuiyingError,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from services.core.web import PROBLEM

Answers = dict[int | str, dict[str, Any]]

SCHEMA = {
    "title": "Problem",
    "description": "Problem details for HTTP APIs (RFC 9457); further members say more of some problems.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "description": "Of a 422: the fields that do not fit.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
EXPECTED = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Unprocessable,
    TooManyRequests,
    Unavailable,
)
# What `RequestGuard` answers before any operation is looked for.
UNLOOKED = (BadRequest, Forbidden, TooLarge, Unprocessable)
# FastAPI's own, in the place of which the problems stand.
REPLACED = ("HTTPValidationError", "ValidationError")


def answered_as(description: str, *media_types: str) -> Answers:
    """`responses` of an operation that answers with bytes of one of these types."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {kind: {"schema": schema} for kind in media_types}}}


class Picture(Response):
    media_type = "image/svg+xml"


class Events(StreamingResponse):
    media_type = "text/event-stream"


def document_problems(app: FastAPI) -> None:
    """Let the document of `app` name, for every operation, the status of every expected error as a problem."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in REPLACED:
                schemas.pop(name, None)
            schemas["Problem"] = SCHEMA
            for path, operations in document["paths"].items():
                kinds = EXPECTED if path.startswith("/api/") else UNLOOKED
                for operation in operations.values():
                    operation["responses"] = _with_problems(operation["responses"], kinds)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _with_problems(answers: dict[str, Any], kinds: Sequence[type[HuiyingError]]) -> dict[str, Any]:
    # FastAPI adds a 422 of its own shape, which our handler never sends.
    own = {status: answer for status, answer in answers.items() if status != "422"}
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for kind in kinds:
        known = own.get(str(kind.status), {"description": kind.title})
        own[str(kind.status)] = {**known, "content": {**known.get("content", {}), **content}}
    return own
