"""Asking a departmental system: bounded in time and rate, retried where that is safe, behind a circuit breaker.

Breakers live in the process (one action server, one worker each learn for themselves); rates are counted over all.
"""

import asyncio
import base64
import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol

import anyio.to_thread
import httpx
import jmespath
import structlog
from jmespath.exceptions import JMESPathError
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from services.core.coordinates import read_position
from services.lookups.connectors import Connector, Request
from services.lookups.schemas import answer_model

log = structlog.get_logger(__name__)

BREAKER_OPEN = "breaker open"
ANSWER_LIMIT = 2 * 1024 * 1024
# A call waits this often for its turn under the connector's rate before it is left to the worker.
TURNS_WAITED_FOR = 20


class Rates(Protocol):
    """Counts calls over all replicas (services.core.limits.SharedRate)."""

    def take(self, what: str, *, calls: int, seconds: float) -> float: ...


class SystemTrouble(Exception):
    """The departmental system gave no usable answer. `since` says from when on the breaker knows it as down."""

    def __init__(self, reason: str, *, retryable: bool = True, since: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable
        self.since = since

    @property
    def is_down(self) -> bool:
        """Whether the system as a whole does not work, and not just this request."""
        return self.retryable or self.since is not None


class SystemSlow(SystemTrouble):
    """It took longer than the time it was given."""


class SystemBusy(SystemTrouble):
    """It takes no more calls just now: our own limit, or its word for it. `wait` is in seconds, 0 when not known."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait

    @property
    def is_down(self) -> bool:
        return False


@dataclass(frozen=True)
class Answer:
    """`data` is what the answer model of the kind holds, as JSON-ready values; empty unless done."""

    state: Literal["done", "not_found", "mismatch"]
    data: dict[str, Any]


class Gateway:
    """Speaks to the systems of `connectors` (by kind).

    >>> answer = await gateway.ask("bill", {"household_no": "80013327", "bill_kind": "水费"}, seconds=8.5)
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.connectors = connectors
        self._rates = rates
        self._transport = transport
        self._breakers = AsyncCircuitBreakerFactory()
        # Connections belong to one event loop; the worker runs a new loop for every sweep.
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )

    async def ask(self, kind: str, parameters: Mapping[str, str], *, seconds: float) -> Answer:
        """Ask within so many seconds.

        Raises KeyError for a kind without connector, ValueError when no request takes these parameters,
        SystemSlow, SystemBusy and SystemTrouble.
        """
        connector = self.connectors[kind]
        request = connector.request_for(parameters)
        if request is None:
            raise ValueError("no request of the connector takes these parameters")
        attempts = AsyncRetrying(
            stop=stop_after_attempt(connector.retry.attempts if request.is_safe else 1),
            wait=_Waiting(connector),
            retry=retry_if_exception(lambda error: _worth_another(error, seconds)),
            reraise=True,
        )
        try:
            async with asyncio.timeout(seconds):
                return await attempts(self._ask_once, connector, request, parameters)
        except TimeoutError:
            raise SystemSlow("no answer in time") from None

    async def probe(self, kind: str) -> bool:
        """Whether the system works, as its connector's `probe` finds out; True for one without."""
        connector = self.connectors[kind]
        if connector.probe is None:
            return True
        try:
            status, content = await self._call(connector, "GET", connector.probe.path, None, None)
        except SystemTrouble:
            return False
        if status >= 400:
            return False
        if connector.probe.up is None:
            return True
        try:
            return bool(jmespath.search(connector.probe.up, json.loads(content)))
        except (ValueError, JMESPathError):
            return False

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _ask_once(self, connector: Connector, request: Request, parameters: Mapping[str, str]) -> Answer:
        breaker = await self._breakers.get_breaker(
            connector.kind, connector.breaker.failures, connector.breaker.open_seconds
        )
        try:
            # Raises while it is open, before a place under the rate is used up.
            breaker.context.handle_new_request()
            await self._wait_for_turn(connector)
            async with breaker:
                return await self._send(connector, request, parameters)
        except OpenedState as opened:
            since = datetime.fromtimestamp(opened.opened_at, UTC)
            raise SystemTrouble(BREAKER_OPEN, retryable=False, since=since) from None
        except SystemTrouble as trouble:
            log.warning("departmental system gave no answer", kind=connector.kind, reason=trouble.reason)
            raise

    async def _wait_for_turn(self, connector: Connector) -> None:
        """Wait until the connector's rate has room; the caller bounds the time. Raises SystemBusy."""
        rate = connector.rate
        if rate is None or self._rates is None:
            return
        take = partial(self._rates.take, connector.kind, calls=rate.calls, seconds=rate.seconds)
        wait = 0.0
        for _ in range(TURNS_WAITED_FOR):
            wait = await anyio.to_thread.run_sync(take)
            if wait <= 0:
                return
            if wait > connector.retry.longest_wait:
                break
            await asyncio.sleep(wait)
        raise SystemBusy("our own limit", wait=wait)

    async def _send(self, connector: Connector, request: Request, parameters: Mapping[str, str]) -> Answer:
        known = _coded(request, parameters)
        status, content = await self._call(
            connector,
            request.method,
            request.path,
            _mapped(request.query, known) or None,
            _mapped(request.body, known) if request.method == "POST" else None,
        )
        return _understand(connector, request, status, content)

    async def _call(
        self,
        connector: Connector,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: dict[str, Any] | None,
    ) -> tuple[int, bytes]:
        """Status and content of one HTTP call. Raises SystemSlow, SystemBusy and SystemTrouble."""
        timeout = httpx.Timeout(connector.timeouts.read, connect=connector.timeouts.connect)
        try:
            async with (
                asyncio.timeout(connector.timeouts.total),
                self._client().stream(
                    method,
                    connector.base_url.rstrip("/") + path,
                    params=query,
                    json=body,
                    headers=_headers(connector),
                    timeout=timeout,
                ) as response,
            ):
                if response.status_code == 429:
                    raise SystemBusy("HTTP 429", wait=_seconds(response.headers.get("retry-after", "")))
                return response.status_code, await _read_bounded(response)
        except (TimeoutError, httpx.TimeoutException):
            raise SystemSlow("timeout") from None
        except httpx.HTTPError as error:
            raise SystemTrouble(type(error).__name__) from None

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # The machine's proxy settings are not meant for departmental systems.
            client = httpx.AsyncClient(transport=self._transport, trust_env=False)
            self._clients[loop] = client
        return client


