"""A Chromium driven by what a hand does: Playwright keeps every tab visible, and here one must be hidden."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from services.supervision.processes import free_port
from tests.support import wait_for

ANSWER_SECONDS = 20.0


class PlainBrowser:
    """Speaks the DevTools protocol over one connection; a tab is the id of its session."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls = 0
        self._targets: dict[str, str] = {}

    def _call(self, method: str, tab: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        self._connection.send(json.dumps(message | ({"sessionId": tab} if tab else {})))
        while True:
            answer = json.loads(self._connection.recv(timeout=ANSWER_SECONDS))
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, address: str, **cookies: str) -> str:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        tab: str = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._targets[tab] = target
        for name, value in cookies.items():
            self._call("Network.setCookie", tab, name=name, value=value, url=address)
        self._call("Page.navigate", tab, url=address)
        return tab

    def show(self, tab: str) -> None:
        """Bring a tab to the front: those of the same window are hidden by that."""
        self._call("Target.activateTarget", targetId=self._targets[tab])

    def see(self, tab: str, expression: str) -> Any:
        """The value of a JavaScript expression in a tab."""
        return self._call("Runtime.evaluate", tab, expression=expression, returnByValue=True)["result"].get("value")

    def click(self, tab: str, selector: str) -> None:
        """A press of the mouse in the middle of an element, as a hand does it."""
        box = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(document.querySelector('{selector}').getBoundingClientRect())"  # noqa: E501
        x, y = self.see(tab, box)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", tab, type=kind, x=x, y=y, button="left", clickCount=1)


@contextmanager
def plain_browser(chromium: str, profile: Path) -> Iterator[PlainBrowser]:
    """A browser of its own, closed in the end."""
    port = free_port()
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [chromium, *arguments, f"--remote-debugging-port={port}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:

        def address() -> str | None:
            try:
                found = httpx.get(f"http://127.0.0.1:{port}/json/version", trust_env=False)
            except httpx.HTTPError:
                return None
            return str(found.json()["webSocketDebuggerUrl"])

        with connect(str(wait_for(address)), max_size=None) as connection:
            yield PlainBrowser(connection)
    finally:
        process.terminate()
        process.wait(timeout=20)
