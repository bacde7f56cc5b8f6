"""The whole bench: a system of its own, plain Rasa beside it, and every part in turn."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from knowledge_base import import_file
from services.container import build_container
from services.core.settings import Settings
from services.evaluation.dialogue_bench import memory, run
from services.evaluation.dialogue_bench.citizens import read_questions
from services.evaluation.dialogue_bench.peers import PlainRasa, project
from services.evaluation.dialogue_bench.processes import family
from services.supervision.first_start import STARTER
from services.supervision.processes import Child, Children, StartError
from services.supervision.stack import Stack

READY_SECONDS = 180.0


@dataclass(frozen=True)
class Size:
    """How much is measured; `messages` are those of the memory part, `selector` False leaves its part out."""

    messages: int
    rounds: int
    callers: int
    conversation: int
    selector: bool
    exchanges: int = 3


def measure(
    settings: Settings, kept: Path, size: Size, *, say: Callable[[str], None], stage: run.Stage
) -> dict[str, Any]:
    """Start a system for `settings` (a fresh folder), measure, stop it. Trained plain projects stay in `kept`.

    Raises StartError.
    """
    entries = [entry for path in sorted(STARTER.glob("*.jsonl")) for entry in import_file(path).entries]
    questions = read_questions()
    light = PlainRasa("light", project(entries, selector=False), kept.absolute())
    selector = PlainRasa("selector", project(entries, selector=True), kept.absolute())
    peers = [light, selector] if size.selector else [light]
    for peer in peers:
        say(f"plain Rasa ({peer.name}): trained when its sources changed ...")
        peer.train()
    stack = Stack(settings, say=say)
    children = Children()
    figures: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        stack.start()
        for one in peers:
            children.all.append(one.start())
        _wait(peers)
        embedder = build_container(settings).embedder()
        with stage("turns") as progress:
            system = run.Served(stack.url, _pids(stack.children.all))
            beside = run.Served(light.url, _pids(children.all[:1]))
            figures["turns"] = run.turns(system, beside, embedder, questions, size.rounds, progress)
        if size.selector:
            with stage("beside the ResponseSelector") as progress:
                figures["selector"] = run.against_selector(
                    stack.url, selector.url, questions, entries, size.exchanges, size.callers, progress
                )
        children.stop_all()
        with stage("a long conversation") as progress:
            figures["long_conversation"] = run.long_conversation(stack.url, questions, size.conversation, progress)
        if size.messages:
            rasa = stack.child("rasa").running
            assert rasa is not None
            token = settings.rasa_token.get_secret_value()
            with stage("memory of Rasa") as progress:
                figures["memory"] = memory.rasa_memory(
                    settings.rasa_url, token, rasa.pid, embedder, questions, size.messages, progress
                )
        figures["load_at_end"] = round(os.getloadavg()[0], 1)
    finally:
        children.stop_all()
        stack.stop()
    return figures


def _pids(children: Iterable[Child]) -> tuple[int, ...]:
    started = [child.running.pid for child in children if child.running is not None]
    return tuple(pid for each in started for pid in family(each))


def _wait(peers: list[PlainRasa]) -> None:
    deadline = monotonic() + READY_SECONDS
    with httpx.Client(timeout=5.0) as client:
        for peer in peers:
            while not peer.is_ready(client):
                if monotonic() > deadline:
                    raise StartError(f"plain Rasa ({peer.name}) was not ready in time")
                sleep(0.25)
