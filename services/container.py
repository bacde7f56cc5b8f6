"""Wires the features together. Each process builds one container at its start."""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from knowledge_base import Answers, Embedder, Reranker, SqliteEmbeddingCache, Synonyms, load_embedder, load_reranker
from knowledge_base.embedding.batching import BatchingEmbedder
from knowledge_base.retrieval.synonyms import DEFAULT as DEFAULT_SYNONYMS
from services.appointments.citizens import CitizenDesk
from services.appointments.events import AppointmentNews
from services.cases import service as cases
from services.cases.events import (
    CaseAssigned,
    CaseClaimed,
    CaseClosed,
    CaseExtended,
    CaseHeld,
    CaseMerged,
    CaseReopened,
    CaseReplied,
    CaseResolved,
    CaseTransferred,
)
from services.conversations.events import ConversationChanged
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.conversations.takeover import Takeover
from services.conversations.turns import TurnRunner
from services.core.clock import Clock, SystemClock
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.events import EventBus
from services.core.settings import Settings
from services.core.signals import CONVERSATION, KNOWLEDGE, OUTBOX, Signals
from services.knowledge import service as knowledge_service
from services.knowledge.service import KnowledgePublished, LiveKnowledge
from services.lookups.connectors import load_connectors, secrets_from
from services.lookups.events import LookupFinished
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService
from services.notifications.service import OutboxGrew

DEMO_CITY = Path(__file__).resolve().parent / "demo_city"


