"""Questions that arrive at the same time share one call of the model."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from knowledge_base.embedding.protocol import Embedder, Progress, Vectors
from knowledge_base.errors import EmbedderBusy


class _Call:
    """One text that waits for its vector."""

    __slots__ = ("error", "leads", "text", "vector", "wake")

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Vectors | None = None
        self.error: Exception | None = None
        self.wake = threading.Event()
        self.leads = False

    @property
    def done(self) -> bool:
        return self.vector is not None or self.error is not None


class BatchingEmbedder:
    """Embedder over another one: single questions of many threads go to it in batches.

    A caller who finds the model idle runs at once and alone. Those who come meanwhile wait together; when the model is
    free again, the first of them embeds for all. So a batch forms only while there is something to wait for anyway, a
    single caller never waits, and no thread of its own has to be started or stopped.

    >>> from knowledge_base.testing import FakeEmbedder
    >>> BatchingEmbedder(FakeEmbedder()).embed_queries(["身份证"]).shape
    (1, 384)
    """

    def __init__(
        self, embedder: Embedder, *, largest_batch: int = 32, most_waiting: int = 512, longest_wait: float = 30.0
    ) -> None:
        """`most_waiting` calls may queue up, each for `longest_wait` seconds; beyond either they get EmbedderBusy."""
        self._embedder = embedder
        self._largest_batch = largest_batch
        self._most_waiting = most_waiting
        self._longest_wait = longest_wait
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._running = False

    @property
    def identity(self) -> str:
        """Name of the model."""
        return self._embedder.identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Embed passages; they come in batches of their own and go straight to the model."""
        return self._embedder.embed_passages(texts, progress)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions; a single one shares a batch with others that wait.

        Raises EmbedderBusy when too many wait or the wait was too long, and what the model raised for this very text.
        """
        if len(texts) != 1:
            return self._embedder.embed_queries(texts)
        call = _Call(texts[0])
        with self._lock:
            leads = not self._running
            if leads:
                self._running = True
            elif len(self._waiting) >= self._most_waiting:
                raise EmbedderBusy("同时提问的人太多，请稍后再试")
            else:
                self._waiting.append(call)
        if leads:
            self._run([call])
        else:
            self._wait(call)
        if call.error is not None:
            raise call.error
        if call.vector is None:
            raise EmbedderBusy("等待嵌入模型超时，请稍后再试")
        return call.vector

    def _wait(self, call: _Call) -> None:
        """Return once `call` is done or its time is up; embed for others when it is this thread's turn."""
        try:
            in_time = call.wake.wait(self._longest_wait)
        except BaseException:
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                if call.leads:
                    self._pass_on()
            raise
        if not in_time:
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                    return
            # Somebody took it along in this very moment: its result, or its turn, is about to come.
            call.wake.wait()
        if call.done:
            return
        with self._lock:
            batch = [call]
            while self._waiting and len(batch) < self._largest_batch:
                batch.append(self._waiting.popleft())
        self._run(batch)

    def _run(self, batch: list[_Call]) -> None:
        """Embed `batch`, whose first call is this thread's own, and pass the model on."""
        try:
            self._embed(batch)
        finally:
            with self._lock:
                # Only an interrupt of this thread leaves calls undone; they are the next ones then.
                self._waiting.extendleft(other for other in reversed(batch[1:]) if not other.done)
                self._pass_on()
            for other in batch[1:]:
                if other.done:
                    other.wake.set()

    def _pass_on(self) -> None:
        """Give the model to the call that has waited longest. The lock is held."""
        self._running = bool(self._waiting)
        if self._waiting:
            successor = self._waiting.popleft()
            successor.leads = True
            successor.wake.set()

    def _embed(self, batch: list[_Call]) -> None:
        try:
            vectors = self._embedder.embed_queries([call.text for call in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            # One of them did it; the others shall not notice.
            for call in batch:
                self._embed([call])
            return
        for row, call in enumerate(batch):
            # A copy, so that nobody keeps the vectors of all others alive.
            call.vector = np.array(vectors[row : row + 1], dtype=np.float32)
