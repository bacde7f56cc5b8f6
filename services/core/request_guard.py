"""What every request and answer passes: bounds of size and time, what can be kept, hosts, foreign pages, headers, the
access log."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.core.errors import BadRequest, Forbidden, HuiyingError, TooLarge, Unprocessable
from services.core.web import fault, problem
from services.core.wire import unstorable, unstorable_json, whole

log = structlog.get_logger(__name__)

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
}
# Over TLS only (RFC 6797, section 7.2): a browser must not be told so by a demo over plain HTTP.
STRICT_TRANSPORT = b"max-age=31536000"
# A body that is refused is read on so far and thrown away, so that its sender stops writing and reads the answer: who
# closes on unread data resets the connection, and the answer is lost (RFC 9112, section 9.6).
LINGER_BYTES, LINGER_SECONDS = 8 * 1024**2, 5.0
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
REQUEST_TIMEOUT = 408


@dataclass(frozen=True)
class Bounds:
    """Of a request's body: `size` in bytes, `seconds` from the first to the last byte."""

    size: int
    seconds: float = 20.0


@dataclass(frozen=True)
class Rules:
    """Bounds of bodies (`special` by the end of a path), whose names the service answers to (none: any), and for how
    many seconds a receiver may not read."""

    default: Bounds
    special: Mapping[str, Bounds] = field(default_factory=dict)
    hosts: Sequence[str] = ()
    send_seconds: float = 30.0

    def bounds_of(self, path: str) -> Bounds:
        return next((bounds for suffix, bounds in self.special.items() if path.endswith(suffix)), self.default)


class NotReading(OSError):
    """The receiver of an answer does not take it."""


class RequestGuard:
    """ASGI middleware around everything; an unexpected error is answered here, so that no server prints it."""

    def __init__(self, app: ASGIApp, *, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Guarded(self._rules, scope, receive, send)
        try:
            await self._pass_on(request, scope)
        except HuiyingError as refused:
            await request.linger()
            await problem(refused.status, refused.title, refused.detail)(scope, receive, request.send)
        except HTTPException as refused:
            answer = problem(refused.status_code, "请求无法完成", str(refused.detail))
            answer.headers.update(refused.headers or {})
            if refused.status_code != REQUEST_TIMEOUT:
                await request.linger()
            await answer(scope, receive, request.send)
        except (NotReading, ClientDisconnect):
            # There is nobody to tell; the server closes what is not complete.
            pass
        except Exception as error:
            answer = fault(scope, error)
            if request.status == 0:
                await answer(scope, receive, request.send)
        finally:
            request.write_line()

    async def _pass_on(self, request: "_Guarded", scope: Scope) -> None:
        request.check()
        receive: Receive = request.receive
        if request.is_json():
            body = await _whole_body(receive)
            if body is None:
                return
            reason = unstorable_json(body)
            if reason is not None:
                raise Unprocessable(f"请求{reason}")
            receive = _again(body, receive)
        await self._app(scope, receive, request.send)


class _Guarded:
    """One request: what comes in and goes out of it is watched."""

    def __init__(self, rules: Rules, scope: Scope, receive: Receive, send: Send) -> None:
        self.status = 0
        self._rules, self._scope = rules, scope
        self._receive, self._send = receive, send
        self._bounds = rules.bounds_of(scope["path"])
        # Of a header that is given twice the first counts, as it does for Starlette.
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self._received = 0
        self._complete = False
        self._began = time.perf_counter()

    def check(self) -> None:
        """Raises why this request is not looked at any further."""
        host = self._headers.get(b"host", b"").decode("latin-1")
        name = _name(f"//{host}")
        if self._rules.hosts and name not in self._rules.hosts:
            raise BadRequest("这个地址不属于本服务（ALLOWED_HOSTS）")
        if self._scope["method"] not in SAFE_METHODS and self._is_foreign(host):
            raise Forbidden("请求来自其他网站")
        query = unquote_plus(self._scope["query_string"].decode("latin-1"))
        reason = unstorable(self._scope["path"]) or unstorable(query)
        if reason is not None:
            raise Unprocessable(f"请求{reason}")
        if whole(self._headers.get(b"content-length", b"0").decode("latin-1"), self._bounds.size) is None:
            raise self._too_large()

    def is_json(self) -> bool:
        """As FastAPI decides it: `application/json` and `application/...+json`."""
        kind = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return kind.startswith(b"application/") and kind.endswith(b"json")

    def _is_foreign(self, host: str) -> bool:
        """Whether a browser says that a page of somebody else makes this request (Fetch Metadata, section 2.3; browsers
        that do not know it say the origin). Programs say neither."""
        site = self._headers.get(b"sec-fetch-site")
        if site is not None:
            return site not in (b"same-origin", b"none")
        origin = self._headers.get(b"origin")
        if origin is None:
            return False
        try:
            return urlsplit(origin.decode("latin-1")).netloc != host
        except ValueError:
            return True

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        left = self._began + self._bounds.seconds - time.perf_counter()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                message = await self._receive()
        except TimeoutError:
            # FastAPI lets this one through as it is while it reads a body.
            raise HTTPException(REQUEST_TIMEOUT, "内容传得太慢，请重试", {"connection": "close"}) from None
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._bounds.size:
            raise HTTPException(TooLarge.status, self._too_large().detail, {"connection": "close"})
        return message

    async def linger(self) -> None:
        """Read what is still coming of a body that is not wanted, up to a bound."""
        if self._complete or self.status:
            return
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0 and not self._complete:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)
        except TimeoutError:
            return

    def _too_large(self) -> TooLarge:
        return TooLarge(f"内容超过 {self._bounds.size // 1024} KB 的限制")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._extra_headers(message["headers"])]
        try:
            async with asyncio.timeout(self._rules.send_seconds):
                await self._send(message)
        except TimeoutError:
            raise NotReading from None

    def _extra_headers(self, present: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
        if self._scope.get("scheme") == "https":
            extra.append((b"strict-transport-security", STRICT_TRANSPORT))
        # Nearly everything here is somebody's own; what may be kept says so itself.
        if not any(name.lower() == b"cache-control" for name, _ in present):
            extra.append((b"cache-control", b"no-store"))
        return extra

    def write_line(self) -> None:
        route = self._scope.get("route")
        log.info(
            "request",
            method=self._scope["method"],
            route=getattr(route, "path", "unmatched"),
            status=self.status,
            milliseconds=round((time.perf_counter() - self._began) * 1000, 1),
        )


async def _whole_body(receive: Receive) -> bytes | None:
    """None when the client went away before the end of it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _name(address: str) -> str:
    """The host of an address without its port; empty for what is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