@dataclass
class Container:
    """What a process is made of. Heavy parts (the embedder, the searcher) are made when first used."""

    settings: Settings
    clock: Clock
    secrets: Secrets
    database: Database
    signals: Signals
    conversations: Conversations
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turns: TurnRunner = field(init=False)
    _embedder_lock: threading.Lock = field(default_factory=threading.Lock)
    _embedder: Embedder | None = None

    @property
    def city_dir(self) -> Path:
        return self.settings.city_dir or DEMO_CITY

    @property
    def knowledge_root(self) -> Path:
        return self.settings.var_dir / "knowledge"

    def embedder(self) -> Embedder:
        """The embedding model; the first call loads it (some seconds)."""
        with self._embedder_lock:
            if self._embedder is None:
                model = load_embedder(
                    self.settings.embedding_model or None, models_directory=self.settings.var_dir / "models"
                )
                self._embedder = BatchingEmbedder(model)
            return self._embedder

    @cached_property
    def reranker(self) -> Reranker | None:
        """The cross-encoder named by RERANKER_MODEL; the first call loads it. None when none is named."""
        return load_reranker(self.settings.reranker_model)

    @cached_property
    def synonyms(self) -> Synonyms:
        """Everyday words for official ones: the library's, and those of synonyms.txt in the city's folder."""
        own = self.city_dir / "synonyms.txt"
        return Synonyms.load(DEFAULT_SYNONYMS, own) if own.is_file() else Synonyms.load()

    @cached_property
    def embedding_cache(self) -> SqliteEmbeddingCache:
        self.settings.var_dir.mkdir(parents=True, exist_ok=True)
        return SqliteEmbeddingCache(self.settings.var_dir / "embeddings.db")

    @cached_property
    def knowledge(self) -> LiveKnowledge:
        return LiveKnowledge(
            self.database, self.embedder, self.knowledge_root, lambda: self.reranker, lambda: self.synonyms
        )

    @cached_property
    def named_secrets(self) -> dict[str, str]:
        """Keys of systems of others, by the names that a city's files call them by; CONNECTOR_SECRET_NAME wins."""
        known = {name: secret.get_secret_value() for name, secret in self.settings.connector_secrets.items()}
        return known | secrets_from(os.environ)

    @cached_property
    def gateway(self) -> Gateway:
        connectors = load_connectors(
            self.city_dir / "connectors",
            {"sandbox_url": self.settings.sandbox_url},
            self.named_secrets,
        )
        return Gateway(connectors)

    @cached_property
    def lookups(self) -> LookupService:
        return LookupService(
            database=self.database,
            gateway=self.gateway,
            secrets=self.secrets,
            clock=self.clock,
            resolve=self._resolve,
            case_progress=self._case_progress,
        )

    @cached_property
    def appointments(self) -> CitizenDesk:
        return CitizenDesk(self.database, self.secrets, self.clock, self._resolve)

    def publish_knowledge(
        self,
        *,
        actor: str,
        progress: knowledge_service.Progress | None = None,
        full: bool = False,
        answers: Answers = "now",
    ) -> knowledge_service.Publication:
        """Publish all entries (see `services.knowledge.publishing.publish`)."""
        return knowledge_service.publish(
            self.database,
            self.embedder(),
            self.knowledge_root,
            actor=actor,
            now=self.clock.now(),
            cache=self.embedding_cache,
            progress=progress,
            live=self.knowledge,
            full=full,
            answers=answers,
        )

    def complete_knowledge(
        self, *, actor: str, progress: knowledge_service.Progress | None = None
    ) -> knowledge_service.Publication | None:
        """Embed the answers that a publish left for later; None when it left none."""
        return knowledge_service.complete(
            self.database,
            self.embedder(),
            self.knowledge_root,
            actor=actor,
            moment=self.clock.now,
            cache=self.embedding_cache,
            progress=progress,
            live=self.knowledge,
        )

    @cached_property
    def presence(self) -> cases.Presence:
        """Who looks at which case just now."""
        return cases.Presence(self.signals.client)

    def transcript_of(self, conversation_id: str, viewer: str) -> list[dict[str, Any]]:
        with self.database.unit_of_work(read_only=True) as uow:
            messages = self.conversations.transcript(uow, conversation_id)
        return [message.model_dump(mode="json") for message in messages]

    def identifiers_of(self, conversation_id: str) -> list[dict[str, str]]:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.identifiers(uow, conversation_id)

    def _resolve(self, conversation_id: str, placeholder: str) -> str | None:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.resolve_identifier(uow, conversation_id, placeholder)

    def _case_progress(self, case_no: str, conversation_id: str) -> dict[str, Any] | None:
        with self.database.unit_of_work(read_only=True) as uow:
            case = cases.case_of_citizen(
                uow, self.secrets, case_no=case_no, conversation_id=conversation_id, now=self.clock.now()
            )
        return case.model_dump(mode="json") if case else None


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Compose everything from the settings; opens no connection yet."""
    clock = clock or SystemClock()
    bus: EventBus[UnitOfWork] = EventBus()
    secrets = Secrets(settings.secret_key_list())
    database = Database(settings.database_url, bus)
    signals = Signals(settings.redis_url or "redis://127.0.0.1:1/0")
    conversations = Conversations(
        secrets,
        city_name=settings.city_name,
        message_limit=settings.message_limit,
        claim_lapse=timedelta(minutes=settings.claim_lapse_minutes),
        retention=timedelta(days=settings.retention_days),
    )
    _wire(bus, conversations, signals)
    return Container(
        settings=settings,
        clock=clock,
        secrets=secrets,
        database=database,
        signals=signals,
        conversations=conversations,
    )


def _wire(bus: EventBus[UnitOfWork], conversations: Conversations, signals: Signals) -> None:
    """Who hears what. The inner handlers share the transaction, the outer ones only pass on a hint."""
    takeover = Takeover(conversations)
    bus.on(CaseClaimed, takeover.claimed)
    bus.on(CaseReplied, takeover.replied)
    bus.on(CaseResolved, takeover.resolved)
    bus.on(CaseClosed, takeover.closed)
    bus.on(CaseAssigned, takeover.assigned)
    bus.on(CaseHeld, takeover.held)
    bus.on(CaseExtended, takeover.extended)
    bus.on(CaseMerged, takeover.merged)
    bus.on(CaseTransferred, takeover.transferred)
    bus.on(CaseReopened, takeover.reopened)

    def deliver_lookup(uow: UnitOfWork, event: LookupFinished) -> None:
        late = Outgoing(event.text, type="result", data=event.data)
        dedupe = f"lookup:{event.conversation_id}:{event.message_seq}:{event.kind}"
        conversations.deliver(uow, event.conversation_id, [late], event.at, dedupe)

    def deliver_appointment(uow: UnitOfWork, event: AppointmentNews) -> None:
        news = Outgoing(event.text, type="result", data=event.data)
        conversations.deliver(uow, event.conversation_id, [news], event.at, event.dedupe)

    bus.on(LookupFinished, deliver_lookup)
    bus.on(AppointmentNews, deliver_appointment)
    bus.after_commit(ConversationChanged, lambda event: signals.publish(CONVERSATION + event.conversation_id))
    bus.after_commit(KnowledgePublished, lambda event: signals.publish(KNOWLEDGE))
    bus.after_commit(OutboxGrew, lambda event: signals.publish(OUTBOX))
