"""Idle sockets, streams, forged addresses: who holds the door open keeps nobody out."""

import contextlib
import resource
import socket
import statistics
import time

from tests.attacks.target import Target, say

SOCKETS, CONVERSATIONS, STREAMS_EACH, MESSAGES = 1000, 100, 5, 15
FORGED = 400


def held(target: Target) -> None:
    """1,000 idle sockets (held open again as they are closed) and 500 streams, while somebody writes."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    owners = [target.conversation() for _ in range(CONVERSATIONS)]
    with contextlib.ExitStack() as stack:
        streams = [_stream(stack, target, *owner) for owner in owners for _ in range(STREAMS_EACH)]
        open_streams = sum(answer.startswith(b"HTTP/1.1 200") for answer in streams)
        sixth = _stream(stack, target, *owners[0])
        idle = [_connect(stack, target) for _ in range(SOCKETS)]
        conversation, headers = target.conversation()
        seconds = []
        with target.client(**headers) as client:
            for number in range(MESSAGES):
                began = time.monotonic()
                body = {"text": "身份证丢了怎么补办", "client_message_id": f"h{number}"}
                client.post(f"/api/v1/conversations/{conversation}/messages", json=body).raise_for_status()
                seconds.append(time.monotonic() - began)
        # Nothing is sent on them: the server ends them by itself.
        closed = 0
        for one in idle:
            one.settimeout(15)
            with contextlib.suppress(TimeoutError):
                closed += one.recv(1) == b""
    say(
        "idle sockets and streams",
        sockets=SOCKETS,
        streams=open_streams,
        sixth_stream_of_a_conversation=sixth.split(b"\r\n")[0].decode(),
        messages=MESSAGES,
        median_seconds=round(statistics.median(seconds), 3),
        slowest_seconds=round(max(seconds), 3),
        idle_sockets_closed_by_the_server=closed,
    )


def forged(target: Target) -> None:
    """Forged X-Forwarded-For by which nobody becomes somebody else: one address opens no more than its share."""
    statuses: dict[int, int] = {}
    limit = int(target.environment["CONVERSATIONS_PER_MINUTE"])
    with target.client() as client:
        for number in range(FORGED):
            headers = {"x-forwarded-for": f"198.51.100.{number}", "x-real-ip": f"198.51.100.{number}"}
            status = client.post("/api/v1/conversations", headers=headers).status_code
            statuses[status] = statuses.get(status, 0) + 1
    say("forged X-Forwarded-For", tried=FORGED, limit_of_one_address=limit, answers=statuses)


def foreign(target: Target) -> None:
    """A foreign page's write, a foreign name of the host, monitoring from elsewhere."""
    with target.client() as client:
        tries = {
            "foreign page opens a conversation": client.post(
                "/api/v1/conversations", headers={"origin": "https://evil.example"}
            ),
            "foreign page logs in": client.post("/api/v1/login", headers={"sec-fetch-site": "cross-site"}, json={}),
            "host of somebody else": client.get("/", headers={"host": "evil.example"}),
            "metrics through a proxy": client.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}),
            "documentation": client.get("/docs"),
        }
    readable = [
        str(path.relative_to(target.var))
        for path in target.var.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    say(
        "foreign pages and readers",
        answers={name: answer.status_code for name, answer in tries.items()},
        cookies_set=sum("set-cookie" in answer.headers for answer in tries.values()),
        mode_of_var=oct(target.var.stat().st_mode & 0o777),
        files_readable_by_others=sorted(name for name in readable if name != "up.txt"),
    )


def _connect(stack: contextlib.ExitStack, target: Target) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=20))


def _stream(stack: contextlib.ExitStack, target: Target, conversation: str, headers: dict[str, str]) -> bytes:
    connection = _connect(stack, target)
    path = f"/api/v1/conversations/{conversation}/stream"
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {headers['authorization']}\r\n\r\n"
    connection.sendall(head.encode())
    return connection.recv(4096)
