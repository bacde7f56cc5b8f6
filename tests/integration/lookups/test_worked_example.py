"""The connector of docs/connectors.md, word for word, against a plain HTTP server."""

import asyncio
import base64
import json
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from services.core.clock import FixedClock
from services.lookups.connectors import Connector, ConnectorMistake, load_connectors
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService

DOCUMENT = Path(__file__).parents[3] / "docs" / "connectors.md"
LOANS = [
    {"book": "平凡的世界", "until": "2026-12-03", "renewed": 1},
    {"book": "城记", "until": "2026-12-20", "renewed": 0},
]


class Library(BaseHTTPRequestHandler):
    """The library's system as the document shows it."""

    night = False

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        expected = "Basic " + base64.b64encode(b"huiying:the password").decode()
        if self.headers["Authorization"] != expected:
            return self._say(401, {})
        if type(self).night:
            return self._say(503, {})
        if address.path == "/api/status":
            return self._say(200, {"ret": 0})
        if query.get("card") != ["20010034"]:
            return self._say(200, {"ret": 404})
        if query.get("pin") != ["6125"]:
            return self._say(200, {"ret": 403})
        return self._say(200, {"ret": 0, "loans": LOANS})

    def _say(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the address holds the card's number."""


@pytest.fixture
def library() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Library)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Library.night = False
    server.shutdown()
    server.server_close()


def documented() -> str:
    """The YAML of the document's first step."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip().startswith("answer: facts"))
    end = next(number for number in range(start, len(lines)) if not lines[number].strip())
    return textwrap.dedent("\n".join(lines[start:end])) + "\n"


@pytest.fixture
def connectors(library: str, tmp_path: Path) -> dict[str, Connector]:
    text = documented().replace("https://library.city.example", library)
    (tmp_path / "library.yaml").write_text(text, encoding="utf-8")
    return load_connectors(tmp_path, {}, {"library": "the password"})


@pytest.fixture
def gateway(connectors: dict[str, Connector]) -> Gateway:
    return Gateway(connectors)


CARD = {"text_card": "20010034", "phone_tail": "6125"}


def test_the_citizen_reads_what_the_document_says(
    make_service: Callable[..., LookupService], clock: FixedClock, gateway: Gateway
) -> None:
    service = make_service()
    result = asyncio.run(service.query("library", "c1", 1, CARD))
    shown = DOCUMENT.read_text(encoding="utf-8")
    assert result.text == "查询结果：\n平凡的世界：应于 2026-12-03 前还\n城记：应于 2026-12-20 前还"
    assert all(line in shown for line in result.text.splitlines())
    assert asyncio.run(service.query("library", "c1", 2, CARD | {"phone_tail": "0000"})).state == "mismatch"
    assert asyncio.run(service.query("library", "c1", 3, CARD | {"text_card": "1"})).state == "not_found"
    assert asyncio.run(gateway.probe("library"))
    Library.night = True
    clock.advance(timedelta(hours=8))
    night = asyncio.run(service.query("library", "c1", 4, CARD))
    assert night.state == "stale"
    assert night.text.startswith(
        "市图书馆系统暂时没有回应，这次没有查到结果。（自 11-21 20:00 起）也可以拨打图书馆总台 0000-8800"
    )
    assert night.text.endswith(result.text)
    assert not asyncio.run(gateway.probe("library"))


def test_guesses_at_a_card_s_check_are_limited_like_those_at_a_plate(
    make_service: Callable[..., LookupService], gateway: Gateway
) -> None:
    service = make_service()
    for number in range(5):
        wrong = CARD | {"phone_tail": f"000{number}"}
        assert asyncio.run(service.query("library", f"c{number}", 1, wrong)).state == "mismatch"
    assert asyncio.run(service.query("library", "c9", 1, CARD)).data == {"reason": "limited"}


def test_without_the_password_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text(documented(), encoding="utf-8")
    with pytest.raises(ConnectorMistake) as caught:
        load_connectors(tmp_path, {}, {})
    assert caught.value.problems == ["library.yaml:5: no secret named library"]
