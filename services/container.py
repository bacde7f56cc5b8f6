"""Wires the features together. Each process builds one container at its start."""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import sqlalchemy as sa

from knowledge_base import Answers, Embedder, Reranker, SqliteEmbeddingCache, Synonyms, load_embedder, load_reranker
from knowledge_base.embedding.batching import BatchingEmbedder
from knowledge_base.retrieval.synonyms import DEFAULT as DEFAULT_SYNONYMS
from services import classifiers
from services.accounts import service as accounts
from services.accounts.brakes import Brakes
from services.accounts.passwords import Passwords
from services.accounts.schemas import StaffUser
from services.accounts.tasks import Logins
from services.appointments.citizens import CitizenDesk
from services.appointments.events import AppointmentNews
from services.bindings.schemas import Ask, Check, SystemAway
from services.cases import service as cases
from services.cases.events import (
    CaseAcknowledged,
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
from services.citizens.events import ReminderDue
from services.conversations.events import ConversationChanged
from services.conversations.rendering import lookup_result
from services.conversations.schemas import Outgoing
from services.conversations.service import Conversations
from services.conversations.takeover import Takeover
from services.conversations.texts import system_back
from services.conversations.turns import TurnRunner
from services.core.clock import Clock, SystemClock
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.errors import Unprocessable
from services.core.events import EventBus
from services.core.limits import SharedRate
from services.core.permissions import may
from services.core.settings import Settings
from services.core.signals import CONVERSATION, KNOWLEDGE, OUTBOX, STAFF, Signals
from services.core.streams import Streams
from services.knowledge import service as knowledge_service
from services.knowledge.service import KnowledgePublished, LiveKnowledge
from services.lookups.connectors import load_connectors, secrets_from
from services.lookups.events import LookupFinished, SystemBack
from services.lookups.gateway import Gateway, SystemTrouble
from services.lookups.service import LookupService
from services.notifications import service as notifications
from services.notifications.service import OutboxGrew, StaffTold
from services.notifications.sms import SmsGateway
from services.understanding.entities import pseudonymise
from services.understanding.masks import mask

# Nobody waits longer for the turn of a password.
TURN_SECONDS = 5.0
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
    streams: Streams = field(default_factory=Streams)
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
        return Gateway(connectors, rates=SharedRate(self.signals.client))

    @cached_property
    def scan_gateway(self) -> Gateway:
        """The same systems, for the scans over bindings."""
        return Gateway(self.gateway.connectors)

    @cached_property
    def lookups(self) -> LookupService:
        return LookupService(
            database=self.database,
            gateway=self.gateway,
            secrets=self.secrets,
            clock=self.clock,
            resolve=self._resolve,
            case_progress=self._case_progress,
            origin_of=self._origin_of,
            per_address=self.settings.per_address,
        )

    async def check_binding(
        self, kind: str, conversation_id: str, message_seq: int, values: Mapping[str, str]
    ) -> Check:
        """What the departmental system says of values that are to be bound, with a lookup's limits on guessing."""
        found = await self.lookups.query(kind, conversation_id, message_seq, values)
        if found.state == "done" or found.data.get("reason") == "no_connector":
            return Check(known=True)
        # A number that does not fit may be typed again; a system that is away, or too many guesses, end it.
        final = found.state in ("pending", "failed") and found.data.get("reason") not in ("invalid", "incomplete")
        return Check(known=False, text=found.text, final=final)

    async def verify_phone(self, conversation_id: str, code: str) -> str:
        """Try the code of a booking; one short transaction."""
        now = self.clock.now()
        return await anyio.to_thread.run_sync(
            self.database.write, lambda uow: self.conversations.check_phone(uow, conversation_id, code, now)
        )

    def asker(self, seconds: float) -> Ask:
        """Asks departmental systems for the scans over bindings, each question within `seconds`.

        Of its own connections and breakers: a scan neither waits for citizens' lookups nor shuts a system to them.
        """
        gateway = self.scan_gateway

        async def ask(kind: str, parameters: Mapping[str, str]) -> dict[str, Any] | None:
            connector = gateway.connectors.get(kind)
            if connector is None or connector.request_for(parameters) is None:
                return None
            try:
                answer = await gateway.ask(kind, parameters, seconds=seconds)
            except SystemTrouble as trouble:
                raise SystemAway(trouble.reason) from None
            return answer.data if answer.state == "done" else None

        return ask

    def sms_gateway(self) -> SmsGateway | None:
        """Where text messages go: SMS_URL with the connector secret `sms`, else the sandbox; None without both."""
        settings = self.settings
        url, name = settings.sms_url, "sms"
        if not url and settings.sandbox_url:
            url, name = f"{settings.sandbox_url.rstrip('/')}/sms/send", "sandbox"
        if not url:
            return None
        key = self.named_secrets.get(name)
        # The machine's proxy settings are not meant for the gateway.
        return SmsGateway(httpx.Client(trust_env=False), url, key or "")

    @cached_property
    def passwords(self) -> Passwords:
        settings = self.settings
        return Passwords(at_once=settings.logins_at_once, waiting=settings.logins_waiting, seconds=TURN_SECONDS)

    @cached_property
    def logins(self) -> Logins:
        """Who of the staff comes in."""
        settings = self.settings
        brakes = Brakes.after(
            pair=settings.wrong_passwords,
            name=settings.wrong_passwords_of_name,
            address=settings.wrong_passwords_of_address,
        )
        return Logins(self.database, self.secrets, self.clock, self.passwords, brakes)

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
    def classifier(self) -> cases.LiveClassifier:
        """What a new case is probably about."""
        return cases.LiveClassifier(
            self.database, self.embedder, lambda: classifiers.subjects_of(self.settings.var_dir)
        )

    @cached_property
    def presence(self) -> cases.Presence:
        """Who looks at which case just now."""
        return cases.Presence(self.signals.client)

    @staticmethod
    def hidden_cases(uow: UnitOfWork, user: StaffUser) -> sa.Select[str]:
        """The numbers of the cases that somebody may not know of, for whatever only mentions cases."""
        return cases.sight_of(uow, user).hidden()

    def notice_reader(self, uow: UnitOfWork, user: StaffUser) -> notifications.Reader:
        """Somebody at their bell: no notice is of a case that they may not know of, or leads where they may not go."""
        return notifications.Reader(user, self.hidden_cases(uow, user), partial(self.case_links, uow, user))

    @staticmethod
    def case_links(uow: UnitOfWork, user: StaffUser, numbers: Sequence[str]) -> dict[str, str]:
        """The pages of those of the cases that somebody may open, by number."""
        if not may(user, "cases.work"):
            return {}
        return {number: f"/staff/cases/{number}" for number in cases.visible_among(uow, user, numbers)}

    def transcript_of(self, conversation_id: str, viewer: str) -> list[dict[str, Any]]:
        with self.database.unit_of_work(read_only=True) as uow:
            messages = self.conversations.transcript(uow, conversation_id)
        return [message.model_dump(mode="json") for message in messages]

    def asked_in(self, conversation_id: str, seq: int | None) -> str:
        """What the citizen asked in the message `seq`, with placeholders for identifiers; empty when it is gone."""
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.asked_in(uow, conversation_id, seq)

    @staticmethod
    def without_identifiers(text: str) -> str:
        """A text that is no message, with placeholders in the places of its identifiers."""
        return pseudonymise(text, lambda kind, value: 1).text

    @staticmethod
    def masked(text: str) -> str:
        """A text that is no message, with masks in the places of its identifiers."""
        numbers: dict[tuple[str, str], int] = {}
        hidden = pseudonymise(text, lambda kind, value: numbers.setdefault((kind, value), len(numbers) + 1))
        shown = hidden.text
        for placeholder, entity in hidden.identifiers:
            shown = shown.replace(placeholder, mask(entity.type, entity.value))
        return shown

    def identifiers_of(self, conversation_id: str) -> list[dict[str, str]]:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.identifiers(uow, conversation_id)

    def _resolve(self, conversation_id: str, placeholder: str) -> str | None:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.resolve_identifier(uow, conversation_id, placeholder)

    def _origin_of(self, conversation_id: str) -> str:
        with self.database.unit_of_work(read_only=True) as uow:
            return self.conversations.origin_of(uow, conversation_id)

    def _case_progress(self, case_no: str, conversation_id: str, phone_tail: str | None) -> dict[str, Any] | None:
        with self.database.unit_of_work(read_only=True) as uow:
            owner = conversation_id
            if phone_tail is not None:
                other = cases.conversation_of(uow, case_no)
                if other is None or not self.conversations.left_phone(uow, other, phone_tail):
                    return None
                owner = other
            case = cases.case_of_citizen(
                uow, self.secrets, case_no=case_no, conversation_id=owner, now=self.clock.now()
            )
            if case is None:
                return None
            # Whoever has it is a post for the citizen, not a login name.
            clerk = accounts.shown_to_citizens(uow, case.assignee) if case.assignee is not None else None
        return {**case.model_dump(mode="json", exclude={"assignee"}), "clerk": clerk}


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Compose everything from the settings; opens no connection yet."""
    clock = clock or SystemClock()
    bus: EventBus[UnitOfWork] = EventBus()
    try:
        secrets = Secrets(settings.secret_key_list(), settings.hash_secret.get_secret_value())
    except ValueError as error:
        raise Unprocessable(f"SECRET_KEYS, HASH_SECRET: {error}") from None
    database = Database(settings.database_url, bus)
    signals = Signals(settings.redis_url or "redis://127.0.0.1:1/0")
    conversations = Conversations(
        secrets,
        city_name=settings.city_name,
        message_limit=settings.message_limit,
        claim_lapse=timedelta(minutes=settings.claim_lapse_minutes),
        per_address=settings.per_address,
    )
    _wire(bus, conversations, signals)
    classifiers.use_danger(settings.var_dir)
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
    bus.on(CaseAcknowledged, takeover.acknowledged)
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
        late = lookup_result({"text": event.text, "data": event.data})
        dedupe = f"lookup:{event.conversation_id}:{event.message_seq}:{event.kind}"
        conversations.deliver(uow, event.conversation_id, [late], event.at, dedupe)

    def deliver_return(uow: UnitOfWork, event: SystemBack) -> None:
        news = system_back(event.text, event.again)
        conversations.deliver(uow, event.conversation_id, [news], event.at, event.dedupe)

    def deliver_appointment(uow: UnitOfWork, event: AppointmentNews) -> None:
        news = Outgoing(event.text, type="result", data=event.data)
        conversations.deliver(uow, event.conversation_id, [news], event.at, event.dedupe)

    def deliver_reminder(uow: UnitOfWork, event: ReminderDue) -> None:
        text = Outgoing(event.text, sender="system", data={"kind": "reminder", "reminder": event.kind})
        conversations.deliver(uow, event.citizen, [text], event.at, event.dedupe)

    bus.on(ReminderDue, deliver_reminder)
    bus.on(LookupFinished, deliver_lookup)
    bus.on(SystemBack, deliver_return)
    bus.on(AppointmentNews, deliver_appointment)
    bus.after_commit(ConversationChanged, lambda event: signals.publish(CONVERSATION + event.conversation_id))
    bus.after_commit(StaffTold, lambda event: signals.publish(STAFF + event.recipient))
    bus.after_commit(KnowledgePublished, lambda event: signals.publish(KNOWLEDGE))
    bus.after_commit(OutboxGrew, lambda event: signals.publish(OUTBOX))
