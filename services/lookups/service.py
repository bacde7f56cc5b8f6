"""Lookups in departmental systems: idempotent jobs keyed by conversation, message and kind.

    result = await lookups.query("violation", conversation_id, message_seq, {"plate": "【车牌1】", ...})

No transaction is open while a departmental system is asked.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import anyio
import structlog

from services.core import audit
from services.core.clock import Clock
from services.core.crypto import Secrets
from services.core.database import Database
from services.lookups import followups, rendering, repository
from services.lookups.events import LookupFinished
from services.lookups.gateway import Answer, Gateway, SystemSlow, SystemTrouble
from services.lookups.models import LookupJob
from services.lookups.schemas import (
    BillAnswer,
    CaseProgress,
    Detail,
    FactsAnswer,
    LookupResult,
    NearbyAnswer,
    ProgressAnswer,
    Resolve,
    State,
    ViolationAnswer,
)
from services.lookups.validators import normalise_case_no, normaliser_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

TURN_BUDGET_SECONDS = 8.5
JOB_SECONDS = 60.0
JOB_ATTEMPTS = 4
WRONG_GUESSES_PER_HOUR = 5
OWN_CASE_PREFIX = "GD"
_LEASE_MARGIN = timedelta(seconds=5)
_PLACEHOLDER = re.compile(r"【[^【】]{1,20}】")


class _Ticket(NamedTuple):
    """A job this process holds: its `attempts` fences off whoever held it before."""

    job_id: int
    attempt: int
    kind: str
    parameters: dict[str, str]
    seconds: float


class LookupService:
    """Asks departmental systems on behalf of citizens.

    `resolve` turns a placeholder of a conversation back; `case_progress` knows the citizen's own cases (GD numbers).
    Both are synchronous and run in a worker thread, outside any transaction of ours.
    """

    def __init__(
        self,
        *,
        database: Database,
        gateway: Gateway,
        secrets: Secrets,
        clock: Clock,
        resolve: Resolve,
        case_progress: CaseProgress | None = None,
        turn_budget_seconds: float = TURN_BUDGET_SECONDS,
        job_seconds: float = JOB_SECONDS,
        job_attempts: int = JOB_ATTEMPTS,
        wrong_guesses_per_hour: int = WRONG_GUESSES_PER_HOUR,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._secrets = secrets
        self._clock = clock
        self._resolve = resolve
        self._case_progress = case_progress
        self._turn_budget = turn_budget_seconds
        self._job_seconds = job_seconds
        self._job_attempts = job_attempts
        self._wrong_guesses = wrong_guesses_per_hour

    async def query(
        self, kind: str, conversation_id: str, message_seq: int, parameters: Mapping[str, str]
    ) -> LookupResult:
        """Look something up, within the turn's budget.

        `kind` is that of a connector; `parameters` are slots by name, identifiers as placeholders.
        A second call for the same message gives the first one's result. When the system takes too long the result
        is pending: the worker finishes the job and emits LookupFinished. Never raises for what a citizen typed
        or a system did.
        """
        if kind == "progress" and self._case_progress is not None:
            case_no = normalise_case_no(parameters.get("case_no", ""))
            if case_no is not None and case_no.startswith(OWN_CASE_PREFIX):
                return await self._own_case(self._case_progress, conversation_id, case_no)
        if kind not in self._gateway.connectors:
            return LookupResult(rendering.no_connector(), {"reason": "no_connector"}, "failed")
        request = self._gateway.connectors[kind].request_for(parameters)
        if request is None:
            return LookupResult(rendering.incomplete(), {"reason": "incomplete"}, "failed")
        # What this request does not use may be left from a form the citizen gave up.
        used = {name: parameters.get(name, "") for name in (*request.parameters, *request.optional)}
        values, problem = await self._read(conversation_id, used)
        if problem is not None:
            return problem
        begun = await _in_thread(partial(self._begin, kind, conversation_id, message_seq, values))
        if isinstance(begun, LookupResult):
            return begun
        return await self._perform(begun, announce=False)

    async def detail(
        self,
        kind: str,
        conversation_id: str,
        message_seq: int,
        parameters: Mapping[str, str],
        *,
        about: str,
        at: int = 0,
    ) -> Detail:
        """What the last result says about one thing (`followups`), asked for again with the same parameters.

        `at` is the place in the result's list that was spoken of last, from 0. A result that is not there says why.
        """
        result = await self.query(kind, conversation_id, message_seq, parameters)
        if result.state != "done":
            return Detail(result.text, at)
        return followups.detail(kind, result.data, about, at) or Detail(result.text, at)

    async def finish_due(self, *, limit: int = 20) -> int:
        """Finish jobs that were left pending, or whose process died; returns how many were tried.

        Each outcome is stored together with its LookupFinished. For the worker.
        """
        tickets = [
            ticket
            for job_id in await _in_thread(partial(self.due, limit=limit))
            if (ticket := await _in_thread(partial(self._claim, job_id))) is not None
        ]
        async with anyio.create_task_group() as group:
            for ticket in tickets:
                group.start_soon(partial(self._perform, ticket, announce=True))
        return len(tickets)

    def due(self, *, limit: int = 20) -> list[int]:
        """Ids of jobs that `finish_due` would try now."""
        with self._database.unit_of_work(read_only=True) as uow:
            return repository.due(uow.session, now=self._clock.now(), limit=limit)

    def forget_finished(self, *, older_than: timedelta) -> int:
        """Delete finished jobs past their retention; returns how many."""
        with self._database.unit_of_work() as uow:
            deleted = repository.delete_finished(uow.session, before=self._clock.now() - older_than)
            uow.commit()
            return deleted

    async def _read(
        self, conversation_id: str, parameters: Mapping[str, str]
    ) -> tuple[dict[str, str], LookupResult | None]:
        """Resolve placeholders and bring every value to its canonical form."""
        values: dict[str, str] = {}
        invalid: list[str] = []
        for name, given in parameters.items():
            if not given:
                continue
            if _PLACEHOLDER.fullmatch(given.strip()):
                found = await _in_thread(partial(self._resolve, conversation_id, given.strip()))
                if found is None:
                    reason = {"reason": "unknown_placeholder", "slots": [name]}
                    return {}, LookupResult(rendering.unknown_placeholder(), reason, "failed")
                given = found
            value = normaliser_of(name)(given)
            if value is None:
                invalid.append(name)
            else:
                values[name] = value
        if invalid:
            return {}, LookupResult(rendering.invalid(invalid), {"reason": "invalid", "slots": invalid}, "failed")
        return values, None

    async def _own_case(self, case_progress: CaseProgress, conversation_id: str, case_no: str) -> LookupResult:
        case = await _in_thread(partial(case_progress, case_no, conversation_id))
        if case is None:
            return LookupResult(rendering.not_found("progress"), {}, "not_found")
        return LookupResult(*rendering.own_case(case))

    def _begin(
        self, kind: str, conversation_id: str, message_seq: int, values: dict[str, str]
    ) -> "LookupResult | _Ticket":
        """Store the job, or say at once what is known: its earlier result, the limit, a fresh enough answer."""
        now = self._clock.now()
        connector = self._gateway.connectors[kind]
        identifier = rendering.identifier_of(values)
        identifier_hash = self._secrets.keyed_hash(f"{kind}:{identifier}") if identifier else None
        request_hash = self._secrets.keyed_hash(json.dumps([kind, values], sort_keys=True))
        with self._database.unit_of_work() as uow:
            known = repository.find(uow.session, conversation_id, message_seq, kind)
            if known is not None:
                return self._stored(known)
            if identifier_hash is not None:
                repository.lock_guesses(uow.session, identifier_hash)
                counts = repository.count_guesses(
                    uow.session,
                    since=now - timedelta(hours=1),
                    conversation_id=conversation_id,
                    identifier_hash=identifier_hash,
                )
                if max(counts) >= self._wrong_guesses:
                    self._audit(uow, conversation_id, kind, identifier_hash, "limited", now)
                    uow.commit()
                    return LookupResult(rendering.limited(), {"reason": "limited"}, "failed")
            cached = (
                repository.latest_answer(
                    uow.session, request_hash=request_hash, since=now - timedelta(seconds=connector.cache_seconds)
                )
                if connector.cache_seconds
                else None
            )
            job = LookupJob(
                conversation_id=conversation_id,
                message_seq=message_seq,
                kind=kind,
                state="running",
                parameters=self._secrets.encrypt(json.dumps(values)),
                result=None,
                identifier_hash=identifier_hash,
                request_hash=request_hash,
                attempts=1,
                created_at=now,
                next_attempt_at=now + timedelta(seconds=self._turn_budget) + _LEASE_MARGIN,
                finished_at=None,
            )
            job_id = repository.add_once(uow.session, job)
            if job_id is None:
                known = repository.find(uow.session, conversation_id, message_seq, kind)
                return self._stored(known) if known else self._waiting(kind)
            outcome = "cached" if cached is not None else "asked"
            self._audit(uow, conversation_id, kind, identifier_hash, outcome, now)
            uow.commit()
        ticket = _Ticket(job_id, 1, kind, values, self._turn_budget)
        if cached is None or cached.result is None:
            return ticket
        answer = json.loads(self._secrets.decrypt(cached.result))["answer"]
        return self._conclude(ticket, self._render(ticket, Answer("done", answer)), answer, announce=False)

    def _audit(
        self, uow: Any, conversation_id: str, kind: str, identifier_hash: str | None, outcome: str, now: datetime
    ) -> None:
        audit.record(
            uow,
            actor=f"conversation:{conversation_id}",
            action=f"lookup.{kind}",
            subject=identifier_hash or kind,
            detail={"outcome": outcome},
            now=now,
        )

    def _stored(self, job: LookupJob) -> LookupResult:
        if job.result is None:
            return self._waiting(job.kind)
        stored = json.loads(self._secrets.decrypt(job.result))
        return LookupResult(stored["text"], stored["data"], cast(State, job.state))

    def _waiting(self, kind: str) -> LookupResult:
        return LookupResult(rendering.pending(self._gateway.connectors[kind].system), {}, "pending")

    async def _perform(self, ticket: _Ticket, *, announce: bool) -> LookupResult:
        """Ask the system and store what came of it."""
        if ticket.seconds <= 0:
            return await _in_thread(partial(self._postpone, ticket, None, announce=announce))
        try:
            answer = await self._gateway.ask(ticket.kind, ticket.parameters, seconds=ticket.seconds)
        except SystemTrouble as trouble:
            # A system that is merely slow is asked again by the worker; one that is down is said to be.
            if isinstance(trouble, SystemSlow) or announce:
                return await _in_thread(partial(self._postpone, ticket, trouble.since, announce=announce))
            result = self._down(ticket.kind, trouble.since)
            return await _in_thread(partial(self._conclude, ticket, result, None, announce=announce))
        result = self._render(ticket, answer)
        data = answer.data if answer.state == "done" else None
        return await _in_thread(partial(self._conclude, ticket, result, data, announce=announce))

    def _down(self, kind: str, since: datetime | None) -> LookupResult:
        connector = self._gateway.connectors[kind]
        text = rendering.system_down(connector.system, connector.texts.get("elsewhere", ""), since)
        return LookupResult(text, {"reason": "system_down"}, "failed")

    def _render(self, ticket: _Ticket, answer: Answer) -> LookupResult:
        kind, parameters = ticket.kind, ticket.parameters
        if answer.state == "mismatch":
            return LookupResult(rendering.mismatch(kind), {}, "mismatch")
        if answer.state == "not_found":
            return LookupResult(rendering.not_found(kind), {}, "not_found")
        texts: Mapping[str, str] = cast(Mapping[str, str], self._gateway.connectors[kind].texts)
        match kind:
            case "violation":
                rendered = rendering.violations(ViolationAnswer.model_validate(answer.data), parameters, texts)
            case "bill":
                rendered = rendering.bill(BillAnswer.model_validate(answer.data), parameters, texts, self._clock.now())
            case "progress":
                rendered = rendering.progress(ProgressAnswer.model_validate(answer.data), parameters)
            case "nearby":
                rendered = rendering.nearby(
                    NearbyAnswer.model_validate(answer.data), parameters, texts, self._clock.now()
                )
            case _:
                rendered = rendering.facts(FactsAnswer.model_validate(answer.data))
        return LookupResult(*rendered)

    def _claim(self, job_id: int) -> _Ticket | None:
        """Take a due job for the worker: lock, look again, and lease it."""
        now = self._clock.now()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, job_id, skip_locked=True)
            if job is None or job.state not in repository.UNFINISHED or job.next_attempt_at > now:
                return None
            if job.parameters is None:
                raise RuntimeError(f"lookup job {job_id} is unfinished without parameters")
            left = self._job_seconds - (now - job.created_at).total_seconds()
            job.attempts += 1
            job.state = "running"
            job.next_attempt_at = now + timedelta(seconds=max(left, 0.0)) + _LEASE_MARGIN
            ticket = _Ticket(
                job.id, job.attempts, job.kind, json.loads(self._secrets.decrypt(job.parameters)), max(left, 0.0)
            )
            uow.commit()
            return ticket

    def _postpone(self, ticket: _Ticket, since: datetime | None, *, announce: bool) -> LookupResult:
        """Leave the job to a later attempt, or give it up when its time or its attempts are over."""
        now = self._clock.now()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, ticket.job_id)
            if job is None or job.attempts != ticket.attempt or job.state != "running":
                return self._stored(job) if job is not None else self._waiting(ticket.kind)
            request = self._gateway.connectors[ticket.kind].request_for(ticket.parameters)
            again = now + timedelta(seconds=5 * (ticket.attempt - 1))
            expires = job.created_at + timedelta(seconds=self._job_seconds)
            worth_it = again < expires and ticket.attempt < self._job_attempts
            if worth_it and request is not None and request.is_safe:
                job.state = "pending"
                job.next_attempt_at = again
                uow.commit()
                return self._waiting(ticket.kind)
        return self._conclude(ticket, self._down(ticket.kind, since), None, announce=announce)

    def _conclude(
        self, ticket: _Ticket, result: LookupResult, answer: dict[str, Any] | None, *, announce: bool
    ) -> LookupResult:
        """Store the outcome and, when the citizen waits for it, its event in the same transaction."""
        now = self._clock.now()
        with self._database.unit_of_work() as uow:
            job = repository.lock(uow.session, ticket.job_id)
            if job is None:
                return result
            if job.attempts != ticket.attempt or job.state != "running":
                return self._stored(job)
            job.state = result.state
            stored = {"text": result.text, "data": result.data, "answer": answer}
            job.result = self._secrets.encrypt(json.dumps(stored))
            job.parameters = None
            job.finished_at = now
            if announce:
                uow.collect(
                    LookupFinished(job.conversation_id, job.message_seq, job.kind, result.text, result.data, now)
                )
            uow.commit()
        log.info("lookup finished", kind=ticket.kind, state=result.state, attempt=ticket.attempt)
        return result


async def _in_thread(call: Callable[[], T]) -> T:
    # A thread is not abandoned when the citizen gives up: the short transaction runs to its end.
    return await anyio.to_thread.run_sync(call)
