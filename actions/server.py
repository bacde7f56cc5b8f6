"""The action server, a composition root: `python -m actions.server --port N`.

It trusts nobody who reaches it but the signed reference of each call, and listens on the loopback address unless
told otherwise.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import Sanic

from actions.appointments import BookAppointment
from actions.base import CitizenAction
from actions.forms import LookupForm, read_lookup_forms, read_titles
from actions.lookups import Lookup, LookupDetail
from services.appointments.citizens import CitizenDesk
from services.core.clock import Clock
from services.core.crypto import Secrets
from services.lookups.service import LookupService

KEEP_ALIVE_SECONDS = 75


class Parts(Protocol):
    """What the actions need of the application's container."""

    @property
    def secrets(self) -> Secrets: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def lookups(self) -> LookupService: ...
    @property
    def appointments(self) -> CitizenDesk: ...


class Executor(ActionExecutor):  # type: ignore[misc]  # rasa_sdk is untyped
    """Runs actions without Rasa's domain, which none of ours reads.

    rasa-sdk answers a call without domain with status 449, which Rasa 3.6 takes for a failure; so Rasa may be told
    to leave it out (`enable_selective_domain: true` of its action endpoint), which makes each call cheaper.
    """

    def update_and_return_domain(self, payload: Mapping[str, Any], action_name: str) -> dict[str, Any]:
        return {}


def build_actions(parts: Parts) -> list[CitizenAction]:
    """Every action of this server."""
    secrets, clock, lookups = parts.secrets, parts.clock, parts.lookups
    forms, titles = read_lookup_forms(), read_titles()
    by_action: dict[str, list[LookupForm]] = {}
    for form in forms:
        by_action.setdefault(form.action, []).append(form)
    return [
        *(Lookup(secrets, clock, lookups, same, titles) for same in by_action.values()),
        LookupDetail(secrets, clock, lookups, forms),
        BookAppointment(secrets, clock, parts.appointments),
    ]


def build_executor(parts: Parts) -> Executor:
    """rasa-sdk's executor with every action registered under its name."""
    executor = Executor()
    for action in build_actions(parts):
        executor.register_function(action.name, action.run)
    return executor


def build_app(executor: Executor) -> Sanic[Any, Any]:
    """The HTTP application: POST /webhook for Rasa, GET /health, GET /actions."""
    app: Sanic[Any, Any] = create_app(executor, cors_origins=[])
    app.config.KEEP_ALIVE_TIMEOUT = KEEP_ALIVE_SECONDS
    app.config.ACCESS_LOG = False
    return app


def main() -> None:
    # Imported here: the container knows every feature, the actions above only need three of its parts.
    from services.container import build_container
    from services.core import process
    from services.core.errors import HuiyingError
    from services.core.logs import configure_logging
    from services.core.settings import Settings

    parser = argparse.ArgumentParser(prog="actions", description="Rasa action server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    os.environ["OTEL_SDK_DISABLED"] = "true"
    configure_logging("actions")
    # rasa-sdk compares its version with Rasa's, which are numbered apart since 3.7; the wire format is the same.
    warnings.filterwarnings("ignore", message="Your versions of rasa and")
    try:
        settings = Settings()
        process.prepare(settings.var_dir)
        app = build_app(build_executor(build_container(settings)))
    except HuiyingError as error:
        sys.exit(f"actions: {error.detail}")
    app.prepare(host=arguments.host, port=arguments.port, single_process=True, motd=False, access_log=False)
    Sanic.serve_single(primary=app)


if __name__ == "__main__":
    main()
