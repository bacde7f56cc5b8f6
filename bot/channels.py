"""The channel through which the service talks to Rasa.

POST /webhooks/huiying/webhook with `Authorization: Bearer $RASA_TOKEN`; the contract is in
docs/architecture.md ("What goes to Rasa") and bot/README.md. Nothing of a message is ever logged.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import action_results
from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

logger = logging.getLogger(__name__)

# Rasa imports this module once, before it answers anybody.
action_results.install()

TOKEN_VARIABLE: Final = "RASA_TOKEN"
LONGEST_BODY: Final = 65_536
LONGEST_TEXT: Final = 4_000
LONGEST_SENDER: Final = 128
MOST_ENTITIES: Final = 64
MOST_HITS: Final = 20
SILENCE_SECONDS: Final = 1_800
"""Silence after which a form that waits is closed."""
_SILENT_TEXT: Final = "抱歉，查询服务暂时没有回应，请稍后再试；也可以回复“转人工”，由工作人员帮您办理。"


class InvalidMessage(Exception):
    """A body that does not keep the contract; `status` is the HTTP status, the message says what is wrong."""

    def __init__(self, detail: str, status: int = 422) -> None:
        """Keep the status beside the detail."""
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class Inbound:
    """A checked request."""

    sender: str
    text: str
    metadata: dict[str, Any]


def read_inbound(body: bytes) -> Inbound:
    """Check a request body; InvalidMessage names the first thing wrong and repeats nothing of it."""
    if len(body) > LONGEST_BODY:
        raise InvalidMessage("body too large", 413)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidMessage("body is not JSON", 400) from None
    if not isinstance(data, dict):
        raise InvalidMessage("body is not an object", 400)
    sender, raw, metadata = data.get("sender"), data.get("message"), data.get("metadata", {})
    if not isinstance(sender, str) or not 0 < len(sender) <= LONGEST_SENDER:
        raise InvalidMessage("sender must be a string of 1 to 128 characters")
    if not isinstance(raw, str) or not raw.strip() or len(raw) > LONGEST_TEXT:
        raise InvalidMessage("message must be a text of 1 to 4000 characters")
    if not isinstance(metadata, dict):
        raise InvalidMessage("metadata must be an object")
    _check_list(metadata.get("entities", []), MOST_ENTITIES, "metadata.entities")
    knowledge = metadata.get("knowledge") or {}
    if not isinstance(knowledge, dict):
        raise InvalidMessage("metadata.knowledge must be an object")
    _check_list(knowledge.get("hits", []), MOST_HITS, "metadata.knowledge.hits")
    return Inbound(sender, _harmless(raw), _shifted(metadata, len(raw) - len(raw.lstrip())))


def _check_list(value: object, most: int, name: str) -> None:
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
        raise InvalidMessage(f"{name} must be a list of at most {most} objects")


def _harmless(raw: str) -> str:
    """The text stripped as Rasa will strip it; a leading slash, which Rasa takes for a command, is widened."""
    text = raw.strip()
    return "／" + text[1:] if text.startswith("/") else text


def _shifted(metadata: dict[str, Any], by: int) -> dict[str, Any]:
    if not by:
        return metadata
    entities = [
        {**entity, **{key: entity[key] - by for key in ("start", "end") if isinstance(entity.get(key), int)}}
        for entity in metadata.get("entities", [])
    ]
    return {**metadata, "entities": entities}


def payload(message: dict[str, Any]) -> dict[str, Any]:
    """One bot utterance as a PAYLOAD: its custom object, or its text as a text payload."""
    custom = message.get("custom")
    if isinstance(custom, dict):
        return custom
    return {"type": "text", "text": str(message.get("text", "")), "route": "faq"}


def _before(inbound: Inbound) -> list[dict[str, Any]]:
    """What the decision wants said before all else (components/decision.py)."""
    said = inbound.metadata.pop("before", None)
    return list(said) if isinstance(said, list) else []


class HuiyingInput(InputChannel):
    """Rasa input channel `huiying`."""

    def __init__(self, token: str) -> None:
        """Take the bearer token; ValueError when it is empty, since an open channel is never wanted."""
        if not token:
            raise ValueError(f"{TOKEN_VARIABLE} must be set")
        self._token = token.encode()

    @classmethod
    def name(cls) -> str:
        """The channel's name, which is also its place under /webhooks/."""
        return "huiying"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> InputChannel:
        """Build it; the token comes from the environment, never from a file."""
        return cls(os.environ.get(TOKEN_VARIABLE, ""))

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The two endpoints: GET / (health, open) and POST /webhook."""
        blueprint = Blueprint("huiying_channel", __name__)

        @blueprint.route("/", methods=["GET"])
        async def health(_request: Request) -> HTTPResponse:
            return response.json({"status": "ok"})

        @blueprint.route("/webhook", methods=["POST"])
        async def receive(request: Request) -> HTTPResponse:
            if not self._allowed(request.headers.get("authorization", "")):
                return response.json({"error": "unauthorized"}, status=401)
            try:
                inbound = read_inbound(request.body)
            except InvalidMessage as error:
                return response.json({"error": str(error)}, status=error.status)
            try:
                messages = await self._turns(inbound, on_new_message)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # The type only: the text of an error may quote the message.
                logger.error("turn failed: %s", type(error).__name__)
                return response.json({"error": "processing failed"}, status=500)
            return response.json({"messages": messages})

        return blueprint

    async def _turns(
        self, inbound: Inbound, on_new_message: Callable[[UserMessage], Awaitable[Any]]
    ) -> list[dict[str, Any]]:
        """The payloads of a message; after a long silence the form that waited is closed first."""
        said: list[dict[str, Any]] = []
        idle = inbound.metadata.get("idle", 0)
        if isinstance(idle, int) and idle >= SILENCE_SECONDS:
            control = {"control": "expire", "idle": idle}
            said += await self._turn(Inbound(inbound.sender, "expire", control), on_new_message)
        answered = await self._turn(inbound, on_new_message)
        if not answered:
            # Rasa swallows a failed action (action server down or slow); a citizen never meets silence.
            route = inbound.metadata.get("route", "faq")
            answered = [{"type": "text", "route": route, "text": _SILENT_TEXT, "failed": True}]
        # What is said about the old form comes first, but the route of the turn is that of the message itself.
        route = answered[0].get("route")
        return [*({**one, "route": route} for one in said), *_before(inbound), *answered]

    async def _turn(
        self, inbound: Inbound, on_new_message: Callable[[UserMessage], Awaitable[Any]]
    ) -> list[dict[str, Any]]:
        collector = CollectingOutputChannel()
        message = UserMessage(
            inbound.text, collector, inbound.sender, input_channel=self.name(), metadata=inbound.metadata
        )
        await on_new_message(message)
        said = [payload(one) for one in collector.messages]
        return [*_before(inbound), *said] if "control" in inbound.metadata else said

    def _allowed(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)
