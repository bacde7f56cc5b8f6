"""Structured logs on standard error, one JSON object a line. No text of a citizen, no identifier, no token."""

import logging
import sys

import structlog

NOISY = ("httpx", "httpcore", "uvicorn.access", "sqlalchemy.engine", "alembic", "sentence_transformers", "sanic")


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
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # These print addresses with query strings, which may hold what somebody typed, or say nothing that helps.
    for noisy in (
        "httpx",
        "httpcore",
        "uvicorn.access",
        "sqlalchemy.engine",
        "alembic",
        "sentence_transformers",
        "sanic",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)
