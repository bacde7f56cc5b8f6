"""What the guard around every request lets through, over a real socket where time and bytes matter."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services import serve
from services.core.addresses import UNKNOWN, client_address, networks, split
from services.core.errors import TooManyRequests, Unavailable
from services.core.request_guard import Bounds, RequestGuard, Rules
from services.core.streams import Streams
from services.core.web import install_error_handlers
from services.supervision.processes import free_port
from tests.support import wait_for


def build(rules: Rules | None = None, trusted: str = "") -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/who")
    def who(request: Request) -> dict[str, str]:
        return {"address": client_address(request), "scheme": request.url.scheme}

    @app.post("/echo")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    app.add_middleware(RequestGuard, rules=rules or Rules(Bounds(1024)))
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(split(trusted)))
    return app


def asked(trusted: str, peer: str, **headers: str) -> dict[str, str]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: dict[str, str] = TestClient(build(trusted=trusted), client=(peer, 40_000)).get("/who", headers=given).json()
    return answer


def test_what_a_stranger_says_to_have_forwarded_counts_for_nothing() -> None:
    for forged in ("9.9.9.9", "127.0.0.1", "10.0.0.2, 9.9.9.9", "unknown", ""):
        assert asked("10.0.0.0/8", "203.0.113.7", x_forwarded_for=forged)["address"] == "203.0.113.7"
    assert asked("", "127.0.0.1", x_forwarded_for="9.9.9.9")["address"] == "127.0.0.1"
    assert asked("", "203.0.113.7", x_forwarded_proto="https")["scheme"] == "http"


def test_behind_trusted_proxies_the_nearest_untrusted_address_counts() -> None:
    chain = "9.9.9.9, 203.0.113.7, 10.0.0.9"
    found = asked("10.0.0.0/8,127.0.0.1", "10.0.0.2", x_forwarded_for=chain, x_forwarded_proto="https")
    assert found == {"address": "203.0.113.7", "scheme": "https"}


def test_one_person_with_a_network_of_addresses_is_one_address() -> None:
    first, second = (asked("", f"2001:db8:1:2::{part}")["address"] for part in ("1", "ffff:5"))
    assert first == second == "2001:db8:1:2::/64"
    assert asked("", "::ffff:192.0.2.1")["address"] == "192.0.2.1"
    assert asked("", "testclient")["address"] == UNKNOWN


def test_everybody_is_no_proxy() -> None:
    for wrong in ("*", "proxy.example", "10.0.0.0/99"):
        with pytest.raises(ValueError, match="does not appear"):
            networks(wrong)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://testserver"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_page_of_somebody_else_writes_nothing(headers: dict[str, str]) -> None:
    client = TestClient(build())
    assert client.post("/echo", json={"a": "b"}, headers=headers).status_code == 403
    assert client.get("/who", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://testserver"}]
)
def test_own_pages_and_programs_write(headers: dict[str, str]) -> None:
    assert TestClient(build()).post("/echo", json={"a": "b"}, headers=headers).json() == {"a": "b"}


def test_only_names_of_its_own_are_answered() -> None:
    client = TestClient(build(Rules(Bounds(1024), hosts=["12345.example.gov.cn", "127.0.0.1"])))
    for good in ("12345.example.gov.cn", "127.0.0.1:8000"):
        assert client.get("/who", headers={"host": good}).status_code == 200
    for bad in ("evil.example", "12345.example.gov.cn.evil.example", ""):
        assert client.get("/who", headers={"host": bad}).status_code == 400


def test_strict_transport_is_asked_for_over_tls_only_and_nothing_is_kept_in_caches() -> None:
    plain = TestClient(build()).get("/who").headers
    assert "strict-transport-security" not in plain
    assert plain["cache-control"] == "no-store"
    assert "form-action 'self'" in plain["content-security-policy"]
    secure = TestClient(build(), base_url="https://testserver").get("/who").headers
    assert "max-age=" in secure["strict-transport-security"]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Starts the web server of the API around an application; gives its port."""
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.3)
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> int:
        port = free_port()
        config = uvicorn.Config(app, port=port, http=serve.BoundedProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        wait_for(lambda: server.started)
        return port

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def received(port: int, *parts: bytes) -> bytes:
    """Everything that the server says until it closes, after these parts were sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
    return found


def test_connections_that_say_nothing_or_half_a_head_are_closed(served: Callable[..., int]) -> None:
    port = served(build())
    assert received(port) == b""
    assert received(port, b"GET /who HTTP/1.1\r\nHost: a\r\n") == b""


def test_a_head_without_end_is_cut_off(served: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HEAD_SECONDS", 600.0)
    port = served(build())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /who HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"reset|Broken"):
            connection.sendall(b"x-filler: y\r\n" * 10_000_000)


def test_a_body_that_does_not_come_is_answered_and_the_connection_closed(served: Callable[..., int]) -> None:
    port = served(build(Rules(Bounds(1024, seconds=0.2))))
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    answer = received(port, head, b'{"a":')
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in-chunks"])
def test_who_sends_far_too_much_reads_that_it_was_too_much(served: Callable[..., int], declared: bool) -> None:
    port, size, part = served(build()), 48, b" " * 65_536
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
    if declared:
        parts = [head + b"Content-Length: %d\r\n\r\n" % (size * len(part)), *[part] * size]
    else:
        parts = [head + b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + part + b"\r\n"] * size, b"0\r\n\r\n"]
    assert received(port, *parts).startswith(b"HTTP/1.1 413")


def test_a_connection_serves_one_request_after_another(served: Callable[..., int]) -> None:
    port = served(build())
    request = b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_conversation_has_five_streams_and_a_process_as_many_as_it_holds() -> None:
    streams = Streams(per_owner=5, in_all=7)
    held: list[Any] = []
    for owner in ["one"] * 5 + ["two"] * 2:
        streams.check(owner)
        held.append(streams.hold(owner))
        held[-1].__enter__()
    with pytest.raises(TooManyRequests):
        streams.check("one")
    with pytest.raises(Unavailable):
        streams.check("three")
    held[0].__exit__(None, None, None)
    streams.check("one")
    assert len(streams) == 6
