"""Conversations over both databases, each with its Redis: the embedded server beside SQLite, a real one beside
PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

import services
from knowledge_base import Entry, KnowledgeBase
from knowledge_base.testing import FakeEmbedder
from services.cases.models import OPEN_STATUSES
from services.cases.service import Proposal
from services.conversations.decisions import Decider
from services.conversations.dialogue import DialogueUnavailable
from services.conversations.service import Conversations
from services.conversations.turns import TurnRunner
from services.core.clock import FixedClock, parse_moment
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.signals import Signals
from services.retention.tasks import keep
from services.sla import service as sla
from services.supervision.redis_server import wait_for_redis

DEMO_CITY = Path(services.__file__).parent / "demo_city"
# A Monday, within working time.
MONDAY = parse_moment("2026-11-16T10:00")

Script = Callable[[str, dict[str, Any]], list[dict[str, Any]]]


class ScriptedDialogue:
    """A dialogue that answers by a function; `script` raising DialogueUnavailable is Rasa being down."""

    def __init__(self) -> None:
        self.script: Script = lambda text, metadata: [{"type": "text", "route": "chitchat", "text": f"收到：{text}"}]
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.delay = 0.0

    async def turn(self, conversation_id: str, text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        self.heard.append((text, metadata))
        if self.delay:
            await anyio.sleep(self.delay)
        return self.script(text, metadata)

    def goes_down(self) -> None:
        def down(text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
            raise DialogueUnavailable("ConnectError")

        self.script = down


class Knowledge:
    def __init__(self, current: KnowledgeBase | None) -> None:
        self.current = current


class Room:
    """Everything that a conversation needs, on one database."""

    def __init__(self, database: Database, redis_url: str, knowledge: KnowledgeBase) -> None:
        self.database = database
        self.clock = FixedClock(MONDAY)
        self.secrets = Secrets(["a-secret-key-for-tests-that-is-long-enough"])
        self.conversations = Conversations(
            self.secrets,
            city_name="示范市",
            message_limit=2000,
            claim_lapse=timedelta(minutes=15),
        )
        self.dialogue = ScriptedDialogue()
        self.knowledge = Knowledge(knowledge)
        self.redis_url = redis_url
        self.signals = Signals(redis_url)
        with database.unit_of_work() as uow:
            sla.apply_city(uow, DEMO_CITY, self.clock.now())
            uow.commit()

    def runner(
        self,
        *,
        patience: float = 60.0,
        turn_seconds: float = 60.0,
        propose: Callable[[str], Proposal | None] = lambda text: None,
    ) -> TurnRunner:
        """One replica; each has its own owner name."""
        decider = Decider(
            self.knowledge,
            self.dialogue,
            anyio.to_thread.run_sync,
            lambda conversation_id, seq: self.secrets.sign_reference(conversation_id, seq, self.clock.now()),
            lambda: self.clock.now().date(),
        )
        return TurnRunner(
            self.database,
            self.conversations,
            decider,
            self.signals,
            self.clock,
            patience=patience,
            turn_seconds=turn_seconds,
            propose=propose,
        )

    def open(self, *, consent: bool = False) -> str:
        with self.database.unit_of_work() as uow:
            opened = self.conversations.open(uow, channel="web", now=self.clock.now())
            if consent:
                self.conversations.grant_consent(uow, opened.conversation_id, self.clock.now())
            uow.commit()
        return opened.conversation_id

    def forget_identifiers(self) -> int:
        """What the job of retention deletes now; how many identifiers."""
        return keep(self.database, self.clock.now(), OPEN_STATUSES)["identifiers"]

    def transcript(self, conversation_id: str) -> list[Any]:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.transcript(uow, conversation_id)


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, database: Database) -> str:
    """The embedded server beside SQLite, a real one beside PostgreSQL."""
    if database.is_sqlite:
        return str(request.getfixturevalue("embedded_redis_url"))
    url = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
    wait_for_redis(url, None)
    return url


@pytest.fixture(scope="session")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    entries = [
        Entry(
            "e1",
            "身份证丢了怎么补办",
            "带户口簿到派出所补办。（示范数据）",
            department="市公安局户政管理支队",
            source="示范指南",
        ),
        Entry("e2", "护照怎么换发", "到出入境窗口换发。", department="市公安局出入境管理支队"),
    ]
    return KnowledgeBase.build(entries, FakeEmbedder(), tmp_path_factory.mktemp("kb") / "v1", created_at=MONDAY)


@pytest.fixture
def room(database: Database, redis_url: str, knowledge: KnowledgeBase) -> Iterator[Room]:
    made = Room(database, redis_url, knowledge)
    yield made
    made.signals.close()
