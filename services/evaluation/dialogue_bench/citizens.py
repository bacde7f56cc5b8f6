"""Citizens of the bench: whoever takes a message and answers it, timed from outside."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import httpx

from services.conversations.texts import ENTRY_CHOICE

QUESTIONS = Path(__file__).with_name("questions.tsv")
TIMEOUT = 60.0
CONVERSATION_LENGTH = 10


class Question(NamedTuple):
    """A citizen's question written for this bench, in no base and no training, and the entry that answers it."""

    entry_id: str
    text: str


class Reply(NamedTuple):
    """What came back, and after how many seconds. `shown` are entries offered as candidates."""

    text: str
    seconds: float
    route: str | None = None
    shown: tuple[str, ...] = ()


class Desk(Protocol):
    """A chat system as a citizen meets it."""

    def ask(self, text: str) -> Reply: ...
    def close(self) -> None: ...


def read_questions() -> list[Question]:
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [Question(*line.split("\t", 1)) for line in lines if line.strip()]


class Ours:
    """A citizen in the web chat of a running system; a new conversation after every `length` messages."""

    def __init__(self, url: str, *, consent: bool = False, length: int = CONVERSATION_LENGTH) -> None:
        self._url = url
        self._consent = consent
        self._length = length
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT)
        self._numbers: Iterator[int] = iter(())
        self._path = ""

    def begin(self) -> None:
        """Open a conversation; with `consent` the use of identifiers is agreed to first."""
        opened = self._client.post("/api/v1/conversations").raise_for_status().json()
        self._client.headers["authorization"] = f"Bearer {opened['token']}"
        self._path = f"/api/v1/conversations/{opened['conversation_id']}/messages"
        self._numbers = iter(range(self._length))
        if self._consent:
            for number, body in enumerate(({"text": "查违章"}, {"choice": "consent:yes"}, {"text": "取消"})):
                self._client.post(self._path, json=body | {"client_message_id": f"c{number}"}).raise_for_status()

    def ask(self, text: str) -> Reply:
        """Raises httpx.HTTPError; a turn that takes longer than the system's patience counts with what came by then."""
        number = next(self._numbers, None)
        if number is None:
            self.begin()
            number = next(self._numbers)
        began = perf_counter()
        response = self._client.post(self._path, json={"text": text, "client_message_id": f"m{number}"})
        seconds = perf_counter() - began
        answer: dict[str, Any] = response.raise_for_status().json()
        messages = answer["messages"]
        payloads = [option["payload"] for message in messages for option in message.get("options") or ()]
        shown = tuple(payload.removeprefix(ENTRY_CHOICE) for payload in payloads if payload.startswith(ENTRY_CHOICE))
        said = next((message["text"] for message in messages if message["type"] == "answer"), "")
        return Reply(said, seconds, answer["route"], shown)

    def close(self) -> None:
        self._client.close()


class Plain:
    """A citizen of a plain Rasa server, over its REST channel."""

    _names = itertools.count()

    def __init__(self, url: str, *, length: int = CONVERSATION_LENGTH) -> None:
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT)
        self._length = length
        self._asked = 0
        self._sender = ""

    def ask(self, text: str) -> Reply:
        """Raises httpx.HTTPError."""
        if self._asked % self._length == 0:
            self._sender = f"citizen-{next(self._names)}"
        self._asked += 1
        began = perf_counter()
        response = self._client.post("/webhooks/rest/webhook", json={"sender": self._sender, "message": text})
        seconds = perf_counter() - began
        messages = response.raise_for_status().json()
        return Reply("\n".join(message.get("text", "") for message in messages), seconds)

    def close(self) -> None:
        self._client.close()
