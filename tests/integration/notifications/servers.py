"""Real servers on loopback that speak as the platforms document it: WeChat, enterprise WeChat, and SMTP."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import uvicorn
from aiosmtpd.controller import Controller
from fastapi import FastAPI, Request

from services.supervision.processes import free_port
from tests.support import wait_for

TOKEN_SECONDS = 7200


@dataclass
class Platform:
    """api.weixin.qq.com and qyapi.weixin.qq.com in one. `answers` are errcodes to give next, by path."""

    url: str = ""
    secret: str = "wx-secret"
    robot_key: str = "robot-key"
    tokens: int = 0
    valid: set[str] = field(default_factory=set)
    answers: dict[str, list[int]] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    slow: float = 0.0

    def at(self, path: str) -> list[dict[str, Any]]:
        return [body for where, body in self.seen if where == path]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/cgi-bin/stable_token")
        async def token(request: Request) -> dict[str, Any]:
            body = await request.json()
            if body.get("secret") != self.secret:
                return {"errcode": 40125, "errmsg": "invalid appsecret"}
            # The stable interface gives the same token again while it is valid, unless a new one is forced.
            if body["force_refresh"] or not self.valid:
                self.tokens += 1
                self.valid = {f"token-{self.tokens}"}
            return {"access_token": f"token-{self.tokens}", "expires_in": TOKEN_SECONDS}

        @app.post("/cgi-bin/message/{kind}/send")
        async def message(kind: str, request: Request) -> dict[str, Any]:
            path = f"/cgi-bin/message/{kind}/send"
            if request.query_params.get("access_token") not in self.valid:
                return {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
            return await self._take(path, request)

        @app.post("/cgi-bin/webhook/send")
        async def robot(request: Request) -> dict[str, Any]:
            if request.query_params.get("key") != self.robot_key:
                return {"errcode": 93000, "errmsg": "invalid webhook url"}
            return await self._take("/cgi-bin/webhook/send", request)

        return app

    async def _take(self, path: str, request: Request) -> dict[str, Any]:
        if self.slow:
            time.sleep(self.slow)
        waiting = self.answers.get(path, [])
        code = waiting.pop(0) if waiting else 0
        self.raw.append(await request.body())
        if code == 0:
            self.seen.append((path, await request.json()))
        return {"errcode": code, "errmsg": "ok" if code == 0 else "refused"}


@contextmanager
def platform() -> Iterator[Platform]:
    made = Platform()
    port = free_port()
    made.url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(made.app(), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)


class Mailbox:
    """What an SMTP server took; `refuse` is its answer to the next recipients."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.refuse: list[str] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        # A mailbox that drops doubles does so by the Message-ID.
        if parsed["Message-ID"] not in [one["Message-ID"] for one in self.taken]:
            self.taken.append(parsed)
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    mailbox, port = Mailbox(), free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox, port
    finally:
        controller.stop()
