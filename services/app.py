"""The FastAPI application: the composition root of the API process."""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator

import anyio.to_thread
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services import health
from services.accounts import endpoints as accounts
from services.appointments import endpoints as appointments
from services.cases import bell_endpoints as bell
from services.cases import endpoints as cases
from services.cases import identifier_endpoints as identifiers
from services.cases import supervision_endpoints as supervision
from services.channels.web import attachments
from services.channels.web import cases as citizen_cases
from services.channels.web import endpoints as web_chat
from services.container import Container, build_container
from services.conversations.decisions import Decider
from services.conversations.dialogue import RasaDialogue
from services.conversations.turns import TurnRunner
from services.core import storage
from services.core.addresses import client_address, is_loopback, split
from services.core.clock import SHANGHAI
from services.core.errors import Forbidden
from services.core.guards import Guard, anybody, must_all_name_a_permission
from services.core.logs import configure_logging
from services.core.openapi import answered_as, document_problems
from services.core.permissions import MONITOR, role_must
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.settings import Settings
from services.core.signals import KNOWLEDGE
from services.core.web import container_of, install_error_handlers
from services.knowledge import endpoints as knowledge
from services.menus import endpoints as menus
from services.notifications import endpoints as notifications
from services.sla import service as sla
from services.statistics import endpoints as statistics
from services.web.endpoints import build_router, mount_static

log = structlog.get_logger(__name__)

THREADS = 64
FIGURES = answered_as("Figures for Prometheus", "text/plain")
UPLOAD_SECONDS = 120.0
RECOVER_SECONDS = 3.0
REFRESH_SECONDS = 2.0


def create_app(container: Container | None = None) -> FastAPI:
    """The application around a container; uvicorn calls it without one."""
    if container is None:
        configure_logging("api")
        container = build_container(Settings())
    composed = container

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        settings = composed.settings
        dialogue = RasaDialogue(settings.rasa_url, settings.rasa_token.get_secret_value(), settings.turn_seconds)
        composed.turns = build_turns(composed, dialogue)
        await anyio.to_thread.run_sync(composed.knowledge.refresh)
        background = [
            asyncio.create_task(composed.signals.run()),
            asyncio.create_task(_follow_knowledge(composed)),
            asyncio.create_task(_recover(composed)),
            asyncio.create_task(storage.watch(composed.database.storage, composed.database.probe)),
        ]
        yield
        composed.stopping.set()
        await composed.turns.drain()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await dialogue.close()
        composed.signals.close()
        composed.database.dispose()

    app = FastAPI(title="Huiying 回应", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.container = composed
    install_error_handlers(app)
    for feature in (
        accounts,
        web_chat,
        citizen_cases,
        attachments,
        appointments,
        cases,
        bell,
        identifiers,
        supervision,
        knowledge,
        menus,
        notifications,
        statistics,
    ):
        app.include_router(feature.router)
    app.include_router(
        build_router(
            composed.settings.city_name,
            departments=lambda: _departments(composed),
            setup_problem=lambda: health.tip_offs(composed)["problem"],
        )
    )
    mount_static(app)
    _add_operations(app)
    document_problems(app)
    must_all_name_a_permission(app)
    settings = composed.settings
    app.add_middleware(
        RequestGuard,
        rules=Rules(
            Bounds(settings.body_limit),
            {
                "/knowledge/import": Bounds(settings.upload_limit, UPLOAD_SECONDS),
                "/attachments": Bounds(settings.attachment_limit, UPLOAD_SECONDS),
            },
            split(settings.allowed_hosts),
        ),
    )
    # The last one added is the first one reached: everything below sees the client's own address and scheme.
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(split(settings.trusted_proxies)))
    return app


def _departments(container: Container) -> list[str]:
    with container.database.unit_of_work(read_only=True) as uow:
        return [department.name for department in sla.departments(uow)]


def build_turns(container: Container, dialogue: RasaDialogue) -> TurnRunner:
    """The turn runner over the container's parts and a dialogue."""
    decider = Decider(
        container.knowledge,
        dialogue,
        anyio.to_thread.run_sync,
        lambda conversation_id, seq: container.secrets.sign_reference(conversation_id, seq, container.clock.now()),
        lambda: container.clock.now().astimezone(SHANGHAI).date(),
        check=container.check_binding,
        verify=container.verify_phone,
    )
    return TurnRunner(
        container.database,
        container.conversations,
        decider,
        container.signals,
        container.clock,
        patience=container.settings.patience_seconds,
        turn_seconds=container.settings.turn_seconds,
        propose=container.classifier.propose,
    )


async def _follow_knowledge(container: Container) -> None:
    """Switch to another published version when there is one."""
    async with container.signals.listen(KNOWLEDGE) as news:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), REFRESH_SECONDS)
            news.clear()
            try:
                await anyio.to_thread.run_sync(container.knowledge.refresh)
            except Exception as error:  # the database may be away for a while
                log.warning("knowledge not refreshed", kind=type(error).__name__)


async def _recover(container: Container) -> None:
    while True:
        await asyncio.sleep(RECOVER_SECONDS)
        try:
            await container.turns.recover()
        except Exception as error:  # the database may be away for a while
            log.warning("recovery failed", kind=type(error).__name__)


class MonitorGuard(Guard):
    """Lets pass whoever bears METRICS_TOKEN; without one this machine alone, and nobody behind a proxy."""

    def __call__(self, request: Request) -> None:
        role_must(MONITOR, self.permission)
        wanted = container_of(request).settings.metrics_token.get_secret_value()
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        here = is_loopback(client_address(request)) and "x-forwarded-for" not in request.headers
        if not (hmac.compare_digest(given.encode(), wanted.encode()) if wanted else here):
            raise Forbidden("运行指标只对监控开放（METRICS_TOKEN）")


def _add_operations(app: FastAPI) -> None:
    watchers, figures = [anybody("operations.watch")], [Depends(MonitorGuard("operations.figures"))]

    @app.get("/healthz", tags=["operations"], dependencies=watchers)
    def alive() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz", tags=["operations"], dependencies=watchers, responses={503: {"content": {"application/json": {}}}}
    )
    async def ready(request: Request) -> JSONResponse:
        """200 while citizens can be answered (also degraded), 503 when not; the checks say what is down."""
        report = await health.check(container_of(request))
        return JSONResponse(report, status_code=503 if report["status"] == "down" else 200)

    @app.get("/metrics", tags=["operations"], dependencies=figures, response_class=Response, responses=FIGURES)
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
