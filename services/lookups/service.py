"""Lookups in departmental systems: idempotent jobs keyed by conversation, message and kind.

    result = await lookups.query("violation", conversation_id, message_seq, {"plate": "【车牌1】", ...})

No transaction is open while a departmental system is asked.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import anyio

from services.core.clock import Clock
from services.core.coordinates import read_position
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.errors import NotFound
from services.core.limits import PerAddress
from services.lookups import charts, followups, rendering, repository
from services.lookups.gateway import BREAKER_OPEN, Answer, Gateway, SystemBusy, SystemSlow, SystemTrouble
from services.lookups.guesses import GuessLimits
from services.lookups.jobs import Begun, Jobs, Limits, Ticket
from services.lookups.outages import watch as watch  # what a feature above calls
from services.lookups.schemas import (
    BillAnswer,
    CaseProgress,
    Detail,
    LookupResult,
    NearbyAnswer,
    OriginOf,
    Resolve,
    ServicePoint,
)
from services.places import service as places
from services.understanding.identifiers import normalise_case_no, normaliser_of
from services.understanding.placeholders import PLACEHOLDER

T = TypeVar("T")

TURN_BUDGET_SECONDS = 8.5
JOB_SECONDS = 60.0
JOB_ATTEMPTS = 4
WRONG_GUESSES_PER_HOUR = 5
IDENTIFIERS_PER_DAY = 20
OWN_CASE_PREFIX = "GD"


class LookupService:
    """Asks departmental systems on behalf of citizens.

    `resolve` turns a placeholder of a conversation back; `case_progress` knows the citizen's own cases (GD numbers).
    `origin_of` says where a conversation is written from, which `per_address` limits. They are synchronous and run in a
    worker thread, outside any transaction of ours.
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
        identifiers_per_day: int = IDENTIFIERS_PER_DAY,
        origin_of: OriginOf = lambda conversation_id: "",
        per_address: PerAddress | None = None,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._resolve = resolve
        self._case_progress = case_progress
        per_address = per_address or PerAddress()
        guesses = GuessLimits(
            of_conversation=wrong_guesses_per_hour,
            of_origin=per_address.wrong_guesses,
            identifiers=identifiers_per_day,
            identifiers_of_origin=per_address.identifiers,
        )
        limits = Limits(turn_budget_seconds, job_seconds, job_attempts, guesses)
        self._jobs = Jobs(database, secrets, clock, limits, self._system_of, origin_of)

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
                return await self._own_case(self._case_progress, conversation_id, message_seq, case_no, parameters)
        if kind == "nearby" and await _in_thread(partial(places.any_places, self._database)):
            return await self._nearby(conversation_id, parameters)
        connector = self._gateway.connectors.get(kind)
        if connector is None:
            return LookupResult(rendering.no_connector(), {"reason": "no_connector"}, "failed")
        request = connector.request_for(parameters)
        if request is None:
            missing = connector.missing(parameters)
            return LookupResult(rendering.incomplete(missing), {"reason": "incomplete", "slots": missing}, "failed")
        # What this request does not use may be left from a form the citizen gave up.
        used = {name: parameters.get(name, "") for name in (*request.parameters, *request.optional)}
        values, problem = await self._read(conversation_id, used)
        if problem is not None:
            return problem
        unknown = [name for name, codes in request.codes.items() if name in values and values[name] not in codes]
        if unknown:
            text = rendering.not_served([*request.codes[unknown[0]]])
            return LookupResult(text, {"reason": "invalid", "slots": unknown}, "failed")
        return await self._begin_and_perform(kind, conversation_id, message_seq, values, connector.cache_seconds)

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
        if result.state not in ("done", "stale"):
            return Detail(result.text, at)
        return followups.detail(kind, result.data, about, at) or Detail(result.text, at)

    async def finish_due(self, *, limit: int = 20) -> int:
        """Finish jobs that were left pending, or whose process died; returns how many were tried.

        Each outcome is stored together with its LookupFinished. For the worker.
        """
        tried = 0

        async def one(job_id: int) -> None:
            nonlocal tried
            ticket = await _in_thread(partial(self._jobs.claim, job_id))
            if ticket is not None:
                tried += 1
                await self._perform(ticket, announce=True)

        due = await _in_thread(partial(self.due, limit=limit))
        async with anyio.create_task_group() as group:
            for job_id in due:
                group.start_soon(one, job_id)
        return tried

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

    def chart(self, conversation_id: str, link: str) -> bytes:
        """The picture of a result as SVG. Raises NotFound for a link that is forged, expired or somebody else's."""
        found = self._jobs.answer_behind(conversation_id, link)
        if found is None or found[0] != "bill":
            raise NotFound("没有这张图")
        return charts.bill(BillAnswer.model_validate(found[1]))

    async def _read(
        self, conversation_id: str, parameters: Mapping[str, str]
    ) -> tuple[dict[str, str], LookupResult | None]:
        """Resolve placeholders and bring every value to its canonical form."""
        values: dict[str, str] = {}
        invalid: list[str] = []
        for name, given in parameters.items():
            if not given:
                continue
            if PLACEHOLDER.fullmatch(given.strip()):
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

    async def _own_case(
        self,
        case_progress: CaseProgress,
        conversation_id: str,
        message_seq: int,
        case_no: str,
        parameters: Mapping[str, str],
    ) -> LookupResult:
        """One of our own cases: of this conversation at once, of another one after a check.

        Whether there is such a case is not told before the check, and a wrong check reads like no case.
        """
        case = await _in_thread(partial(case_progress, case_no, conversation_id, None))
        if case is not None:
            return LookupResult(*rendering.own_case(case))
        if not parameters.get("phone_tail"):
            missing = ["phone_tail"]
            return LookupResult(rendering.incomplete(missing), {"reason": "incomplete", "slots": missing}, "failed")
        given = {"case_no": case_no, "phone_tail": parameters["phone_tail"]}
        values, problem = await self._read(conversation_id, given)
        if problem is not None:
            return problem
        return await self._begin_and_perform("progress", conversation_id, message_seq, values, 0.0)

    async def _nearby(self, conversation_id: str, parameters: Mapping[str, str]) -> LookupResult:
        """The nearest of the city's own points; no departmental system is asked, and nobody's number is involved."""
        values, problem = await self._read(
            conversation_id, {name: parameters.get(name, "") for name in ("location", "service")}
        )
        if problem is not None:
            return problem
        if "location" not in values:
            missing = ["location"]
            return LookupResult(rendering.incomplete(missing), {"reason": "incomplete", "slots": missing}, "failed")
        position, service = read_position(values["location"]), values.get("service")
        found = await _in_thread(
            partial(places.nearest, self._database, position or values["location"], service, rendering.SHOWN_POINTS)
        )
        if found is None:
            return LookupResult(rendering.not_found("nearby"), {}, "not_found")
        points = [ServicePoint.model_validate(vars(point)) for point in found.points]
        connector = self._gateway.connectors.get("nearby")
        texts: Mapping[str, str] = {"map_link": places.MAP_LINK, **(connector.said if connector else {})}
        text, data = rendering.nearby(NearbyAnswer(points=points), values, texts, self._clock.now())
        if found.centre and points:
            text = f"{rendering.around(found.centre)}\n{text}"
        return LookupResult(text, data)

    async def _begin_and_perform(
        self, kind: str, conversation_id: str, message_seq: int, values: dict[str, str], cache_seconds: float
    ) -> LookupResult:
        begun = await _in_thread(partial(self._jobs.begin, kind, conversation_id, message_seq, values, cache_seconds))
        if not isinstance(begun, Begun):
            return begun
        if begun.cached is None:
            return await self._perform(begun.ticket, announce=False)
        result = self._render(begun.ticket, Answer("done", begun.cached))
        return await _in_thread(partial(self._jobs.conclude, begun.ticket, result, begun.cached, announce=False))

    async def _perform(self, ticket: Ticket, *, announce: bool) -> LookupResult:
        """Ask and conclude, or leave it to a later attempt. `announce`: the citizen hears of it by an event."""
        case_no = ticket.parameters.get("case_no", "")
        if self._case_progress is not None and case_no.startswith(OWN_CASE_PREFIX):
            tail = ticket.parameters.get("phone_tail")
            case = await _in_thread(partial(self._case_progress, case_no, ticket.conversation_id, tail))
            result = (
                LookupResult(*rendering.own_case(case))
                if case is not None
                else LookupResult(rendering.mismatch("progress"), {}, "mismatch")
            )
            return await _in_thread(partial(self._jobs.conclude, ticket, result, None, announce=announce))
        if ticket.interrupted and not self._may_be_repeated(ticket):
            # Whether the system has done it nobody knows; asked once more it might do it twice.
            return await self._give_up(ticket, SystemTrouble("interrupted", retryable=False), announce=announce)
        try:
            answer = await self._gateway.ask(ticket.kind, ticket.parameters, seconds=ticket.seconds)
        except SystemTrouble as trouble:
            # A system that is merely slow is asked again by the worker; one that is down is said to be.
            if isinstance(trouble, SystemSlow | SystemBusy) or announce:
                safe = self._may_be_repeated(ticket)
                later = await _in_thread(partial(self._jobs.postpone, ticket, safe=safe))
                if later is not None:
                    return later
            return await self._give_up(ticket, trouble, announce=announce)
        result = self._render(ticket, answer)
        data = answer.data if answer.state == "done" else None
        return await _in_thread(partial(self._jobs.conclude, ticket, result, data, announce=announce, answered=True))

    def _may_be_repeated(self, ticket: Ticket) -> bool:
        request = self._gateway.connectors[ticket.kind].request_for(ticket.parameters)
        return request is not None and request.is_safe

    async def _give_up(self, ticket: Ticket, trouble: SystemTrouble, *, announce: bool) -> LookupResult:
        """Say since when the system is down and what else helps, with the last known result where that is allowed."""
        connector = self._gateway.connectors[ticket.kind]
        elsewhere = connector.texts.get("elsewhere", "")
        data: dict[str, Any] = {"reason": "system_busy" if isinstance(trouble, SystemBusy) else "system_down"}
        since = None
        if trouble.is_down:
            failed = trouble.reason != BREAKER_OPEN
            since = await _in_thread(partial(self._jobs.note_outage, ticket.kind, failed=failed))
            if connector.probe is not None:
                data["watch"] = ticket.kind
        if isinstance(trouble, SystemBusy):
            text = rendering.system_busy(connector.system, elsewhere)
        else:
            text = rendering.system_down(connector.system, elsewhere, since)
        known = await _in_thread(partial(self._jobs.last_known, ticket, connector.last_known_hours))
        if known is None:
            result = LookupResult(text, data, "failed")
        else:
            answer, at = known
            earlier = self._render(ticket, Answer("done", answer))
            text = rendering.last_known(text, earlier.text, at)
            result = LookupResult(text, {**earlier.data, **data, "as_of": at.isoformat()}, "stale")
        answer_kept = known[0] if known is not None else None
        return await _in_thread(partial(self._jobs.conclude, ticket, result, answer_kept, announce=announce))

    def _render(self, ticket: Ticket, answer: Answer) -> LookupResult:
        if answer.state == "mismatch":
            return LookupResult(rendering.mismatch(ticket.kind), {}, "mismatch")
        if answer.state == "not_found":
            return LookupResult(rendering.not_found(ticket.kind), {}, "not_found")
        texts = self._gateway.connectors[ticket.kind].said
        return LookupResult(*rendering.answer(ticket.kind, answer.data, ticket.parameters, texts, self._clock.now()))

    def _system_of(self, kind: str) -> str:
        connector = self._gateway.connectors.get(kind)
        return connector.system if connector is not None else "系统"


async def _in_thread(call: Callable[[], T]) -> T:
    # A thread is not abandoned when the citizen gives up: the short transaction runs to its end.
    return await anyio.to_thread.run_sync(call)
