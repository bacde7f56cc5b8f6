"""The dialogue bench asks fair questions, and its peers are plain Rasa projects of the whole base."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from knowledge_base import Entry, import_file
from services.evaluation.dialogue_bench import run
from services.evaluation.dialogue_bench.citizens import Question, Reply, read_questions
from services.evaluation.dialogue_bench.peers import project
from services.evaluation.dialogue_bench.processes import family, processor_seconds, resident_mb
from services.supervision.first_start import STARTER
from tests.support import wait_for


def starter() -> list[Entry]:
    return [entry for path in sorted(STARTER.glob("*.jsonl")) for entry in import_file(path).entries]


def test_every_question_names_an_entry_and_stands_in_no_base() -> None:
    entries = {entry.id: entry for entry in starter()}
    known = {text for entry in entries.values() for text in (entry.question, *entry.similar_questions)}
    questions = read_questions()
    assert len(questions) >= 100
    assert {question.entry_id for question in questions} <= set(entries)
    assert not {question.text for question in questions} & known
    assert len({question.text for question in questions}) == len(questions)


def test_the_selector_learns_every_question_of_the_base_under_its_entry() -> None:
    entries = starter()
    files = project(entries, selector=True)
    asked = {item["intent"]: item["examples"].splitlines() for item in files["data/nlu.yml"]["nlu"]}
    for entry in entries:
        texts = [entry.question, *entry.similar_questions]
        assert asked[f"faq/{entry.id}"] == [f"- {' '.join(text.split())}" for text in texts]
        assert files["domain.yml"]["responses"][f"utter_faq/{entry.id}"] == [{"text": entry.answer}]
    assert {"name": "ResponseSelector", "retrieval_intent": "faq"} in files["config.yml"]["pipeline"]


def test_every_lookup_of_a_run_is_about_something_else() -> None:
    asked = list(itertools.islice(run.lookups(), 240))
    assert len(set(asked[1::2])) == 120


def test_questions_are_shared_out_and_come_back_in_their_order() -> None:
    class Echo:
        def ask(self, text: str) -> Reply:
            return Reply(text, 0.0)

        def close(self) -> None:
            pass

    questions = [Question("e", f"第{number}问") for number in range(11)]
    replies = run._ask_all([Echo() for _ in range(4)], questions)
    assert [reply.text for reply in replies] == [question.text for question in questions]


def test_processor_time_counts_work_and_not_waiting() -> None:
    def used(action: Callable[[], Any]) -> float:
        before = processor_seconds(os.getpid())
        action()
        return processor_seconds(os.getpid()) - before

    def work() -> None:
        began = time.thread_time()
        while time.thread_time() - began < 0.05:
            pass

    assert used(work) >= 0.045
    assert resident_mb(os.getpid()) > 1
    with pytest.raises(OSError, match="No such file"):
        resident_mb(2**22 + 1)


def test_the_family_of_a_process_is_itself_and_all_below_it() -> None:
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & wait"])
    try:
        assert wait_for(lambda: len(family(shell.pid)) == 2)
        assert family(os.getpid())[0] == os.getpid()
        assert set(family(shell.pid)) < set(family(os.getpid()))
    finally:
        for pid in reversed(family(shell.pid)):
            os.kill(pid, signal.SIGTERM)
        shell.wait(10)
