"""Faults that a running sandbox can be told to have, one per system."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import JSONResponse, StreamingResponse

Error = Literal["500", "timeout", "malformed", "slow", "rate_limit"]
SYSTEMS = ("violations", "utilities", "outages", "progress", "places", "sms", "status")
HANG_SECONDS = 120.0
TRICKLE_SECONDS = 0.5


@dataclass
class Fault:
    """`times` counts the calls it still hits; None is until further notice. `calls` counts all calls ever."""

    delay_seconds: float = 0.0
    error: Error | None = None
    times: int | None = None
    calls: int = 0
    replaced: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """For one event loop."""

    def __init__(self) -> None:
        self._by_system = {name: Fault() for name in SYSTEMS}

    def set(self, system: str, delay_seconds: float, error: Error | None, times: int | None) -> None:
        """Replaces a system's fault and lets go of the calls that it delays. Raises KeyError for none of SYSTEMS."""
        before = self._by_system[system]
        self._by_system[system] = Fault(delay_seconds, error, times, before.calls)
        before.replaced.set()

    def state(self) -> dict[str, dict[str, Any]]:
        shown = ("delay_seconds", "error", "times", "calls")
        return {name: {key: getattr(fault, key) for key in shown} for name, fault in self._by_system.items()}

    async def apply(self, system: str) -> Response | None:
        """Suffer the system's fault: wait, and give the broken answer when there is to be one."""
        fault = self._by_system[system]
        fault.calls += 1
        if fault.times is not None:
            if fault.times == 0:
                return None
            fault.times -= 1
        delay, error = fault.delay_seconds, fault.error
        if delay:
            with suppress(TimeoutError):
                await asyncio.wait_for(fault.replaced.wait(), delay)
        match error:
            case "500":
                return JSONResponse({"code": "9999", "msg": "系统内部错误"}, status_code=500)
            case "timeout":
                await asyncio.sleep(HANG_SECONDS)
                return Response(status_code=504)
            case "malformed":
                return Response('{"code": "0000", "data": {"list": [', media_type="application/json")
            case "slow":
                return StreamingResponse(_trickle(), media_type="application/json")
            case "rate_limit":
                body = {"code": "9029", "msg": "请求过于频繁"}
                return JSONResponse(body, status_code=429, headers={"Retry-After": "1"})
        return None


async def _trickle() -> AsyncIterator[bytes]:
    yield b'{"code": "0000", "data": '
    for _ in range(int(HANG_SECONDS / TRICKLE_SECONDS)):
        await asyncio.sleep(TRICKLE_SECONDS)
        yield b" "
    yield b"null}"
