"""The dialogue's speed as ratios, each side measured beside the other in one run.

Times of a machine that others use mean little by themselves; so whatever is compared is asked in turns, message by
message, and medians are divided. Processor time, which does not count the waiting for a processor, stands beside.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

from knowledge_base import Embedder, Entry, readable
from services.evaluation.dialogue_bench.citizens import Desk, Ours, Plain, Question, Reply
from services.evaluation.dialogue_bench.processes import processor_seconds

Progress = Callable[[int, int], None]
Stage = Callable[[str], AbstractContextManager[Progress]]
WARM_UP = 8
SHORT = 10
TAIL = 20


class Served(NamedTuple):
    """A running system: its address and its processes."""

    url: str
    pids: tuple[int, ...]

    def seconds(self) -> float:
        """Processor time that its processes have used (Linux)."""
        return sum(processor_seconds(pid) for pid in self.pids)


def lookups() -> Iterator[str]:
    """Complete lookups, each about something else of the sandbox, so that no answer is kept from before."""
    kinds = ("水费", "电费", "燃气费", "供暖费")
    for number in itertools.count():
        yield f"帮我查{kinds[number // 60 % 4]}，户号8003{number % 60:04d}"


def turns(
    system: "Served", peer: "Served", embedder: Embedder, questions: Sequence[Question], rounds: int, progress: Progress
) -> dict[str, Any]:
    """One question, its embedding, a turn of plain Rasa, and a lookup, over and over.

    The processor time of a question or a lookup is that of all processes of the system meanwhile.
    """
    ours, looking, plain = Ours(system.url), Ours(system.url, consent=True), Plain(peer.url)
    asked = lookups()
    spent: dict[str, list[float]] = {"faq": [], "embedding": [], "plain_rasa": [], "lookup": []}
    worked: dict[str, list[float]] = {name: [] for name in spent}
    wrong_lookups = 0
    for number in range(WARM_UP + rounds):
        text = questions[number % len(questions)].text
        moments = [system.seconds()]
        faq = ours.ask(text)
        moments.append(system.seconds())
        began, own = perf_counter(), process_time()
        embedder.embed_queries([text])
        embedding, own = perf_counter() - began, process_time() - own
        before = peer.seconds()
        rasa = plain.ask(text)
        beside = peer.seconds() - before
        moments.append(system.seconds())
        lookup = looking.ask(next(asked))
        moments.append(system.seconds())
        progress(number + 1, WARM_UP + rounds)
        if number < WARM_UP:
            continue
        if faq.route == "faq":
            for name, seconds, used in (
                ("faq", faq.seconds, moments[1] - moments[0]),
                ("embedding", embedding, own),
                ("plain_rasa", rasa.seconds, beside),
            ):
                spent[name].append(seconds)
                worked[name].append(used)
        if lookup.route in ("query_progress", "query_bill"):
            spent["lookup"].append(lookup.seconds)
            worked["lookup"].append(moments[3] - moments[2])
        else:
            wrong_lookups += 1
    asked_of: tuple[Desk, ...] = (ours, looking, plain)
    for desk in asked_of:
        desk.close()
    p50 = {name: median(seconds) * 1000 for name, seconds in spent.items()}
    cpu = {name: median(seconds) * 1000 for name, seconds in worked.items()}
    return {
        "faq_messages": len(spent["faq"]),
        "lookup_messages": len(spent["lookup"]),
        "lookups_not_understood": wrong_lookups,
        **{f"{name}_ms_p50": round(value, 1) for name, value in p50.items()},
        "faq_to_embedding_plus_plain_rasa": round(p50["faq"] / (p50["embedding"] + p50["plain_rasa"]), 2),
        "lookup_to_faq": round(p50["lookup"] / p50["faq"], 2),
        **{f"{name}_cpu_ms_p50": round(value, 1) for name, value in cpu.items()},
        "faq_to_embedding_plus_plain_rasa_cpu": round(cpu["faq"] / (cpu["embedding"] + cpu["plain_rasa"]), 2),
        "lookup_to_faq_cpu": round(cpu["lookup"] / cpu["faq"], 2),
    }


def against_selector(
    url: str,
    selector_url: str,
    questions: Sequence[Question],
    entries: Sequence[Entry],
    rounds: int,
    callers: int,
    progress: Progress,
) -> dict[str, Any]:
    """The same questions through both, `callers` at once, in turns; right answers counted in the first round."""
    answers = {entry.id: entry.answer for entry in entries}
    ours = [Ours(url) for _ in range(callers)]
    plain = [Plain(selector_url) for _ in range(callers)]
    _ask_all(ours, questions[: 2 * callers])
    _ask_all(plain, questions[: 2 * callers])
    rates: dict[str, list[float]] = {"ours": [], "selector": []}
    first: dict[str, list[Reply]] = {}
    sides: dict[str, Sequence[Desk]] = {"ours": ours, "selector": plain}
    for number in range(rounds):
        for side, (name, citizens) in enumerate(sides.items()):
            began = perf_counter()
            replies = _ask_all(citizens, questions)
            rates[name].append(len(questions) / (perf_counter() - began))
            first.setdefault(name, replies)
            progress(2 * number + side + 1, 2 * rounds)
    for citizens in sides.values():
        for citizen in citizens:
            citizen.close()
    right = [reply.text == readable(answers[asked.entry_id]) for asked, reply in _pairs(questions, first["ours"])]
    offered = [asked.entry_id in reply.shown for asked, reply in _pairs(questions, first["ours"])]
    answered = [bool(reply.text) for reply in first["ours"]]
    theirs = [reply.text == answers[asked.entry_id] for asked, reply in _pairs(questions, first["selector"])]
    n = len(questions)
    return {
        "questions": n,
        "callers": callers,
        "ours_messages_per_second": round(median(rates["ours"]), 1),
        "selector_messages_per_second": round(median(rates["selector"]), 1),
        "throughput_ratio": round(median(rates["ours"]) / median(rates["selector"]), 2),
        "ours_right_answer": round(sum(right) / n, 3),
        "ours_right_answer_or_among_candidates": round((sum(right) + sum(offered)) / n, 3),
        "ours_wrong_answer": round((sum(answered) - sum(right)) / n, 3),
        "selector_right_answer": round(sum(theirs) / n, 3),
        "selector_wrong_answer": round(1 - sum(theirs) / n, 3),
    }


def _pairs(questions: Sequence[Question], replies: Sequence[Reply]) -> Iterator[tuple[Question, Reply]]:
    return zip(questions, replies, strict=True)


def _ask_all(citizens: Sequence[Desk], questions: Sequence[Question]) -> list[Reply]:
    """Every question once, shared out among the citizens, each asking one after another."""
    parts = [list(range(start, len(questions), len(citizens))) for start in range(len(citizens))]

    def work(citizen: Desk, part: list[int]) -> list[tuple[int, Reply]]:
        return [(index, citizen.ask(questions[index].text)) for index in part]

    with ThreadPoolExecutor(len(citizens)) as pool:
        done = [pair for pairs in pool.map(work, citizens, parts) for pair in pairs]
    return [reply for _, reply in sorted(done, key=lambda pair: pair[0])]


def long_conversation(url: str, questions: Sequence[Question], length: int, progress: Progress) -> dict[str, Any]:
    """Messages about the `length`th of one conversation, each beside the tenth of a new one."""
    long = Ours(url, length=length + TAIL)
    fresh = Ours(url, length=SHORT)
    texts = itertools.cycle([question.text for question in questions])
    total = length + TAIL * SHORT
    done = 0
    for _ in range(length - TAIL // 2):
        long.ask(next(texts))
        done += 1
        progress(done, total)
    tenth, late = [], []
    for _ in range(TAIL):
        for _ in range(SHORT - 1):
            fresh.ask(next(texts))
        text = next(texts)
        tenth.append(fresh.ask(text).seconds)
        late.append(long.ask(text).seconds)
        done += SHORT
        progress(done, total)
    long.close()
    fresh.close()
    return {
        "tenth_ms_p50": round(median(tenth) * 1000, 1),
        "late_message": length,
        "late_ms_p50": round(median(late) * 1000, 1),
        "late_to_tenth": round(median(late) / median(tenth), 2),
    }
