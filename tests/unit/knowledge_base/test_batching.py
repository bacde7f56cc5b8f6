"""Questions of many threads in one call of the model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from knowledge_base.embedding import batching
from knowledge_base.embedding.batching import BatchingEmbedder
from knowledge_base.embedding.protocol import Vectors
from knowledge_base.errors import EmbedderBusy
from knowledge_base.testing import FakeEmbedder


class GatedEmbedder(FakeEmbedder):
    """Notes its batches, stops in the first one until `gate` opens, and refuses the text "坏"."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        self.entered.set()
        assert self.gate.wait(60)
        if "坏" in texts:
            raise ValueError("坏")
        return super().embed_queries(texts)


class Callers:
    """Threads that each embed one text, started one after the other."""

    def __init__(self, embedder: BatchingEmbedder) -> None:
        self._embedder = embedder
        self._threads: list[threading.Thread] = []
        self.results: dict[str, Vectors] = {}
        self.errors: dict[str, BaseException] = {}

    def start(self, text: str) -> None:
        thread = threading.Thread(target=self._call, args=(text,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def start_waiting(self, text: str) -> None:
        """Start a caller and return once it is in the queue."""
        waiting = len(self._embedder._waiting)
        self.start(text)
        until(lambda: len(self._embedder._waiting) > waiting or text in self.errors)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _call(self, text: str) -> None:
        try:
            self.results[text] = self._embedder.embed_queries([text])
        except BaseException as error:
            self.errors[text] = error


def until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(60_000):
        if condition():
            return
        tick.wait(0.001)
    raise AssertionError("it did not come to pass")


def busy(**bounds: float) -> tuple[GatedEmbedder, BatchingEmbedder, Callers]:
    """A batching embedder whose model is held up by the caller "先"."""
    model = GatedEmbedder()
    embedder = BatchingEmbedder(model, **bounds)  # type: ignore[arg-type]
    callers = Callers(embedder)
    callers.start("先")
    assert model.entered.wait(60)
    return model, embedder, callers


def test_those_who_come_while_the_model_is_busy_share_the_next_batch_in_order() -> None:
    model, _, callers = busy()
    texts = [f"问题{number}" for number in range(7)]
    for text in texts:
        callers.start_waiting(text)
    model.gate.set()
    callers.join()
    assert model.batches == [["先"], texts]
    for text in ["先", *texts]:
        np.testing.assert_array_equal(callers.results[text], FakeEmbedder().embed_queries([text]))


def test_a_batch_is_never_larger_than_its_bound() -> None:
    model, _, callers = busy(largest_batch=3)
    for number in range(7):
        callers.start_waiting(str(number))
    model.gate.set()
    callers.join()
    assert model.batches == [["先"], ["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_a_single_caller_goes_straight_to_the_model() -> None:
    model = GatedEmbedder()
    model.gate.set()
    embedder = BatchingEmbedder(model)
    for text in "甲乙丙":
        assert embedder.embed_queries([text]).shape == (1, 384)
    assert model.batches == [["甲"], ["乙"], ["丙"]]


def test_an_error_reaches_the_one_whose_text_caused_it_and_nobody_else() -> None:
    model, embedder, callers = busy()
    for text in ("甲", "坏", "乙"):
        callers.start_waiting(text)
    model.gate.set()
    callers.join()
    assert {text: str(error) for text, error in callers.errors.items()} == {"坏": "坏"}
    assert set(callers.results) == {"先", "甲", "乙"}
    assert embedder.embed_queries(["后"]).any()


def test_an_interrupted_leader_takes_nobody_down_with_it() -> None:
    class Interrupted(GatedEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> Vectors:
            if texts[0] == "领" and len(texts) > 1:
                raise KeyboardInterrupt
            return super().embed_queries(texts)

    model = Interrupted()
    embedder = BatchingEmbedder(model)
    callers = Callers(embedder)
    callers.start("先")
    assert model.entered.wait(60)
    for text in ("领", "甲", "乙"):
        callers.start_waiting(text)
    model.gate.set()
    callers.join()
    assert isinstance(callers.errors.pop("领"), KeyboardInterrupt)
    assert (callers.errors, set(callers.results)) == ({}, {"先", "甲", "乙"})
    assert model.batches == [["先"], ["甲", "乙"]]


@pytest.mark.parametrize("has_the_turn", [False, True])
def test_a_waiting_caller_who_is_interrupted_leaves_the_model_to_the_next(has_the_turn: bool) -> None:
    model, embedder, callers = busy()

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if has_the_turn:
                model.gate.set()
                super().wait(60)
            raise KeyboardInterrupt

    call = batching._Call("甲")
    call.wake = Interrupted()
    with embedder._lock:
        embedder._waiting.append(call)
    callers.start_waiting("乙")
    with pytest.raises(KeyboardInterrupt):
        embedder._wait(call)
    model.gate.set()
    callers.join()
    assert model.batches == [["先"], ["乙"]]
    assert (len(embedder._waiting), embedder._running) == (0, False)


def test_beyond_the_bound_of_the_queue_a_caller_is_refused_at_once() -> None:
    model, embedder, callers = busy(most_waiting=2)
    callers.start_waiting("甲")
    callers.start_waiting("乙")
    with pytest.raises(EmbedderBusy):
        embedder.embed_queries(["丙"])
    model.gate.set()
    callers.join()
    assert set(callers.results) == {"先", "甲", "乙"}


def test_who_waited_too_long_is_told_so_and_leaves_the_queue() -> None:
    model, embedder, callers = busy(longest_wait=0.001)
    with pytest.raises(EmbedderBusy):
        embedder.embed_queries(["甲"])
    model.gate.set()
    callers.join()
    assert model.batches == [["先"]]
    assert embedder.embed_queries(["乙"]).any()


def test_nothing_is_left_running_when_the_callers_are_gone() -> None:
    before = threading.active_count()
    model, embedder, callers = busy()
    callers.start_waiting("甲")
    model.gate.set()
    callers.join()
    assert threading.active_count() == before
    assert (len(embedder._waiting), embedder._running) == (0, False)


def test_many_callers_in_no_order_each_get_their_own_vector() -> None:
    model = GatedEmbedder()
    model.gate.set()
    embedder = BatchingEmbedder(model, largest_batch=5)
    callers = Callers(embedder)
    texts = [f"第{number}个人的问题" for number in range(200)]
    for text in texts:
        callers.start(text)
    callers.join()
    assert callers.errors == {}
    assert sorted(text for batch in model.batches for text in batch) == sorted(texts)
    expected = FakeEmbedder().embed_queries(texts)
    np.testing.assert_array_equal(np.vstack([callers.results[text] for text in texts]), expected)


def test_several_texts_at_once_and_passages_pass_through() -> None:
    embedder = BatchingEmbedder(FakeEmbedder(dimension=16, identity="x"))
    assert (embedder.identity, embedder.dimension) == ("x", 16)
    assert embedder.embed_queries([]).shape == (0, 16)
    assert embedder.embed_queries(["甲", "乙"]).shape == (2, 16)
    seen: list[tuple[int, int]] = []
    assert embedder.embed_passages(["甲"], lambda done, total: seen.append((done, total))).shape == (1, 16)
    assert seen == [(1, 1)]
