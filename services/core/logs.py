"""Structured logs on standard error, one JSON object a line. No text of a citizen, no identifier, no token."""

import logging
import sys

import structlog

from services.core.errors import place_of

# These print addresses with query strings, which may hold what somebody typed, or say nothing that helps.
NOISY = ("httpx", "httpcore", "uvicorn.access", "sqlalchemy.engine", "alembic", "sentence_transformers", "sanic")


def _without_words(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of an exception only its class and its place, whoever logs it."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = {"kind": type(error).__name__, "place": place_of(error)}
    return event


def configure_logging(service: str) -> None:
    """Route structlog and the standard library's loggers of this process to one JSON stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_words,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # The web server would print tracebacks in its own way.
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(own).handlers = []
        logging.getLogger(own).propagate = True
    structlog.contextvars.bind_contextvars(service=service)
