"""Runs turns: the messages of one conversation strictly one at a time, in order of arrival, over all replicas.

Whoever holds a conversation's lease (a database row with an expiry) works off its messages until none waits. A
request waits for its own message for as long as a person is patient, then the turn runs on and its result comes by
the stream. A worker that dies leaves an expired lease and a waiting message, which `recover` picks up.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import structlog
from prometheus_client import Counter, Histogram

from services.cases.service import Proposal
from services.conversations import binding, texts
from services.conversations.decisions import Decider, consent_in
from services.conversations.schemas import Arrival, InboundMessage, SendAnswer, TurnContext, TurnOutcome
from services.conversations.service import Conversations
from services.conversations.turn_taking import LeaseLost
from services.core import leases
from services.core.clock import Clock
from services.core.database import Database, UnitOfWork
from services.core.signals import CONVERSATION, Signals
from services.understanding.danger import Heard

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = structlog.get_logger(__name__)

T = TypeVar("T")
TURNS = Counter("huiying_turns", "Turns of citizens by what the dialogue decided.", ["route"])
TURN_SECONDS = Histogram("huiying_turn_seconds", "From the start of a turn until its answer is stored.")
POLL_SECONDS = 0.25
LEASE_RETRY_SECONDS = 0.1
TURNS_LIMIT = 200
PROPOSE_SECONDS = 3.0
HEARD_KEPT = 200


class TurnRunner:
    """Receives messages and runs their turns. `patience` and `turn_seconds` are in seconds (DESIGN, 9); `propose` says
    what the case is probably about that a turn opens."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        decider: Decider,
        signals: Signals,
        clock: Clock,
        *,
        patience: float,
        turn_seconds: float,
        propose: Callable[[str], Proposal | None] = lambda text: None,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._decider = decider
        self._signals = signals
        self._clock = clock
        self._patience = patience
        self._turn_seconds = turn_seconds
        self._propose = propose
        self._owner = leases.new_holder()
        self._running: dict[str, asyncio.Task[None]] = {}
        # Conversations that got a message while this process was working on them.
        self._again: set[str] = set()
        # Who is about to store a message, by conversation: the lock, and how many hold it or wait for it.
        self._entrances: dict[str, tuple[asyncio.Lock, int]] = {}
        self._heard: dict[tuple[str, int], Heard] = {}
        # Requests that wait for the answer to their message, by conversation and place.
        self._awaited: dict[str, dict[int, asyncio.Future[SendAnswer | None]]] = {}

    async def receive(self, conversation_id: str, inbound: InboundMessage, origin: str = "") -> SendAnswer:
        """Store a message, run its turn and answer; after `patience` the rest comes by the stream.

        `origin` is where it comes from, as a keyed hash of the address; empty when nobody knows."""
        async with self._signals.listen(CONVERSATION + conversation_id) as news:
            arrival = await self._hear_and_store(conversation_id, inbound, origin)
            deadline = asyncio.get_running_loop().time() + self._patience
            if arrival.fresh and not arrival.done:
                answer = await self._answered_here(conversation_id, arrival.seq)
                if answer is not None:
                    return answer
            while True:
                left = deadline - asyncio.get_running_loop().time()
                news.clear()
                answer = await self._read(lambda uow: self._conversations.answer_of(uow, conversation_id, arrival.seq))
                if not answer.pending or left <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), min(left, POLL_SECONDS))
        if answer.pending and arrival.fresh:
            await self._write(
                lambda uow: self._conversations.say_interim(
                    uow, conversation_id, arrival.seq, texts.LOOKING, self._clock.now()
                )
            )
            answer = await self._read(lambda uow: self._conversations.answer_of(uow, conversation_id, arrival.seq))
        return answer

    async def _answered_here(self, conversation_id: str, seq: int) -> SendAnswer | None:
        """The answer to a message just stored, as soon as this process has it; None when time is up or when another
        process may be the one that answers: then the database knows."""
        if not self._is_running(conversation_id):
            return None
        waiting: asyncio.Future[SendAnswer | None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(conversation_id, {})[seq] = waiting
        try:
            return await asyncio.wait_for(waiting, self._patience)
        except TimeoutError:
            return None
        finally:
            others = self._awaited.get(conversation_id, {})
            others.pop(seq, None)
            if not others:
                self._awaited.pop(conversation_id, None)

    def _tell(self, conversation_id: str, seq: int, answer: SendAnswer) -> None:
        waiting = self._awaited.get(conversation_id, {}).get(seq)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _tell_to_look(self, conversation_id: str) -> None:
        """Whoever waits for an answer from this process shall look into the database instead."""
        for waiting in self._awaited.get(conversation_id, {}).values():
            if not waiting.done():
                waiting.set_result(None)

    async def _hear_and_store(self, conversation_id: str, inbound: InboundMessage, origin: str) -> Arrival:
        """Embed and store a message; several of one conversation are embedded together and stored as they came."""
        hearing = asyncio.create_task(self._decider.hear(inbound.text or ""))
        try:
            async with self._entrance(conversation_id):
                return await self._arrive(conversation_id, inbound, await hearing, origin)
        finally:
            hearing.cancel()

    @contextlib.asynccontextmanager
    async def _entrance(self, conversation_id: str) -> AsyncIterator[None]:
        """One at a time, in the order of the asking."""
        lock, waiting = self._entrances.get(conversation_id, (asyncio.Lock(), 0))
        self._entrances[conversation_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._entrances.pop(conversation_id)
            if waiting > 1:
                self._entrances[conversation_id] = (lock, waiting - 1)

    async def _arrive(self, conversation_id: str, inbound: InboundMessage, heard: Heard | None, origin: str) -> Arrival:
        """Store the message and see that its turn comes: at once, when nobody works on this conversation."""
        if self._is_running(conversation_id):
            arrival = await self._write(
                lambda uow: self._conversations.arrive(uow, conversation_id, inbound, self._clock.now(), heard, origin)
            )
            self._keep_heard(conversation_id, arrival, heard)
            self.start(conversation_id)
            return arrival
        arrived: asyncio.Future[Arrival] = asyncio.get_running_loop().create_future()
        self._spawn(conversation_id, self._arrive_and_work_off(conversation_id, inbound, heard, arrived, origin))
        return await arrived

    def _keep_heard(self, conversation_id: str, arrival: Arrival, heard: Heard | None) -> None:
        """Keep an embedding for the turn of its message, the latest ones only: a turn can do without."""
        if heard is not None and arrival.fresh and not arrival.done:
            self._heard[conversation_id, arrival.seq] = heard
            if len(self._heard) > HEARD_KEPT:
                del self._heard[next(iter(self._heard))]

    def start(self, conversation_id: str) -> None:
        """Work off a conversation in the background; if this process does so already it looks once more at the end."""
        if self._is_running(conversation_id):
            self._again.add(conversation_id)
        else:
            self._spawn(conversation_id, self._work_off(conversation_id))

    def _is_running(self, conversation_id: str) -> bool:
        return conversation_id in self._running

    def _spawn(self, conversation_id: str, work: "Coroutine[Any, Any, None]") -> None:
        task = asyncio.create_task(work)
        self._running[conversation_id] = task
        task.add_done_callback(lambda _: self._forget(conversation_id))

    def _forget(self, conversation_id: str) -> None:
        del self._running[conversation_id]
        self._tell_to_look(conversation_id)
        if conversation_id in self._again:
            self._again.discard(conversation_id)
            self.start(conversation_id)

    async def recover(self) -> None:
        """Pick up conversations that a worker left behind."""
        stranded = await self._read(lambda uow: self._conversations.stranded(uow, self._clock.now()))
        for conversation_id in stranded:
            self.start(conversation_id)

    async def drain(self) -> None:
        """Let the running turns finish (at shutdown)."""
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=self._turn_seconds + 2)

    async def _arrive_and_work_off(
        self,
        conversation_id: str,
        inbound: InboundMessage,
        heard: Heard | None,
        arrived: "asyncio.Future[Arrival]",
        origin: str,
    ) -> None:
        """Store a message and take its turn in the same transaction; `arrived` gets the arrival or its error."""
        try:
            arrival, context = await self._write(
                lambda uow: self._conversations.arrive_and_take(
                    uow, conversation_id, inbound, self._owner, self._clock.now(), heard, origin
                )
            )
        except Exception as error:
            if not arrived.cancelled():
                arrived.set_exception(error)
            return
        self._keep_heard(conversation_id, arrival, heard)
        if not arrived.cancelled():
            arrived.set_result(arrival)
        await self._work_off(conversation_id, context)

    async def _work_off(self, conversation_id: str, context: TurnContext | None = None) -> None:
        """Turn after turn until no message waits; `context` is a turn that has been taken already."""
        waited = 0.0
        for _ in range(TURNS_LIMIT):
            try:
                if context is None:
                    self._again.discard(conversation_id)
                    context = await self._write(
                        lambda uow: self._conversations.take_turn(uow, conversation_id, self._owner, self._clock.now())
                    )
                if context is None:
                    return
                taken, context = context, None
                context = await self._one_turn(taken)
                if context is None:
                    # The lease went back in the same transaction that found nothing waiting.
                    return
                waited = 0.0
            except LeaseLost:
                # Another replica works on it; look again until it is done or its lease has run out.
                self._tell_to_look(conversation_id)
                waited += LEASE_RETRY_SECONDS
                if waited > 4 * self._turn_seconds:
                    return
                await asyncio.sleep(LEASE_RETRY_SECONDS)
            except Exception as error:
                log.error("turn failed", kind=type(error).__name__, conversation=conversation_id)
                return

    async def _one_turn(self, context: TurnContext) -> TurnContext | None:
        """Decide and store one turn; returns the next one, taken in the transaction that stored this one."""
        began = time.perf_counter()
        context = replace(context, heard=self._heard.pop((context.conversation_id, context.seq), None))
        if consent_in(context) or binding.consents(context):
            # Recorded before anything uses an identifier: the action of this very turn may resolve one.
            await self._write(
                lambda uow: self._conversations.grant_consent(uow, context.conversation_id, self._clock.now())
            )
        deferred = None
        if context.deferred_seq is not None:
            deferred_seq = context.deferred_seq
            deferred = await self._read(
                lambda uow: self._conversations.deferred_message(uow, context.conversation_id, deferred_seq)
            )
        try:
            outcome = await asyncio.wait_for(self._decider.decide(context, deferred), self._turn_seconds)
        except TimeoutError:
            log.warning("turn took too long")
            outcome = self._late(context)
        except Exception as error:  # a citizen never meets silence
            log.error("turn not decided", kind=type(error).__name__)
            outcome = self._late(context)
        if outcome.case_kind not in (None, "urgent") or outcome.additions:
            outcome.proposal = await self._proposal(context.conversation_id)
        answer, following = await self._write(
            lambda uow: self._conversations.finish_and_take(uow, context, outcome, self._owner, self._clock.now())
        )
        self._tell(context.conversation_id, context.seq, answer)
        TURNS.labels(route=outcome.route or "none").inc()
        TURN_SECONDS.observe(time.perf_counter() - began)
        return following

    async def _proposal(self, conversation_id: str) -> Proposal | None:
        """What the case is probably about, outside of any transaction; None when that cannot be said in time."""
        try:
            words = await self._read(lambda uow: self._conversations.words_of(uow, conversation_id))
            thinking = anyio.to_thread.run_sync(self._propose, words, abandon_on_cancel=True)
            return await asyncio.wait_for(thinking, PROPOSE_SECONDS)
        except Exception as error:  # a case opens in any event; a clerk decides then
            log.warning("no proposal for a case", kind=type(error).__name__)
            return None

    @staticmethod
    def _late(context: TurnContext) -> TurnOutcome:
        return TurnOutcome(
            replies=[texts.LATE, texts.OFFER_HUMAN],
            misses=context.misses,
            requested_slot=context.requested_slot,
        )

    def _read(self, step: Callable[[UnitOfWork], T]) -> "Coroutine[Any, Any, T]":
        def run() -> T:
            with self._database.unit_of_work(read_only=True) as uow:
                return step(uow)

        return anyio.to_thread.run_sync(run)

    def _write(self, step: Callable[[UnitOfWork], T]) -> "Coroutine[Any, Any, T]":
        return anyio.to_thread.run_sync(self._database.write, step)