def _worth_another(error: BaseException, seconds: float) -> bool:
    """Not when the system is busy for longer than anybody waits."""
    if isinstance(error, SystemBusy) and error.wait >= seconds:
        return False
    return isinstance(error, SystemTrouble) and error.retryable


class _Waiting:
    """How long a retry waits: at random below a bound that doubles, but at least as long as the system asked for."""

    def __init__(self, connector: Connector) -> None:
        self._jitter = wait_random_exponential(connector.retry.first_wait, connector.retry.longest_wait)

    def __call__(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, SystemBusy) else 0.0
        return max(asked, self._jitter(state))


def _headers(connector: Connector) -> dict[str, str]:
    auth = connector.auth
    if auth is None or connector.key is None:
        return {}
    key = connector.key.get_secret_value()
    if auth.header is not None:
        return {auth.header: auth.prefix + key}
    return {"Authorization": "Basic " + base64.b64encode(f"{auth.user}:{key}".encode()).decode()}


def _seconds(retry_after: str) -> float:
    """Of a Retry-After header; one that names a date says nothing to us."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


async def _read_bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_LIMIT:
            raise SystemTrouble("answer too large", retryable=False)
    return bytes(content)


def _coded(request: Request, parameters: Mapping[str, str]) -> dict[str, object]:
    """The parameters with the system's own codes, and a position beside a location that is one."""
    known: dict[str, object] = {
        name: request.codes.get(name, {}).get(value, value) for name, value in parameters.items()
    }
    position = read_position(parameters.get("location", ""))
    if position is not None:
        known |= {"location": None, "lat": round(position.lat, 6), "lng": round(position.lng, 6)}
    return known


def _mapped(expressions: Mapping[str, str], known: Mapping[str, object]) -> dict[str, Any]:
    values = {name: jmespath.search(expression, known) for name, expression in expressions.items()}
    return {name: value for name, value in values.items() if value is not None}


def _understand(connector: Connector, request: Request, status: int, content: bytes) -> Answer:
    by_status = request.statuses.get(status)
    if by_status == "failed" or (by_status is None and status >= 400):
        raise SystemTrouble(f"HTTP {status}", retryable=status >= 500)
    if by_status == "busy":
        raise SystemBusy(f"HTTP {status}")
    if by_status is not None:
        return Answer(by_status, {})
    try:
        body = json.loads(content)
    except ValueError:
        raise SystemTrouble("malformed JSON") from None
    for outcome, condition in request.outcomes.items():
        if jmespath.search(condition, body):
            if outcome == "failed":
                raise SystemTrouble("refused by the system", retryable=False)
            if outcome == "busy":
                raise SystemBusy("busy, it says")
            return Answer(outcome, {})
    try:
        answer = answer_model(connector.kind).model_validate(jmespath.search(request.result, body))
    except ValidationError as error:
        # Where and what kind, never the value: that is the citizen's.
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SystemTrouble(f"unexpected answer: {where} {first['type']}", retryable=False) from None
    except JMESPathError:
        raise SystemTrouble("unexpected answer: result mapping failed", retryable=False) from None
    return Answer("done", answer.model_dump(mode="json"))
