"""The rows behind lookups, in short transactions: begin, claim, postpone, conclude; and what is known of outages."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import structlog

from services.core import audit, leases
from services.core.clock import Clock
from services.core.crypto import Secrets
from services.core.database import Database, UnitOfWork
from services.core.sql import lock_hashes
from services.lookups import guesses, rendering, repository
from services.lookups.events import LookupFinished
from services.lookups.guesses import GuessLimits
from services.lookups.models import LookupJob
from services.lookups.schemas import LookupResult, OriginOf, State

log = structlog.get_logger(__name__)

LEASE_MARGIN = timedelta(seconds=5)
CHART_PURPOSE = "lookup-chart"
CHART_KEPT = timedelta(hours=24)


class Limits(NamedTuple):
    """Seconds of a turn and of a job, attempts of the worker, and what limits guessing."""

    turn_seconds: float
    job_seconds: float
    job_attempts: int
    guesses: GuessLimits


class Ticket(NamedTuple):
    """A job that this process holds, as `holder`; the `attempt` counts from 1. `interrupted`: somebody else began to
    ask and was not heard of again."""

    job_id: int
    holder: str
    attempt: int
    kind: str
    conversation_id: str
    parameters: dict[str, str]
    seconds: float
    interrupted: bool = False


class Begun(NamedTuple):
    """A new job, and an answer that is fresh enough when there is one."""

    ticket: Ticket
    cached: dict[str, Any] | None


class Jobs:
    """Synchronous; every method is one transaction. `system_of` names the system of a kind, `origin_of` says where a
    conversation is written from."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        clock: Clock,
        limits: Limits,
        system_of: Callable[[str], str],
        origin_of: OriginOf,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._limits = limits
        self._system_of = system_of
        self._origin_of = origin_of

    def begin(
        self, kind: str, conversation_id: str, message_seq: int, values: Mapping[str, str], cache_seconds: float
    ) -> LookupResult | Begun:
        """Store the job, or say at once what is known: its earlier result, or the limit."""
        now = self._clock.now()
        identifier = rendering.identifier_of(values)
        identifier_hash = self._secrets.keyed_hash(f"{kind}:{identifier}") if identifier else None
        request_hash = self._secrets.keyed_hash(json.dumps([kind, dict(values)], sort_keys=True))
        holder = leases.new_holder()
        origin = self._origin_of(conversation_id)
        with self._database.unit_of_work() as uow:
            known = repository.find(uow.session, conversation_id, message_seq, kind)
            if known is not None:
                return self._stored(known)
            wait = self._wait(uow, conversation_id, origin, identifier_hash, now) if identifier_hash else None
            if wait:
                _audit(uow, conversation_id, kind, identifier_hash, "limited", now)
                uow.commit()
                return LookupResult(rendering.limited(wait), {"reason": "limited"}, "failed")
            cached = None
            if cache_seconds:
                fresh = now - timedelta(seconds=cache_seconds)
                cached = repository.latest_answer(uow.session, request_hash=request_hash, since=fresh)
            job = LookupJob(
                conversation_id=conversation_id,
                message_seq=message_seq,
                kind=kind,
                state="running",
                parameters=self._secrets.encrypt(json.dumps(dict(values))),
                result=None,
                identifier_hash=identifier_hash,
                origin=origin,
                request_hash=request_hash,
                attempts=1,
                created_at=now,
                next_attempt_at=now,
                lease_owner=holder,
                lease_until=now + timedelta(seconds=self._limits.turn_seconds) + LEASE_MARGIN,
                finished_at=None,
            )
            job_id = repository.add_once(uow.session, job)
            if job_id is None:
                known = repository.find(uow.session, conversation_id, message_seq, kind)
                return self._stored(known) if known else self.waiting(kind)
            answer = self._answer_of(cached) if cached is not None else None
            _audit(uow, conversation_id, kind, identifier_hash, "asked" if answer is None else "cached", now)
            uow.commit()
        ticket = Ticket(job_id, holder, 1, kind, conversation_id, dict(values), self._limits.turn_seconds)
        return Begun(ticket, answer)

    def _wait(
        self, uow: UnitOfWork, conversation_id: str, origin: str, identifier_hash: str, now: datetime
    ) -> timedelta:
        """How long this citizen has to wait before asking about this identifier (`guesses`)."""
        citizen = self._secrets.keyed_hash(f"conversation:{conversation_id}")
        # Nobody counts guesses of this citizen, from there or at this identifier meanwhile.
        lock_hashes(uow.session, citizen, identifier_hash, *([origin] if origin else []))
        before = repository.guessed(
            uow.session, conversation_id=conversation_id, origin=origin, identifier_hash=identifier_hash, now=now
        )
        return guesses.wait(before, self._limits.guesses, now)

    def claim(self, job_id: int) -> Ticket | None:
        """Take a due job for the worker: lock, look again, and lease it."""
        now, holder = self._clock.now(), leases.new_holder()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, job_id, skip_locked=True)
            if job is None or job.state not in repository.UNFINISHED or job.next_attempt_at > now:
                return None
            if job.parameters is None:
                raise RuntimeError(f"lookup job {job_id} is unfinished without parameters")
            left = max(self._limits.job_seconds - (now - job.created_at).total_seconds(), 0.0)
            if not leases.take(job, holder, now, timedelta(seconds=left) + LEASE_MARGIN):
                return None
            interrupted = job.state == "running"
            job.attempts += 1
            job.state = "running"
            parameters = json.loads(self._secrets.decrypt(job.parameters))
            ticket = Ticket(job.id, holder, job.attempts, job.kind, job.conversation_id, parameters, left, interrupted)
            uow.commit()
            return ticket

    def postpone(self, ticket: Ticket, *, safe: bool) -> LookupResult | None:
        """Leave the job to a later attempt; None when its time or its attempts are over, or it may not be repeated."""
        now = self._clock.now()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, ticket.job_id)
            if job is None or not leases.is_held(job, ticket.holder):
                return self._stored(job) if job is not None else self.waiting(ticket.kind)
            again = now + timedelta(seconds=5 * (ticket.attempt - 1))
            expires = job.created_at + timedelta(seconds=self._limits.job_seconds)
            if not safe or again >= expires or ticket.attempt >= self._limits.job_attempts:
                return None
            job.state = "pending"
            job.next_attempt_at = again
            leases.give_back(job)
            uow.commit()
        return self.waiting(ticket.kind)

    def conclude(
        self,
        ticket: Ticket,
        result: LookupResult,
        answer: dict[str, Any] | None,
        *,
        announce: bool,
        answered: bool = False,
    ) -> LookupResult:
        """Store the outcome and, when the citizen waits for it, its event in the same transaction.

        `answered`: the system has just spoken, so it is not down (any more).
        """
        now = self._clock.now()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, ticket.job_id)
            if job is None:
                return result
            if not leases.is_held(job, ticket.holder):
                return self._stored(job)
            if result.data.get("chart"):
                link = self._secrets.sign_link(CHART_PURPOSE, [job.conversation_id, job.id], now + CHART_KEPT)
                address = f"/api/v1/conversations/{job.conversation_id}/charts/{link}.svg"
                result = LookupResult(result.text, {**result.data, "chart": address}, result.state)
            job.state = result.state
            stored = {"text": result.text, "data": result.data, "answer": answer}
            job.result = self._secrets.encrypt(json.dumps(stored))
            job.parameters = None
            job.finished_at = now
            leases.give_back(job)
            if result.state == "stale":
                _audit(uow, job.conversation_id, job.kind, job.identifier_hash, "last_known", now)
            if answered:
                repository.end_outage(uow.session, ticket.kind)
            if announce:
                uow.collect(
                    LookupFinished(job.conversation_id, job.message_seq, job.kind, result.text, result.data, now)
                )
            uow.commit()
        log.info("lookup finished", kind=ticket.kind, state=result.state, attempt=ticket.attempt)
        return result

    def note_outage(self, kind: str, *, failed: bool) -> datetime:
        """Remember that a system is down (`failed`: it has just been tried); returns since when."""
        return self._database.write(
            lambda uow: repository.note_outage(uow.session, kind, self._clock.now(), failed=failed)
        )

    def last_known(self, ticket: Ticket, hours: float) -> tuple[dict[str, Any], datetime] | None:
        """The newest answer to exactly this question that is not older, and when it was given."""
        if not hours:
            return None
        since = self._clock.now() - timedelta(hours=hours)
        with self._database.unit_of_work(read_only=True) as uow:
            asked = uow.session.get(LookupJob, ticket.job_id)
            job = repository.latest_answer(uow.session, request_hash=asked.request_hash, since=since) if asked else None
            if job is None or job.finished_at is None:
                return None
            answer = self._answer_of(job)
            return (answer, job.finished_at) if answer is not None else None

    def answer_behind(self, conversation_id: str, link: str) -> tuple[str, dict[str, Any]] | None:
        """Kind and answer behind a chart's link, for the conversation that it was made for. Raises NotFound."""
        now = self._clock.now()
        owner, job_id = self._secrets.read_link(CHART_PURPOSE, link, now)
        if owner != conversation_id:
            return None
        with self._database.unit_of_work(read_only=True) as uow:
            job = uow.session.get(LookupJob, int(job_id))
            answer = self._answer_of(job) if job is not None else None
            return (job.kind, answer) if job is not None and answer is not None else None

    def waiting(self, kind: str) -> LookupResult:
        return LookupResult(rendering.pending(self._system_of(kind)), {}, "pending")

    def _stored(self, job: LookupJob) -> LookupResult:
        if job.result is None:
            return self.waiting(job.kind)
        stored = json.loads(self._secrets.decrypt(job.result))
        return LookupResult(stored["text"], stored["data"], cast(State, job.state))

    def _answer_of(self, job: LookupJob) -> dict[str, Any] | None:
        if job.result is None:
            return None
        answer: dict[str, Any] | None = json.loads(self._secrets.decrypt(job.result))["answer"]
        return answer


def _audit(
    uow: UnitOfWork, conversation_id: str, kind: str, identifier_hash: str | None, outcome: str, now: datetime
) -> None:
    audit.record(
        uow,
        actor=f"conversation:{conversation_id}",
        action=f"lookup.{kind}",
        subject=identifier_hash or kind,
        detail={"outcome": outcome},
        now=now,
    )
